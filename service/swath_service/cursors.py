"""Cursors: opaque names of a place in a list, so that a page begins where the last one ended, whatever was added.

A cursor is no authority. It says after which item a page begins, and the list is made for whoever asks, as without one:
somebody else's cursor opens nothing. It carries a checksum, so that one that was cut or edited is refused instead of
answered with another page, and the list it is of (path and filters), so that it is not used on another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from swath_service.errors import Invalid

#: What a list may be ordered by.
Value = str | int | float | datetime
#: The values by which an item stands where it does, in the order of the list's columns; the last is unique.
Place = tuple[Value, ...]

_FORM = 1
_CHECK_BYTES = 9
_LONGEST = 2000


def encode(place: Sequence[Value], *, of: str) -> str:
    """The cursor of the place after the item at `place`.

    Parameters
    ----------
    place
        Times are aware; they keep their microseconds.
    of
        The list: its path and whatever chooses and orders its items. Not stored, but checked.
    """
    told = [_written(value) for value in place]
    body = json.dumps([_FORM, *told], separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(_check(body, of) + body).rstrip(b"=").decode()


def decode(cursor: str, kinds: Sequence[type], *, of: str) -> Place:
    """The place that `encode` was given.

    Parameters
    ----------
    kinds
        The type of each value: `str`, `int`, `float` or `datetime`.

    Raises
    ------
    Invalid
        It was made by nobody here, for another list, or was changed.
    """
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if len(cursor) > _LONGEST or check != _check(body, of):
            raise _refused()
        form, *told = json.loads(body)
        if form != _FORM:
            raise _refused()
        return tuple(_read(value, kind) for value, kind in zip(told, kinds, strict=True))
    except (ValueError, TypeError, RecursionError, binascii.Error, OverflowError) as error:
        raise _refused() from error


def _check(body: bytes, of: str) -> bytes:
    return hashlib.sha256(b"swath-cursor\0" + of.encode() + b"\0" + body).digest()[:_CHECK_BYTES]


def _written(value: Value) -> str | int | float:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time in a cursor is aware")
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number in a cursor is finite")
    return value


def _read(value: Any, kind: type) -> Value:
    if kind is datetime and isinstance(value, str):
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError("a time in a cursor is aware")
        return at
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("a number in a cursor is finite")
        return number
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        if not -(2**63) <= value < 2**63:
            raise ValueError("a number in a cursor fits a column")
        return value
    if kind is str and isinstance(value, str) and "\0" not in value:
        value.encode()
        return value
    raise TypeError("another kind of value")


def _refused() -> Invalid:
    mend = "follow the list's own next link, or begin again without a cursor"
    message = "this is no cursor of this list"
    return Invalid(
        code="bad-cursor",
        message=message,
        mend=mend,
        findings=[{"field": "cursor", "message": message, "mend": mend}],
    )
