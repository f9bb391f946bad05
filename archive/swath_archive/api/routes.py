"""The routes. Each reads the request, asks the service once, and shapes the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from swath_service.actor import Actor, Scope
from swath_service.oauth import browser_actor

from swath_archive.api import shapes
from swath_archive.domain.errors import BadQuery
from swath_archive.domain.search import Search, read_search
from swath_archive.services.query import Archive, Page
from swath_archive.store.documents import Document

router = APIRouter()


def current_archive(request: Request) -> Archive:
    """The archive that the application was made with."""
    archive: Archive = request.app.state.archive
    return archive


Asking = Annotated[Actor, Depends(browser_actor)]
AtArchive = Annotated[Archive, Depends(current_archive)]


class GeoJSONResponse(JSONResponse):
    """JSON of one or many features."""

    media_type = "application/geo+json"


def _base(request: Request) -> str:
    """The API's address as the caller sees it, with a slash at its end."""
    prefix: str = request.app.state.prefix
    return f"{str(request.base_url).rstrip('/')}{prefix.rstrip('/')}/"


@router.get("/")
def landing(request: Request, actor: Asking, archive: AtArchive) -> Document:
    """STAC API's landing page."""
    return shapes.landing(_base(request), archive.collections(actor))


@router.get("/health")
def health(archive: AtArchive, response: Response) -> dict[str, str]:
    """Whether the service and its index answer; 503 when the index does not."""
    answers = archive.answers()
    if not answers:
        response.status_code = 503
    return {
        "status": "ok" if answers else "unavailable",
        "service": "archive",
        "database": "ok" if answers else "unreachable",
    }


@router.get("/conformance")
def conformance(actor: Asking) -> dict[str, list[str]]:
    """What of the standards holds here."""
    actor.require(Scope.READ)
    return {"conformsTo": list(shapes.CONFORMANCE)}


@router.get("/collections")
def collections(request: Request, actor: Asking, archive: AtArchive) -> Document:
    """Every collection."""
    return shapes.collections(_base(request), archive.collections(actor))


@router.get("/collections/{collection_id}")
def collection(collection_id: str, request: Request, actor: Asking, archive: AtArchive) -> Document:
    """One collection."""
    return shapes.collection(_base(request), archive.collection(actor, collection_id))


@router.get("/collections/{collection_id}/items", response_class=GeoJSONResponse)
def items(collection_id: str, request: Request, actor: Asking, archive: AtArchive) -> GeoJSONResponse:
    """A collection's items, page by page: ``bbox``, ``datetime``, ``limit``, ``token``."""
    archive.collection(actor, collection_id)
    raw = _query(request)
    search = read_search(raw)
    if search.collections and collection_id not in search.collections:
        # pystac-client repeats the collection here; any other would make the question contradict itself.
        raise BadQuery(
            code="bad-search", message=f"these are the items of {collection_id!r}, and 'collections' has others"
        )
    search = replace(search, collections=(collection_id,))
    found = archive.search(actor, search)
    return _by_get(request, raw, search=search, found=found)


@router.get("/collections/{collection_id}/items/{item_id}", response_class=GeoJSONResponse)
def item(collection_id: str, item_id: str, request: Request, actor: Asking, archive: AtArchive) -> GeoJSONResponse:
    """One item."""
    return GeoJSONResponse(shapes.item(_base(request), archive.item(actor, collection_id, item_id)))


@router.get("/search", response_class=GeoJSONResponse)
def search_by_get(request: Request, actor: Asking, archive: AtArchive) -> GeoJSONResponse:
    """Items of any collection, by `swath_archive.domain.search.FIELDS`."""
    raw = _query(request)
    search = read_search(raw)
    return _by_get(request, raw, search=search, found=archive.search(actor, search))


@router.post("/search", response_class=GeoJSONResponse)
def search_by_post(request: Request, body: dict[str, Any], actor: Asking, archive: AtArchive) -> GeoJSONResponse:
    """The same, from a JSON body."""
    search = read_search(body)
    found = archive.search(actor, search)
    base = _base(request)
    here = f"{base}search"
    following = shapes.next_link(here, body={"token": found.following.token()}) if found.following else None
    return GeoJSONResponse(shapes.page(base, found, search=search, here=here, following=following))


@router.api_route("/assets/{collection_id}/{item_id}/{name}", methods=["GET", "HEAD"], response_class=FileResponse)
def asset(collection_id: str, item_id: str, name: str, actor: Asking, archive: AtArchive) -> FileResponse:
    """An asset's bytes, or the ranges of them that ``Range`` asks for."""
    found = archive.asset(actor, collection_id, item_id, name=name)
    headers = {"ETag": f'"{found.sha256}"'} if found.sha256 else {}
    return FileResponse(found.path, media_type=found.media_type, headers=headers)


def _query(request: Request) -> dict[str, str]:
    doubled = [name for name in request.query_params if len(request.query_params.getlist(name)) > 1]
    if doubled:
        findings = [
            {"field": name, "message": "is there twice", "mend": "part values by commas"} for name in set(doubled)
        ]
        raise BadQuery(
            code="bad-search", message=f"twice in the query: {', '.join(sorted(set(doubled)))}", findings=findings
        )
    return dict(request.query_params)


def _by_get(request: Request, raw: dict[str, str], *, search: Search, found: Page) -> GeoJSONResponse:
    base = _base(request)
    here = str(request.url)
    following = None
    if found.following:
        query = urlencode({**raw, "token": found.following.token()})
        following = shapes.next_link(f"{here.partition('?')[0]}?{query}")
    return GeoJSONResponse(shapes.page(base, found, search=search, here=here, following=following))
