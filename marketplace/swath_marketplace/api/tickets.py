"""Outputs shown in a frame of a page, by a ticket (`swath_service.tickets`)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse
from swath_service.tickets import TICKET_SECONDS

from swath_marketplace.api.context import Caller, RunId, Services
from swath_marketplace.api.downloads import filename_of

router = APIRouter(include_in_schema=False)


@router.post("/runs/{run_id}/results/{name}/ticket", status_code=201)
def show_result(
    run_id: RunId, name: Annotated[str, Path(max_length=64)], actor: Caller, services: Services
) -> dict[str, Any]:
    """An address at which one output can be shown in a frame of a page, by itself, for ten minutes."""
    output, path = services.runs.result(actor, run_id, name)
    href = services.tickets.issue(services.shapes.base, path, media_type=output.media_type, name=filename_of(output))
    return {"href": href, "expires_seconds": TICKET_SECONDS}


@router.get("/content/{ticket}/{name}")
def content(
    ticket: Annotated[str, Path(max_length=100)], name: Annotated[str, Path(max_length=200)], services: Services
) -> FileResponse:
    """What a ticket shows; the ticket is the authority."""
    return services.tickets.answer(ticket, name)
