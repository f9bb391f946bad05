"""What the handlers of this door share: the services, the teller for the request, the settings of the door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from swath_service.actor import Actor

from swath_marketplace.api.context import Caller, Context, Services
from swath_marketplace.api.ogc.asking import wrong
from swath_marketplace.api.ogc.failures import Failed
from swath_marketplace.api.ogc.telling import Teller
from swath_marketplace.domain.nesting import DEEPEST, is_too_deep
from swath_marketplace.services.ogc import OgcServices

DEFAULT_LIMIT = 10
MAX_LIMIT = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """One request at this door."""

    request: Request
    actor: Actor
    services: Context
    teller: Teller

    @property
    def ogc(self) -> OgcServices:
        """What only this door needs."""
        return self.services.ogc


def door_of(request: Request, actor: Caller, services: Services) -> Door:
    """FastAPI dependency: the request at the door."""
    teller = Teller.of(request, base=services.shapes.base, sync_seconds=services.ogc.sync_seconds)
    return Door(request=request, actor=actor, services=services, teller=teller)


AtDoor = Annotated[Door, Depends(door_of)]
Limit = Annotated[int, Query(ge=1)]
F = Annotated[str | None, Query(pattern="^(json|html)$")]


def clamped(limit: int) -> int:
    """At most what the API definition says."""
    return min(limit, MAX_LIMIT)


def words_of(values: list[str] | None) -> tuple[str, ...]:
    """The words of an array parameter, whether it came repeated or with commas between."""
    return tuple(_words(values or []))


def _words(values: list[str]) -> Iterator[str]:
    for value in values:
        yield from (word for piece in value.split(",") if (word := piece.strip()))


async def body_of(request: Request, *, media_types: tuple[str, ...] = ("application/json",)) -> Any:
    """The JSON in the request's body.

    Raises
    ------
    Failed
        415, when the body says that it is of another type.
    Invalid
        When it is no JSON.
    """
    media_type = media_type_of(request)
    if media_type not in media_types and not (media_type == "" and "application/json" in media_types):
        raise Failed(
            status=415,
            code="unsupported-media-type",
            message=f"a body of the type {media_type[:100] or 'that is not told'} is not read here",
            mend=f"send {' or '.join(media_types)}",
        )
    try:
        parsed = json.loads(await request.body(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise wrong("body", "it is no JSON", "send a JSON object") from None
    if is_too_deep(parsed):
        raise wrong("body", f"it is nested deeper than {DEEPEST}", "send a flatter document")
    return parsed


def media_type_of(request: Request) -> str:
    """Of the request's body, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _no_constant(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")
