"""A search of STAC API's item-search class, read from what a caller sent: all its faults at once, or a `Search`."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from swath_archive.domain.errors import BadQuery
from swath_archive.domain.times import parse_interval

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_MOST_IDS = 1000
_MOST_POINTS = 100_000
FIELDS = ("collections", "ids", "bbox", "intersects", "datetime", "limit", "token")

BBox = tuple[float, float, float, float]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a page ends: the items after it come next."""

    at_us: int
    collection: str
    item: str

    def token(self) -> str:
        """As a caller carries it."""
        return base64.urlsafe_b64encode(json.dumps([self.at_us, self.collection, self.item]).encode()).decode()

    @classmethod
    def of(cls, token: str) -> Place:
        """Read `token` back; raises `ValueError`."""
        try:
            at_us, collection, item = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
        except (ValueError, TypeError, binascii.Error) as error:
            raise ValueError("this API gave no such token") from error
        if (
            type(at_us) is not int
            or abs(at_us) >= 2**63
            or not isinstance(collection, str)
            or not isinstance(item, str)
        ):
            raise ValueError("this API gave no such token")
        return cls(at_us=at_us, collection=collection, item=item)


@dataclass(frozen=True, kw_only=True)
class Search:
    """What to look for; an empty tuple or ``None`` leaves that open."""

    collections: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    bbox: BBox | None = None
    """West, south, east, north in degrees; west greater than east crosses the 180th meridian."""
    intersects: Mapping[str, Any] | None = None
    """A GeoJSON geometry."""
    start: datetime | None = None
    end: datetime | None = None
    """Inclusive, as STAC API has it."""
    limit: int = DEFAULT_LIMIT
    after: Place | None = None


def read_search(raw: Mapping[str, Any]) -> Search:
    """A search from query parameters (text) or a JSON body (values).

    What other STAC APIs can do and this one cannot is refused: to leave it unread would answer another question than
    was asked.

    Raises
    ------
    BadQuery
        Naming every field that is wrong or not known.
    """
    mend = f"known are {', '.join(FIELDS)}"
    faults = [{"field": name[:80], "message": "is not known here", "mend": mend} for name in raw if name not in FIELDS]

    def field(name: str, read: Callable[[Any], T], default: T) -> T:
        if raw.get(name) is None:
            return default
        try:
            return read(raw[name])
        except (ValueError, TypeError, OverflowError) as error:
            faults.append({"field": name, "message": str(error), "mend": ""})
            return default

    always: tuple[datetime | None, datetime | None] = (None, None)
    start, end = field("datetime", _interval, always)
    search = Search(
        collections=field("collections", _names, ()),
        ids=field("ids", _names, ()),
        bbox=field("bbox", read_bbox, None),
        intersects=field("intersects", _geometry, None),
        start=start,
        end=end,
        limit=field("limit", _limit, DEFAULT_LIMIT),
        after=field("token", _token, None),
    )
    if raw.get("bbox") is not None and raw.get("intersects") is not None:
        faults.append({"field": "intersects", "message": "bbox and intersects exclude each other", "mend": "send one"})
    if faults:
        raise BadQuery(
            code="bad-search",
            message="; ".join(f"{fault['field']}: {fault['message']}" for fault in faults),
            findings=faults,
        )
    return search


def _interval(value: Any) -> tuple[datetime | None, datetime | None]:
    if not isinstance(value, str):
        raise ValueError("is text: a time, or two with a slash between")
    return parse_interval(value)


def _names(value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ValueError("is a list of ids")
    if len(names) > _MOST_IDS:
        raise ValueError(f"names more than {_MOST_IDS}")
    return tuple(name for name in names if name)


def read_bbox(value: Any) -> BBox:
    """West, south, east, north from text or numbers; of a box with heights, these four. Raises `ValueError`."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Sequence) or len(parts) not in {4, 6}:
        raise ValueError("has four numbers, or six with heights")
    if any(isinstance(part, bool) for part in parts):
        raise ValueError("has numbers")
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        raise ValueError("has numbers") from None
    half = len(numbers) // 2
    west, south, east, north = numbers[0], numbers[1], numbers[half], numbers[half + 1]
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError("has finite numbers")
    if max(abs(west), abs(east)) > 180 or max(abs(south), abs(north)) > 90:
        raise ValueError("is in degrees: longitudes within 180, latitudes within 90")
    if south > north:
        raise ValueError("has its south above its north")
    return west, south, east, north


def _geometry(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError("is no JSON") from None
    kinds = {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
    if not isinstance(value, Mapping) or value.get("type") not in kinds:
        raise ValueError("is no GeoJSON geometry")
    if value["type"] != "GeometryCollection" and not value.get("coordinates"):
        raise ValueError("has no coordinates")
    if json.dumps(value).count(",") > 2 * _MOST_POINTS:
        raise ValueError(f"has more than {_MOST_POINTS} points")
    from shapely import GEOSException, from_geojson

    try:
        empty = from_geojson(json.dumps(value)).is_empty
    except GEOSException:
        raise ValueError("is no valid GeoJSON geometry") from None
    if empty:
        raise ValueError("is empty")
    return value


def _limit(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError("is a whole number")
    try:
        limit = int(value)
    except (TypeError, ValueError):
        raise ValueError("is a whole number") from None
    if limit < 1:
        raise ValueError("is at least 1")
    return min(limit, MAX_LIMIT)


def _token(value: Any) -> Place:
    if not isinstance(value, str):
        raise ValueError("this API gave no such token")
    return Place.of(value)
