"""Pages of lists: by ``cursor``, which stays where it is whatever is added, or by ``offset``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Query, Request, Response
from swath_service.cursors import Place, Value, decode, encode
from swath_service.errors import Invalid

from swath_marketplace.api.context import Limit, Offset

#: The place of an item in a list that is ordered by a time and an id.
AT_AND_ID = (datetime, str)
_OURS = frozenset({"limit", "offset", "cursor"})


@dataclass(frozen=True, kw_only=True)
class Paging:
    """What a caller asks of a list, and how its page is answered."""

    limit: int
    offset: int
    cursor: str | None
    path: str
    query: tuple[tuple[str, str], ...]
    """All but limit, offset and cursor: what chooses the items."""
    response: Response

    @property
    def asked(self) -> int:
        """How many items to look for: one more than is answered tells whether there are more."""
        return self.limit + 1

    def after(self, *kinds: type) -> Place | None:
        """The place after which the page begins; ``None`` to begin at `offset`.

        Raises
        ------
        Invalid
            The cursor is none of this list.
        """
        return None if self.cursor is None else decode(self.cursor, kinds, of=self._list)

    def answer(
        self,
        name: str,
        found: Sequence[Any],
        *,
        total: int,
        shape: Callable[[Any], dict[str, Any]],
        place: Callable[[Any], Sequence[Value]],
    ) -> dict[str, Any]:
        """The page: its items under `name`, how many there are in all, and where the next one begins.

        Parameters
        ----------
        found
            Up to `asked` items.
        place
            Where an item stands: what `after` gives back.
        """
        return self.page(name, found, shaped=[shape(one) for one in found[: self.limit]], total=total, place=place)

    def page(
        self,
        name: str,
        found: Sequence[Any],
        *,
        shaped: list[dict[str, Any]],
        total: int,
        place: Callable[[Any], Sequence[Value]],
    ) -> dict[str, Any]:
        """As `answer`, of items that were shaped together."""
        more = len(found) > self.limit
        cursor = encode(place(found[self.limit - 1]), of=self._list) if more else None
        following = self._href(cursor) if cursor else None
        if following:
            self.response.headers["Link"] = f'<{following}>; rel="next"'
        by_offset = self.cursor is None
        return {
            name: shaped,
            "total": total,
            "limit": self.limit,
            "offset": self.offset if by_offset else None,
            "next_offset": self.offset + self.limit if by_offset and more else None,
            "next_cursor": cursor,
            "links": {"next": following},
        }

    @property
    def _list(self) -> str:
        return f"{self.path}?{urlencode(sorted(self.query))}"

    def _href(self, cursor: str) -> str:
        return _href(self.path, self.query, limit=self.limit, cursor=cursor)


def _paging(
    request: Request,
    response: Response,
    *,
    limit: Limit = 50,
    offset: Offset = 0,
    cursor: Annotated[
        str | None,
        Query(max_length=2000, description="Where a page begins: `next_cursor` of the one before. Not with `offset`."),
    ] = None,
) -> Paging:
    """FastAPI dependency: the page that is asked for."""
    if cursor is not None and offset:
        message = "a page begins at a cursor or at an offset, not at both"
        mend = "leave `offset` out"
        raise Invalid(
            code="bad-cursor",
            message=message,
            mend=mend,
            findings=[{"field": "offset", "message": message, "mend": mend}],
        )
    path, query = _list_of(request)
    return Paging(limit=limit, offset=offset, cursor=cursor, path=path, query=query, response=response)


def next_page(request: Request, *, limit: int, cursor: str) -> str:
    """Where the page after the one that `request` asks for is."""
    path, query = _list_of(request)
    return _href(path, query, limit=limit, cursor=cursor)


def _list_of(request: Request) -> tuple[str, tuple[tuple[str, str], ...]]:
    query = tuple((name, value) for name, value in request.query_params.multi_items() if name not in _OURS)
    raw: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    return raw.partition(b"?")[0].decode("latin-1"), query


def _href(path: str, query: Sequence[tuple[str, str]], *, limit: int, cursor: str) -> str:
    return f"{path}?{urlencode([*query, ('limit', str(limit)), ('cursor', cursor)])}"


def int_of(place: Place | None) -> int | None:
    """The number in a place of a list that is ordered by one."""
    if place is None:
        return None
    (number,) = place
    assert isinstance(number, int)
    return number


Page = Annotated[Paging, Depends(_paging)]
