"""What a user keeps at hand and follows at the marketplace."""

from __future__ import annotations

from typing import Any

from swath.client.algorithms import Reference
from swath.client.http import MARKETPLACE, Api, segment

FAVOURITES = "favourites"
FOLLOWS = "follows"


def lists(api: Api) -> dict[str, Any]:
    """Favourites and follows, each with since when."""
    told: dict[str, Any] = api.json("GET", f"{MARKETPLACE}/{FAVOURITES}")
    return told


def choose(api: Api, which: str, reference: Reference, *, wanted: bool) -> dict[str, Any]:
    """Put an algorithm into `FAVOURITES` or `FOLLOWS`, or take it out; repeating it changes nothing.

    Raises
    ------
    NotFound
    """
    path = f"{MARKETPLACE}/{which}/{segment(reference.owner)}/{segment(reference.name)}"
    told: dict[str, Any] = api.json("PUT" if wanted else "DELETE", path)
    return told
