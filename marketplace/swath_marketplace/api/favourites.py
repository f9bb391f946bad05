"""Favourites and follows over HTTP, and the pages with their buttons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from swath_service.actor import Actor
from swath_service.errors import SwathError
from swath_service.pages import wants_html

from swath_marketplace.api.card_shapes import CardShapes
from swath_marketplace.api.context import Caller, Context, Services
from swath_marketplace.api.paths import Name, Owner
from swath_marketplace.api.rendering import render, render_error
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.following import Kept
from swath_marketplace.services.following import Choice

router = APIRouter(tags=["favourites"])
Token = Annotated[str, Form(max_length=200)]
#: What the buttons of a card and of the list do: verb of the form -> (which list, whether it is wanted).
_DOES = {
    "favourite": ("favourites", True),
    "unfavourite": ("favourites", False),
    "follow": ("follows", True),
    "unfollow": ("follows", False),
}


@router.get("/favourites", response_model=dict[str, Any])
def favourites(request: Request, actor: Caller, services: Services) -> dict[str, Any] | Response:
    """What the caller keeps at hand and follows, the latest first. To a browser, a page."""
    favoured, followed = services.judging.following.lists(actor)
    if wants_html(request):
        return _page(request, actor, services, favoured=favoured, followed=followed)
    shapes = CardShapes(services.shapes)
    return {
        "favourites": [shapes.kept(one) for one in favoured],
        "follows": [shapes.kept(one) for one in followed],
    }


@router.get("/favourites/{owner}/{name}")
def favourite(owner: Owner, name: Name, actor: Caller, services: Services) -> dict[str, Any]:
    """Whether an algorithm is the caller's favourite."""
    return _choice(services.judging.following.favourite(actor, f"{owner}/{name}"))


@router.put("/favourites/{owner}/{name}")
def put_favourite(owner: Owner, name: Name, actor: Caller, services: Services) -> dict[str, Any]:
    """Keep an algorithm at hand. Idempotent."""
    return _choice(services.judging.following.set_favourite(actor, f"{owner}/{name}", wanted=True))


@router.delete("/favourites/{owner}/{name}")
def delete_favourite(owner: Owner, name: Name, actor: Caller, services: Services) -> dict[str, Any]:
    """Keep an algorithm at hand no more. Idempotent."""
    return _choice(services.judging.following.set_favourite(actor, f"{owner}/{name}", wanted=False))


@router.get("/follows/{owner}/{name}")
def followed(owner: Owner, name: Name, actor: Caller, services: Services) -> dict[str, Any]:
    """Whether the caller follows an algorithm."""
    return _choice(services.judging.following.followed(actor, f"{owner}/{name}"))


@router.put("/follows/{owner}/{name}")
def put_follow(owner: Owner, name: Name, actor: Caller, services: Services) -> dict[str, Any]:
    """Be told of new versions, levels that rise or fall, and versions that are yanked. Idempotent."""
    return _choice(services.judging.following.set_follow(actor, f"{owner}/{name}", wanted=True))


@router.delete("/follows/{owner}/{name}")
def delete_follow(owner: Owner, name: Name, actor: Caller, services: Services) -> dict[str, Any]:
    """Be told no more. Idempotent."""
    return _choice(services.judging.following.set_follow(actor, f"{owner}/{name}", wanted=False))


@router.post("/algorithms/{owner}/{name}/keep/{verb}", include_in_schema=False)
async def press(request: Request, owner: Owner, name: Name, *, verb: str, token: Token, services: Services) -> Response:
    """A button of a page: favourite, unfavourite, follow, unfollow; then the page again."""
    shapes = CardShapes(services.shapes)
    viewer: Actor | None = None
    try:
        actor = await services.forms.redeem(request, token, action(owner, name, verb))
        viewer = actor
        which, wanted = _DOES[verb]
        following = services.judging.following
        change = following.set_favourite if which == "favourites" else following.set_follow
        await run_in_threadpool(change, actor, f"{owner}/{name}", wanted=wanted)
    except SwathError as error:
        return render_error(request, error, prefix=services.shapes.base, viewer=viewer)
    listed = request.query_params.get("from") == "favourites"
    where = services.shapes.below("favourites") if listed else shapes.algorithm_path(owner, name)
    return RedirectResponse(where, status_code=303)


def action(owner: str, name: str, verb: str) -> str:
    """What a form's token stands for."""
    return f"POST /algorithms/{owner}/{name}/keep/{verb}"


def buttons(request: Request, services: Context, owner: str, name: str, *, verbs: Sequence[str]) -> dict[str, str]:
    """Tokens of the buttons of `verbs`; empty where the page may have none."""
    tokens = {verb: services.forms.issue(request, action(owner, name, verb)) for verb in verbs}
    return {verb: token for verb, token in tokens.items() if token}


def _page(
    request: Request, actor: Actor, services: Context, *, favoured: Sequence[Kept], followed: Sequence[Kept]
) -> Response:
    lists = []
    for verb, listed in (("unfavourite", favoured), ("unfollow", followed)):
        rows = [
            {"one": one, "token": buttons(request, services, one.owner, one.name, verbs=[verb]).get(verb)}
            for one in listed
        ]
        lists.append({"verb": verb, "rows": rows})
    sandboxed = any(row["token"] for listed in lists for row in listed["rows"])  # type: ignore[index]
    prefix = services.shapes.base
    return render(
        request,
        "favourites.html",
        prefix=prefix,
        viewer=actor,
        sandboxed=sandboxed,
        lists=lists,
        current="favourites",
    )


def _choice(choice: Choice) -> dict[str, Any]:
    return {"algorithm": choice.algorithm, "chosen": choice.since is not None, "since": iso(choice.since)}
