"""Notices for people: the page, and the button that marks them as read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict
from swath_service.actor import Actor
from swath_service.errors import SwathError

from swath_marketplace.api.bodies import Moment
from swath_marketplace.api.context import Caller, Context, Services
from swath_marketplace.api.rendering import render, render_error

router = APIRouter(tags=["benchmarks"])

_SHOWN = 100
_ACTION = "POST /notices/read-all"


class ReadBody(BaseModel):
    """Which notices are read."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    until: Moment
    """Those up to then."""


def notices_page(request: Request, actor: Actor, services: Context) -> Response:
    """The latest notices of whoever looks, with a button that marks them as read."""
    prefix = services.shapes.base
    try:
        found, total = services.rounds.notices(actor, limit=_SHOWN)
        _, unread = services.rounds.notices(actor, unread=True, limit=1)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=actor)
    token = services.forms.issue(request, _ACTION) if unread else None
    return render(
        request,
        "notices.html",
        prefix=prefix,
        viewer=actor,
        sandboxed=token is not None,
        current="notices",
        notices=found,
        total=total,
        unread=unread,
        token=token,
        # What came after the page was made is not read yet.
        until=(found[0].at if found else datetime.now(UTC)).isoformat(),
    )


@router.post("/notices/read")
def read_all(body: ReadBody, actor: Caller, services: Services) -> dict[str, Any]:
    """Note that the caller has read every notice up to a moment."""
    return {"read": services.rounds.read_all(actor, until=body.until)}


@router.post("/notices/read-all", include_in_schema=False)
async def press(
    request: Request,
    *,
    token: Annotated[str, Form(max_length=200)],
    until: Annotated[Moment, Form()],
    services: Services,
) -> Response:
    """The button of the page; then the page again."""
    prefix = services.shapes.base
    viewer: Actor | None = None
    try:
        actor = await services.forms.redeem(request, token, _ACTION)
        viewer = actor
        await run_in_threadpool(services.rounds.read_all, actor, until=until)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=viewer)
    return RedirectResponse(services.shapes.below("notices"), status_code=303)
