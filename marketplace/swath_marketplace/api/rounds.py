"""Rounds of benchmarks, breaks and notices over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from swath_service.pages import wants_html

from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.notices import notices_page
from swath_marketplace.api.paging import AT_AND_ID, Page, int_of
from swath_marketplace.api.paths import Name, Owner, Version
from swath_marketplace.api.round_shapes import RoundShapes

router = APIRouter(tags=["benchmarks"])

_VERSION = "/algorithms/{owner}/{name}/versions/{version}"
Id = Annotated[str, Path(max_length=64)]
Word = Annotated[str, Path(max_length=120)]


@router.get(_VERSION + "/rounds")
def history(
    owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services, page: Page
) -> dict[str, Any]:
    """The rounds of a version with what they found, the newest first; and those that are open."""
    place = page.after(int)
    ended, going, total = services.rounds.history(
        actor,
        f"{owner}/{name}@{version}",
        limit=page.asked,
        offset=page.offset,
        before=int_of(place),
    )
    shapes = RoundShapes(services.shapes)
    newest_first = list(reversed(ended))
    told = page.answer("rounds", newest_first, total=total, shape=shapes.ended, place=lambda one: (one.number,))
    return {**told, "open": [shapes.view(one) for one in going]}


@router.post(_VERSION + "/rounds", status_code=202)
def ask(
    owner: Owner, name: Name, *, version: Version, response: Response, actor: Caller, services: Services
) -> dict[str, Any]:
    """Run the scenarios of a version now: its author and operators. Where a round is open, that is answered."""
    view, _ = services.rounds.ask(actor, f"{owner}/{name}@{version}")
    shaped = RoundShapes(services.shapes).view(view)
    response.headers["Location"] = shaped["links"]["self"]
    return shaped


@router.get(_VERSION + "/drift")
def drift(owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services) -> dict[str, Any]:
    """How time, cost and outputs of a version's scenarios moved over its rounds."""
    found = services.rounds.drift(actor, f"{owner}/{name}@{version}")
    return {"scenarios": {name: RoundShapes.drift(one) for name, one in found.items()}}


@router.get("/rounds/{round_id}")
def get(round_id: Id, actor: Caller, services: Services) -> dict[str, Any]:
    """One round as it stands."""
    return RoundShapes(services.shapes).view(services.rounds.get(actor, round_id))


@router.get("/rounds/{round_id}/pictures/{scenario}/{kind}/{name}")
def picture(round_id: Id, scenario: Word, kind: Word, name: Word, *, actor: Caller, services: Services) -> FileResponse:
    """The picture of a difference."""
    path = services.rounds.picture(actor, round_id, scenario=scenario, kind=kind, name=name)
    return FileResponse(path, media_type="image/png", headers={"X-Content-Type-Options": "nosniff"})


@router.get("/breaks")
def breaks(
    actor: Caller,
    services: Services,
    *,
    state: Annotated[str, Query(pattern="^(open|all)$")] = "open",
    page: Page,
) -> dict[str, Any]:
    """Scenarios that are red, the newest first; with ``state=all`` those that were mended too."""
    found, total = services.rounds.breaks(
        actor, include_closed=state == "all", limit=page.asked, offset=page.offset, after=page.after(*AT_AND_ID)
    )
    shape = RoundShapes(services.shapes).broken
    return page.answer("breaks", found, total=total, shape=shape, place=lambda one: (one.opened_at, one.id))


@router.get("/notices", response_model=dict[str, Any])
def notices(
    request: Request, actor: Caller, services: Services, *, unread: bool = False, page: Page
) -> dict[str, Any] | Response:
    """What the caller ought to know, the newest first. To a browser, its page."""
    if wants_html(request):
        return notices_page(request, actor, services)
    found, total = services.rounds.notices(
        actor, unread=unread, limit=page.asked, offset=page.offset, after=page.after(*AT_AND_ID)
    )
    shape = RoundShapes(services.shapes).notice
    return page.answer("notices", found, total=total, shape=shape, place=lambda one: (one.at, one.id))


@router.post("/notices/{notice_id}/read")
def read(notice_id: Id, actor: Caller, services: Services) -> dict[str, Any]:
    """Note that the caller has read a notice; the first time stands."""
    return RoundShapes(services.shapes).notice(services.rounds.read(actor, notice_id))
