"""Searching over HTTP: the list of algorithms for programs, the catalogue's page for people."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from swath_service.actor import Actor
from swath_service.errors import SwathError
from swath_service.pages import wants_html

from swath_marketplace.api.catalogue import Catalogue
from swath_marketplace.api.context import Caller, Context, Services
from swath_marketplace.api.paging import next_page
from swath_marketplace.api.rendering import render, render_error
from swath_marketplace.api.search_shapes import answer_of
from swath_marketplace.domain.search_request import SearchRequest, read_request

router = APIRouter(tags=["algorithms"])

_PAGE_ENTRIES = 24


def _several(text: str) -> Any:
    return Query(description=f"{text} May be given more than once: one of them.")


@dataclass(frozen=True)
class SearchParameters:
    """What a search may be asked by. Read as `read_request` reads it, which tells of wrong values what would do."""

    q: Annotated[str, Query(description="Words that must all occur; the last one may be the beginning of one.")] = ""
    level: Annotated[list[str], _several("Maturity of the latest version.")] = ()  # type: ignore[assignment]
    collection: Annotated[list[str], _several("Id of a collection that it reads.")] = ()  # type: ignore[assignment]
    band: Annotated[list[str], _several("A band that it reads.")] = ()  # type: ignore[assignment]
    licence: Annotated[list[str], _several("SPDX identifier.")] = ()  # type: ignore[assignment]
    price: Annotated[list[str], _several("`free` or `paid`: added value, beside the resources.")] = ()  # type: ignore[assignment]
    environment: Annotated[list[str], _several("Name of the locked environment.")] = ()  # type: ignore[assignment]
    author: Annotated[list[str], _several("Who published it; `owner` means the same.")] = ()  # type: ignore[assignment]
    owner: Annotated[list[str], _several("The same as `author`.")] = ()  # type: ignore[assignment]
    platform: Annotated[list[str], _several("Where it runs; `here` is this Swath.")] = ()  # type: ignore[assignment]
    kind: Annotated[str, Query(description="`algorithm`, `external` (other platforms' records) or `any`.")] = ""
    sort: Annotated[
        str, Query(description="`relevance` (when there are words), `use`, `level` or `newest` (otherwise).")
    ] = ""
    limit: Annotated[str, Query(description="Most entries of a page, 1 to 200.")] = "50"
    offset: Annotated[str, Query(description="Entries to pass over; a cursor is better.")] = "0"
    cursor: Annotated[
        str, Query(description="Where a page begins: `next_cursor` of the one before. Not with `offset`.")
    ] = ""


@router.get("/algorithms")
def search(request: Request, actor: Caller, services: Services, _: Annotated[SearchParameters, Depends()]) -> Response:
    """Algorithms that are found by words and facets, a page of them, with how many each value of a facet would bring.

    An answer has an `ETag`; asked again with `If-None-Match` nothing is computed while nothing changed.
    """
    if wants_html(request):
        return catalogue_page(request, actor, services)
    asked = read_request(_given(request))
    tag = _tag(services.searches.state(actor), asked)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, Cookie"}
    if _unchanged(request, tag):
        return Response(status_code=304, headers=headers)
    answer = services.searches.find(actor, asked)
    following = next_page(request, limit=asked.limit, cursor=answer.cursor) if answer.cursor else None
    if following:
        headers["Link"] = f'<{following}>; rel="next"'
    return JSONResponse(answer_of(answer, asked, base=services.shapes.base, following=following), headers=headers)


def catalogue_page(request: Request, actor: Actor, services: Context) -> Response:
    """The catalogue for people: found by words and facets, without a script."""
    prefix = services.shapes.base
    try:
        asked = read_request(_given(request), kind="any", limit=_PAGE_ENTRIES)
        answer = services.searches.find(actor, asked)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=actor)
    shown = Catalogue(answer=answer, asked=asked, base=prefix, narrow="Mobi" in request.headers.get("user-agent", ""))
    return render(request, "catalogue.html", prefix=prefix, viewer=actor, shown=shown, asked=asked, answer=answer)


def _given(request: Request) -> Mapping[str, Sequence[str]]:
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        given.setdefault(name, []).append(value)
    return given


def _tag(state: str, asked: SearchRequest) -> str:
    """Of an answer: the state of the index, the question, and what shaped it."""
    said = [version("swath"), state, asked.fingerprint, str(asked.limit), str(asked.offset), str(asked.after)]
    return f'W/"{hashlib.sha256("|".join(said).encode()).hexdigest()[:32]}"'


def _unchanged(request: Request, tag: str) -> bool:
    known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
    return "*" in known or tag.removeprefix("W/") in [one.removeprefix("W/") for one in known]
