"""Links to runs over HTTP: making and taking back, and what a link shows."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from sse_starlette import EventSourceResponse
from swath_service.actor import Actor, Scope
from swath_service.errors import SwathError
from swath_service.kept_files import KeptFile
from swath_service.pages import wants_html
from swath_service.tickets import TICKET_SECONDS

from swath_marketplace.api.bodies import RunLinkBody
from swath_marketplace.api.context import Caller, RunId, Services
from swath_marketplace.api.downloads import download_of, filename_of
from swath_marketplace.api.rendering import render_error
from swath_marketplace.api.run_pages import shared_page
from swath_marketplace.api.runs import log_answer, stream_answer
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.run_links import RunLink

router = APIRouter(tags=["links"])

Secret = Annotated[str, Path(max_length=100)]
Output = Annotated[str, Path(max_length=64)]


@router.post("/runs/{run_id}/shares", status_code=201)
def share(run_id: RunId, body: RunLinkBody, response: Response, actor: Caller, services: Services) -> dict[str, Any]:
    """Make a link by which others look at a run of yours; its address is answered only now."""
    link, secret = services.run_links.make(actor, run_id, days=body.days)
    href = services.shapes.below(f"shared/{secret}")
    response.headers["Location"] = href
    response.headers["Cache-Control"] = "no-store"
    return {**_shaped(link), "href": href}


@router.get("/runs/{run_id}/shares")
def shares(run_id: RunId, actor: Caller, services: Services) -> dict[str, Any]:
    """The links of a run of yours that hold; their addresses are not kept."""
    return {"shares": [_shaped(link) for link in services.run_links.list(actor, run_id)]}


@router.delete("/runs/{run_id}/shares/{share_id}", status_code=204)
def take_back(
    run_id: RunId, share_id: Annotated[str, Path(max_length=64)], actor: Caller, services: Services
) -> Response:
    """Take a link back: it opens nothing any more."""
    services.run_links.take_back(actor, run_id, share_id)
    return Response(status_code=204)


@router.get("/shared/{secret}", response_model=dict[str, Any])
def shared(request: Request, secret: Secret, actor: Caller, services: Services) -> dict[str, Any] | Response:
    """The run that a link shows; to a browser, its page."""
    if not wants_html(request):
        _, run = services.run_links.open(actor, secret)
        return services.shapes.run(run, place=services.places.of(run))
    try:
        link, run = services.run_links.open(actor, secret)
    except SwathError as error:
        return render_error(request, error, prefix=services.shapes.base, viewer=actor)
    return shared_page(request, actor, services, link=link, run=run, here=f"shared/{secret}")


@router.get("/shared/{secret}/log")
def shared_log(secret: Secret, actor: Caller, services: Services) -> StreamingResponse:
    """What the shared run printed so far."""
    _, run = services.run_links.open(actor, secret)
    return log_answer(services, run.id)


@router.get("/shared/{secret}/events")
async def shared_events(
    secret: Secret,
    actor: Caller,
    services: Services,
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> EventSourceResponse:
    """Everything that happens to the shared run; a link that is taken back goes on until the connection ends."""
    _, run = await run_in_threadpool(services.run_links.open, actor, secret)
    return stream_answer(services, run.id, last_event_id=last_event_id)


@router.get("/shared/{secret}/results/{name}")
def shared_result(secret: Secret, name: Output, actor: Caller, services: Services) -> KeptFile:
    """The bytes of one output of the shared run; ranges are answered."""
    _, run = services.run_links.open(actor, secret)
    return download_of(*services.runs.result(_maker(run.caller), run.id, name))


@router.post("/shared/{secret}/results/{name}/ticket", status_code=201, include_in_schema=False)
def show_shared_result(secret: Secret, name: Output, actor: Caller, services: Services) -> dict[str, Any]:
    """As `tickets.show_result`, of a shared run."""
    _, run = services.run_links.open(actor, secret)
    output, path = services.runs.result(_maker(run.caller), run.id, name)
    href = services.tickets.issue(services.shapes.base, path, media_type=output.media_type, name=filename_of(output))
    return {"href": href, "expires_seconds": TICKET_SECONDS}


def _maker(name: str) -> Actor:
    """Who made the run, reading: what a link shows is what they see."""
    return Actor(name=name, scopes=frozenset({Scope.READ.value}))


def _shaped(link: RunLink) -> dict[str, Any]:
    return {
        "id": link.id,
        "run": link.run_id,
        "created_at": iso(link.created_at),
        "expires_at": iso(link.expires_at),
    }
