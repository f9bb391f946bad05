"""Runs over HTTP: each handler parses, calls one service function, shapes the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse
from swath_service.pages import wants_html

from swath_marketplace.api.bodies import RunBody
from swath_marketplace.api.context import Caller, Context, RunId, Services
from swath_marketplace.api.downloads import download_of
from swath_marketplace.api.paging import AT_AND_ID, Page
from swath_marketplace.api.preferences import Preferences, waited_for
from swath_marketplace.api.run_pages import run_page, runs_page
from swath_marketplace.api.stream import Place, follow
from swath_marketplace.api.webhooks import topics_of
from swath_marketplace.domain.hooks import Callback
from swath_marketplace.domain.runs import RunStatus
from swath_marketplace.services.runs import RunRequest

router = APIRouter(tags=["runs"])

_PING_SECONDS = 15


@router.post("/runs", status_code=201, responses={200: {}, 202: {}})
async def create(
    request: Request,
    body: RunBody,
    response: Response,
    *,
    actor: Caller,
    services: Services,
    idempotency_key: Annotated[str | None, Header(max_length=400)] = None,
    prefer: Annotated[list[str] | None, Header()] = None,
) -> dict[str, Any]:
    """Start a run: 201 a new one, 200 the one that the same key and request made before.

    ``Prefer: wait=n`` answers with the run's end when that comes within n seconds; with that, or with
    ``Prefer: respond-async``, a run that goes on is answered with 202, ``Location`` and ``Retry-After``.
    """
    preferences = Preferences.parse(prefer or (), most=services.wait_seconds)
    run, created = await run_in_threadpool(services.runs.create, actor, _asked(body), key=idempotency_key)
    run = await waited_for(request, services, run, seconds=preferences.wait or 0)
    shaped = await run_in_threadpool(services.shapes.run, run)
    if not created:
        response.status_code = 200
    response.headers["Location"] = shaped["links"]["self"]
    preferences.mark(response, run)
    if body.webhook:
        webhook_id, secret = services.webhooks.of_run(run.id)
        response.headers["Cache-Control"] = "no-store"
        shaped["webhook"] = {"id": webhook_id, "secret": secret}
    return shaped


@router.post("/quotes")
def quote(body: RunBody, actor: Caller, services: Services) -> dict[str, Any]:
    """What a run would cost and take; the body is that of a run. Nothing is held."""
    version, offer = services.runs.quote(actor, _asked(body))
    return services.shapes.offer(version, offer)


@router.get("/runs", response_model=dict[str, Any])
def runs(
    request: Request,
    actor: Caller,
    services: Services,
    *,
    status: Annotated[list[RunStatus] | None, Query()] = None,
    everybody: bool = False,
    page: Page,
) -> dict[str, Any] | Response:
    """The caller's runs, newest first; an operator may ask for everybody's. To a browser, their page."""
    found, total = services.runs.list(
        actor,
        statuses=status or (),
        everybody=everybody,
        limit=page.asked,
        offset=page.offset,
        after=page.after(*AT_AND_ID),
    )
    answer = page.answer(
        "runs", found, total=total, shape=services.shapes.run, place=lambda one: (one.created_at, one.id)
    )
    if wants_html(request):
        return runs_page(request, actor, services, answer=answer, statuses=status or (), everybody=everybody)
    return answer


@router.get("/runs/{run_id}", response_model=dict[str, Any])
def run(request: Request, run_id: RunId, actor: Caller, services: Services) -> dict[str, Any] | Response:
    """One run; while it waits, with its place and a guess of how long that takes. To a browser, its page."""
    if wants_html(request):
        return run_page(request, actor, services, run_id)
    found = services.runs.get(actor, run_id)
    return services.shapes.run(found, place=services.places.of(found))


@router.delete("/runs/{run_id}")
def cancel(run_id: RunId, actor: Caller, services: Services) -> dict[str, Any]:
    """Ask a run to end; one that has ended stays as it is."""
    return services.shapes.run(services.runs.cancel(actor, run_id))


@router.get("/runs/{run_id}/events")
async def events(
    run_id: RunId,
    actor: Caller,
    services: Services,
    *,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> EventSourceResponse:
    """Everything that happens to a run as server-sent events: from its start, or from after the event of that id.

    The id is that of ``Last-Event-ID``, which a browser sends of itself when it comes back, or else of `after`. What
    was told before it is not told again. A comment every 15 seconds keeps the connection open.
    """
    found = await run_in_threadpool(services.runs.get, actor, run_id)
    return stream_answer(services, found.id, last_event_id=last_event_id or after)


def stream_answer(services: Context, run_id: str, *, last_event_id: str | None) -> EventSourceResponse:
    """The events of a run that its caller may see."""
    return EventSourceResponse(
        follow(services, run_id, start=Place.parse(last_event_id)),
        ping=_PING_SECONDS,
        # Proxies that gather an answer before they pass it on would hold the events back.
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )


@router.get("/runs/{run_id}/log")
def log(run_id: RunId, actor: Caller, services: Services) -> StreamingResponse:
    """What the notebook printed so far."""
    found = services.runs.with_files(actor, run_id)

    return log_answer(services, found.id)


def log_answer(services: Context, run_id: str) -> StreamingResponse:
    """The log of a run that its caller may see."""

    def text() -> Iterator[bytes]:
        for piece in services.events.text(run_id):
            yield piece.encode()

    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
    return StreamingResponse(text(), media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/runs/{run_id}/results")
def results(run_id: RunId, actor: Caller, services: Services) -> list[dict[str, Any]]:
    """The outputs of a run; none while it goes on."""
    found = services.runs.get(actor, run_id)
    return [services.shapes.output(found, output) for output in found.outputs] if found.terminal else []


@router.api_route("/runs/{run_id}/results/{name}", methods=["GET", "HEAD"])
def result(run_id: RunId, name: Annotated[str, Path(max_length=64)], actor: Caller, services: Services) -> Response:
    """The bytes of one output, or parts of them; 304 to who has them: their sha256 is the entity tag."""
    return download_of(*services.runs.result(actor, run_id, name))


def _asked(body: RunBody) -> RunRequest:
    hook = body.webhook
    return RunRequest(
        algorithm=body.algorithm,
        parameters=body.parameters,
        budget_millicredits=body.budget_millicredits,
        callbacks=(Callback(url=hook.url, topics=topics_of(hook.events, field="webhook.events")),) if hook else (),
    )
