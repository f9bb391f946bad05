"""Entries of other platforms over HTTP, and their pages."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from swath_service.errors import SwathError
from swath_service.pages import wants_html

from swath_marketplace.api.card_shapes import CardShapes
from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.paging import Page
from swath_marketplace.api.rendering import render, render_error

router = APIRouter(tags=["external entries"])
Word = Annotated[str, Path(max_length=120)]


@router.get("/external")
def external(actor: Caller, services: Services, *, page: Page) -> dict[str, Any]:
    """What other platforms offer, by title. None of it runs here."""
    found, total = services.judging.externals.list(
        actor, limit=page.asked, offset=page.offset, after=page.after(str, str, str)
    )
    shape = CardShapes(services.shapes).external
    return page.answer(
        "entries",
        found,
        total=total,
        shape=shape,
        place=lambda one: (one.entry.title, one.entry.source, one.entry.record_id),
    )


@router.get("/external/{source}/{record_id}", response_model=dict[str, Any])
def entry(
    request: Request, source: Word, record_id: Word, actor: Caller, services: Services
) -> dict[str, Any] | Response:
    """One entry of another platform. To a browser, its page."""
    page = wants_html(request)
    try:
        found = services.judging.externals.get(actor, source, record_id)
    except SwathError as error:
        if not page:
            raise
        return render_error(request, error, prefix=services.shapes.base, viewer=actor)
    if page:
        prefix = services.shapes.base
        return render(request, "external.html", prefix=prefix, viewer=actor, listed=found, entry=found.entry)
    return CardShapes(services.shapes).external(found)
