"""Pages for people: the button that reproduces a run; how mature a version is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from swath_service.actor import Actor
from swath_service.errors import SwathError
from swath_service.pages import stylesheet

from swath_marketplace.api.context import Caller, RunId, Services
from swath_marketplace.api.paths import Name, Owner, Version
from swath_marketplace.api.rendering import render, render_error
from swath_marketplace.api.run_pages import reproduce_action
from swath_marketplace.services.reproductions import ReproductionRequest

router = APIRouter(include_in_schema=False)
router.add_api_route("/static/pages.css", stylesheet, methods=["GET"])


@router.post("/runs/{run_id}/reproduce")
async def reproduce(
    request: Request, run_id: RunId, token: Annotated[str, Form(max_length=200)], services: Services
) -> Response:
    """The button of a run's page: ask for a reproduction, then show the page again."""
    prefix = services.shapes.base
    viewer: Actor | None = None
    try:
        actor = await services.forms.redeem(request, token, reproduce_action(run_id))
        viewer = actor
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
        return render_error(request, error, prefix=prefix, viewer=actor)
    return render(request, "maturity.html", prefix=prefix, viewer=actor, view=view, standing=view.standing)
