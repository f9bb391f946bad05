"""Whether two rasters lie on one grid: pixels of others are of other places, and their numbers say nothing."""

from __future__ import annotations

from typing import Any

from swath.compare.limits import CannotCompare
from swath.compare.wording import clean, number

#: Corners may lie apart by this part of a pixel: what is lost when a transform is written as text and read again.
_CORNER_TOLERANCE = 1e-3


def check_grid(expected: Any, found: Any) -> None:
    """Refuse two datasets whose pixels are not of the same places.

    Raises
    ------
    CannotCompare
        Saying what differs: the reference system, the size, the place, the size of a pixel, the direction of an axis.
    """
    if expected.crs != found.crs:
        raise CannotCompare(
            f"another coordinate reference system: {crs_name(found.crs)} instead of {crs_name(expected.crs)}"
        )
    if expected.shape != found.shape:
        raise CannotCompare(
            f"another grid: {found.height} x {found.width} pixels instead of {expected.height} x {expected.width}"
        )
    if _furthest_corner(expected, found) > _CORNER_TOLERANCE:
        raise CannotCompare(f"another grid: {_how(expected, found)}")


def crs_name(crs: Any) -> str:
    """``EPSG:32631``, or the name in its description."""
    if crs is None:
        return "none"
    authority = crs.to_authority()
    return ":".join(authority) if authority else clean(crs.to_wkt().partition('"')[2].partition('"')[0] or "unknown")


def _furthest_corner(expected: Any, found: Any) -> float:
    """How far the corners are apart at most, in pixels of the expected grid."""
    transform = expected.transform
    if transform.is_degenerate:
        return 0.0 if tuple(transform) == tuple(found.transform) else float("inf")
    back = ~transform
    height, width = expected.shape
    apart = []
    for corner in ((0, 0), (width, 0), (0, height), (width, height)):
        column, row = back @ (found.transform @ corner)
        apart.append(max(abs(column - corner[0]), abs(row - corner[1])))
    return float(max(apart))


def _how(expected: Any, found: Any) -> str:
    mine, other = expected.transform, found.transform
    if abs(mine.b) + abs(mine.d) + abs(other.b) + abs(other.d) > 0:
        return "it is turned or sheared otherwise"
    if mine.e * other.e < 0 or mine.a * other.a < 0:
        axis = "upside down" if mine.e * other.e < 0 else "mirrored, left and right"
        return f"it is stored {axis}"
    step = _CORNER_TOLERANCE / max(expected.shape)
    if abs(other.a - mine.a) > step * abs(mine.a) or abs(other.e - mine.e) > step * abs(mine.e):
        sizes = [f"{number(abs(one.a))} x {number(abs(one.e))}" for one in (other, mine)]
        return f"pixels of {sizes[0]} instead of {sizes[1]}"
    # Adding 0.0 makes a zero of minus zero.
    columns, rows = (round(one, 4) + 0.0 for one in ((other.c - mine.c) / mine.a, (other.f - mine.f) / mine.e))
    return f"it is moved by {number(rows)} rows and {number(columns)} columns"
