"""Where and when a cube is wanted, in openEO's words, read from all the forms that notebooks hold them in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from swath.client.errors import Invalid

_SIDES = ("west", "south", "east", "north")
_DEGREES = "EPSG:4326"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle along the axes of `crs`."""

    west: float
    south: float
    east: float
    north: float
    crs: str = _DEGREES

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        return self.west, self.south, self.east, self.north

    def within(self, crs: str) -> tuple[float, float, float, float]:
        """The bounds of this rectangle along the axes of another CRS."""
        if crs == self.crs:
            return self.bounds
        from rasterio.warp import transform_bounds

        west, south, east, north = transform_bounds(self.crs, crs, *self.bounds, densify_pts=21)
        return west, south, east, north


@dataclass(frozen=True, kw_only=True)
class Interval:
    """``[start, end)``, each aware and UTC; ``None`` is open."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether `moment` lies in the interval; its end does not."""
        return (self.start is None or moment >= self.start) and (self.end is None or moment < self.end)

    def __str__(self) -> str:
        shown = ["…" if end is None else end.isoformat().replace("+00:00", "Z") for end in (self.start, self.end)]
        return f"[{shown[0]}, {shown[1]})"


def read_box(extent: Any) -> Box | None:
    """A rectangle from an openEO bounding box, four numbers, GeoJSON, or anything with a shape of its own.

    Parameters
    ----------
    extent
        ``{"west", "south", "east", "north"[, "crs"]}``; ``[west, south, east, north]`` in degrees; a GeoJSON object or
        a shapely geometry in degrees, whose bounds are taken; a GeoDataFrame in its own CRS; ``None`` for everywhere.

    Raises
    ------
    Invalid
        Naming what is missing, not a number, empty or the wrong way round.
    """
    if extent is None:
        return None
    if isinstance(extent, Mapping) and "type" in extent:
        return _checked(_bounds_of_geojson(extent), crs=_DEGREES)
    if isinstance(extent, Mapping):
        missing = [side for side in _SIDES if side not in extent]
        if missing:
            raise _bad(f"it lacks {', '.join(missing)}")
        return _checked([extent[side] for side in _SIDES], crs=_crs_text(extent.get("crs")))
    if hasattr(extent, "total_bounds") and hasattr(extent, "crs"):
        if extent.crs is None:
            raise _bad("the GeoDataFrame has no CRS", mend="say where it lies: frame.set_crs('EPSG:…')")
        return _checked(list(extent.total_bounds), crs=_crs_text(extent.crs.to_string()))
    if hasattr(extent, "__geo_interface__"):
        return _checked(_bounds_of_geojson(extent.__geo_interface__), crs=_DEGREES)
    if isinstance(extent, Sequence) and not isinstance(extent, str | bytes):
        if len(extent) != 4:
            raise _bad(f"a list has four numbers, west, south, east, north; this has {len(extent)}")
        return _checked(extent, crs=_DEGREES)
    raise _bad(f"a {type(extent).__name__} is none of the forms that it may have")


def _bad(why: str, *, mend: str = "") -> Invalid:
    return Invalid(
        f"spatial_extent: {why}",
        code="bad-spatial-extent",
        mend=mend or "give {'west': …, 'south': …, 'east': …, 'north': …} in degrees, with 'crs' for other units",
    )


def _crs_text(crs: Any) -> str:
    if crs is None:
        return _DEGREES
    text = f"EPSG:{crs}" if isinstance(crs, int) or str(crs).isdigit() else str(crs)
    return normal_crs(text, what="spatial_extent")


def normal_crs(crs: Any, *, what: str = "crs") -> str:
    """``EPSG:…`` where there is such a code, WKT2 otherwise.

    Raises
    ------
    Invalid
        Nothing that PROJ knows.
    """
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        known = CRS.from_user_input(crs)
        code = known.to_epsg()
        return f"EPSG:{code}" if code else str(known.to_wkt())
    except (CRSError, ValueError, TypeError):
        raise Invalid(
            f"{what}: {str(crs)[:80]!r} is no coordinate reference system",
            code="bad-crs",
            mend="give an EPSG code, e.g. 32631",
        ) from None


def _checked(values: Sequence[Any], *, crs: str) -> Box:
    try:
        west, south, east, north = (float(value) for value in values)
    except (TypeError, ValueError):
        raise _bad(f"its sides must be numbers, not {list(values)!r}") from None
    if not all(math.isfinite(value) for value in (west, south, east, north)):
        raise _bad("its sides must be finite")
    if crs == _DEGREES and not (abs(west) <= 180 and abs(east) <= 180 and abs(south) <= 90 and abs(north) <= 90):
        raise _bad(
            f"{west:g}, {south:g}, {east:g}, {north:g} are no degrees",
            mend="longitudes lie within 180, latitudes within 90; name the units by 'crs' if they are metres",
        )
    if west > east or south > north:
        turned = "west is greater than east" if west > east else "south is greater than north"
        raise _bad(f"it is the wrong way round: {turned}", mend="an extent over the 180th meridian is asked for in two")
    if west == east or south == north:
        raise _bad("it is empty: a rectangle has a width and a height")
    return Box(west=west, south=south, east=east, north=north, crs=crs)


def _bounds_of_geojson(geometry: Mapping[str, Any]) -> list[float]:
    points = list(_points(geometry, depth=0))
    if not points:
        raise _bad("the GeoJSON has no coordinates")
    return [
        min(x for x, _ in points),
        min(y for _, y in points),
        max(x for x, _ in points),
        max(y for _, y in points),
    ]


def _points(node: Any, *, depth: int) -> Iterator[tuple[float, float]]:
    if depth > 12:
        raise _bad("the GeoJSON is nested too deeply")
    if isinstance(node, Mapping):
        inner = [node.get(key) for key in ("geometry", "coordinates")]
        lists = [node.get(key) or [] for key in ("features", "geometries")]
        for part in [*inner, *(one for many in lists for one in many)]:
            if part is not None:
                yield from _points(part, depth=depth + 1)
        return
    if not isinstance(node, Sequence) or isinstance(node, str | bytes):
        raise _bad("its GeoJSON is malformed")
    if len(node) >= 2 and all(isinstance(value, int | float) and not isinstance(value, bool) for value in node[:2]):
        yield float(node[0]), float(node[1])
        return
    for part in node:
        yield from _points(part, depth=depth + 1)


def read_interval(extent: Any) -> Interval:
    """openEO's ``[start, end)``: dates, moments, ISO text; ``None`` for an open end or for always.

    Raises
    ------
    Invalid
        Not two ends, no time, or an end that is not after the start.
    """
    if extent is None:
        return Interval()
    if isinstance(extent, str) or not isinstance(extent, Sequence) or len(extent) != 2:
        raise _bad_interval("it has two ends, [start, end]")
    start, end = (_moment(value) for value in extent)
    if start is not None and end is not None and end <= start:
        raise _bad_interval(f"its end {end.isoformat()} is not after its start {start.isoformat()}")
    return Interval(start=start, end=end)


def _bad_interval(why: str) -> Invalid:
    return Invalid(
        f"temporal_extent: {why}",
        code="bad-temporal-extent",
        mend="give e.g. ['2023-04-01', '2023-05-01']; the end itself is left out, None is open",
    )


def _moment(value: Any) -> datetime | None:
    if value is None or value == "..":
        return None
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime()
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str):
        value = read_time(value)
    if not isinstance(value, datetime):
        raise _bad_interval(f"{value!r} is no time")
    # Without a zone it is UTC: openEO knows no other.
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def read_time(text: str) -> datetime:
    """A moment from ISO text, UTC where it names no zone.

    Raises
    ------
    Invalid
    """
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError:
        raise _bad_interval(f"{text[:40]!r} is no time") from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
