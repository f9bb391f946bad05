"""Pages of this door: whatever the JSON says, in the marketplace's frame."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from swath_service.actor import Actor

from swath_marketplace.api.context import Context
from swath_marketplace.api.ogc.asking import Form, form_of
from swath_marketplace.api.rendering import render

_WEB = re.compile(r"https?://[^\s\x00-\x1f]+")
_HEADERS = {"X-Content-Type-Options": "nosniff", "Vary": "Accept, Authorization, Cookie", "Cache-Control": "private"}


def told(
    request: Request,
    services: Context,
    actor: Actor,
    *,
    title: str,
    document: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`document` as JSON or as a page, as the request asks."""
    if form_of(request) is Form.HTML:
        return page(request, services, actor, title=title, document=document, status=status)
    return JSONResponse(dict(document), status_code=status, headers={**_HEADERS, **(headers or {})})


def page(
    request: Request, services: Context, actor: Actor, *, title: str, document: Mapping[str, Any], status: int = 200
) -> Response:
    """The page with everything that `document` holds, and each link of it as a link."""
    return render(
        request,
        "ogc.html",
        prefix=services.shapes.base,
        viewer=actor,
        status=status,
        title=title,
        document=document,
        may_follow=_may_follow,
        are_links=_are_links,
        are_words=_are_words,
    )


def _may_follow(href: object) -> bool:
    """Whether an address is of the web: authors write some of them, and a browser follows ``javascript:`` too."""
    return isinstance(href, str) and bool(_WEB.fullmatch(href))


def _are_links(thing: object) -> bool:
    """Whether a member holds links as the standard writes them, and not somebody's values of that name."""
    return (
        isinstance(thing, list)
        and bool(thing)
        and all(isinstance(one, dict) and {"href", "rel"} <= one.keys() for one in thing)
    )


def _are_words(thing: object) -> bool:
    """Whether a list holds nothing but texts and numbers, so that it reads well in a line."""
    return isinstance(thing, list) and not any(isinstance(one, dict | list) for one in thing)
