"""Pages for people: a run with its proof, where it comes from and its reproductions; how mature a version is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from swath.contract.envelopes import Untrusted
from swath.contract.receipts import Believed, check_bundle
from swath.signatures import verify
from swath_service.actor import Actor
from swath_service.errors import SwathError
from swath_service.pages import stylesheet

from swath_marketplace.api.context import Caller, Context, RunId, Services
from swath_marketplace.api.lineage_svg import picture_of
from swath_marketplace.api.paths import Name, Owner, Version
from swath_marketplace.api.rendering import render, render_error
from swath_marketplace.domain.runs import Run, RunStatus
from swath_marketplace.services.reproductions import ReproductionRequest

router = APIRouter(include_in_schema=False)
router.add_api_route("/static/pages.css", stylesheet, methods=["GET"])

_REPRODUCTIONS = 20
_SHOWN_AT_ONCE = 12


def run_page(request: Request, actor: Actor, services: Context, run_id: str) -> Response:
    """A run: what was asked and came out, whether its receipt holds, where it comes from, whether it reproduces."""
    try:
        return _run_page(request, actor, services, run=services.runs.get(actor, run_id))
    except SwathError as error:
        return render_error(request, error, prefix=services.shapes.base, viewer=actor.name)


def _run_page(request: Request, actor: Actor, services: Context, *, run: Run) -> Response:
    finished = run.status is RunStatus.FINISHED
    found, total = services.reproductions.list(actor, run_id=run.id, limit=_REPRODUCTIONS, offset=0)
    token = services.forms.issue(request, _reproduce_action(run.id)) if finished else None
    return render(
        request,
        "run.html",
        prefix=services.shapes.base,
        viewer=actor.name,
        sandboxed=token is not None,
        scripts=("maps",),
        run=run,
        receipt=_receipt(actor, services, run) if finished else None,
        lineage=_lineage(actor, services, run) if finished else None,
        reproductions=found,
        reproductions_total=total,
        goes_on=any(not one.ended for one in found) or not run.terminal,
        form_token=token,
    )


@router.post("/runs/{run_id}/reproduce")
async def reproduce(
    request: Request, run_id: RunId, token: Annotated[str, Form(max_length=200)], services: Services
) -> Response:
    """The button of a run's page: ask for a reproduction, then show the page again."""
    prefix = services.shapes.base
    viewer = ""
    try:
        actor = await services.forms.redeem(request, token, _reproduce_action(run_id))
        viewer = actor.name
        # The token is the key: pressed twice, or sent again by an impatient browser, it asks once.
        asked = ReproductionRequest()
        await run_in_threadpool(services.reproductions.of_run, actor, run_id, asked, key=f"form-{token[:60]}")
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=viewer)
    return RedirectResponse(f"{prefix}/runs/{run_id}#reproductions", status_code=303)


@router.get("/algorithms/{owner}/{name}/versions/{version}/page")
def maturity_page(
    request: Request, owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services
) -> Response:
    """How mature a version is, by which evidence, and what is missing for the next level."""
    prefix = services.shapes.base
    try:
        view = services.maturity.get(actor, f"{owner}/{name}@{version}")
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=actor.name)
    return render(request, "maturity.html", prefix=prefix, viewer=actor.name, view=view, standing=view.standing)


def _reproduce_action(run_id: str) -> str:
    return f"POST /runs/{run_id}/reproduce"


def _receipt(actor: Actor, services: Context, run: Run) -> dict[str, Any]:
    """What the checks of a run's receipt say now: made anew for each look, as `swath verify` makes them."""
    try:
        bundle = services.trust.receipts.bundle(actor, run.id)
        believed: Believed = check_bundle(bundle, services.trust.keys.current(), verify)
    except Untrusted as error:
        return {"believed": None, "why": str(error)}
    except SwathError as error:
        return {"believed": None, "why": error.message}
    return {"believed": believed, "why": ""}


def _lineage(actor: Actor, services: Context, run: Run) -> dict[str, Any] | None:
    """The picture of where a run's results come from, and how much is in it: a tall one is opened on request."""
    try:
        lineage = services.lineages.of_run(actor, run.id)
    except SwathError:
        return None
    # Written by an XML writer that escapes every word; it has no script, style sheet or address.
    picture = Markup(picture_of(lineage))  # noqa: S704 - see the line above
    return {"picture": picture, "nodes": len(lineage.nodes), "tall": len(lineage.nodes) > _SHOWN_AT_ONCE}
