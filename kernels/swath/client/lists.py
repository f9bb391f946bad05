"""Lists of the server, page after page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swath.client.http import Api

#: Most items that the server puts on a page.
_PAGE = 200


def items(
    api: Api, path: str, member: str, *, limit: int | None = None, params: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The items of a list, `limit` at most, however many pages they take: each begins where the one before ended.

    Parameters
    ----------
    member
        Where a page has its items.
    params
        What chooses the items.
    """
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while limit is None or len(found) < limit:
        most = _PAGE if limit is None else min(_PAGE, limit - len(found))
        asked = {**(params or {}), "limit": most, "cursor": cursor}
        told = api.json("GET", path, params=asked)
        found += [one for one in told.get(member) or () if isinstance(one, dict)]
        cursor = told.get("next_cursor")
        if not cursor:
            break
    return found
