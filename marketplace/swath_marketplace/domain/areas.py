"""Areas of boxes and GeoJSON on the WGS 84 ellipsoid, in square kilometres.

The area between the equator and a latitude, for each radian of longitude, is ``b^2 q / 2`` with (Snyder 1987, *Map
Projections: A Working Manual*, USGS Professional Paper 1395, equation 3-12, which has it times 1 - e^2)::

    q = sin f / (1 - e^2 sin^2 f) + ln((1 + e sin f) / (1 - e sin f)) / (2 e)

A box is exact by it. Along the edge of a polygon, which RFC 7946 makes straight in degrees, q is integrated by
Simpson's rule.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

_A_KM = 6378.137
_F = 1 / 298.257223563
_E2 = _F * (2 - _F)
_E = math.sqrt(_E2)
_HALF_B2 = (_A_KM * (1 - _F)) ** 2 / 2
_STEP_DEGREES = 5.0
_DEGREES = frozenset({None, 4326})


def box_km2(box: Mapping[str, Any]) -> float | None:
    """Area of openEO's ``{west, south, east, north[, crs]}``; ``None`` when its ``crs`` is none that can be read."""
    west, south, east, north = (float(box[side]) for side in ("west", "south", "east", "north"))
    crs = box.get("crs")
    if crs in _DEGREES:
        return _HALF_B2 * math.radians(east - west) * (_q(north) - _q(south))
    ring = _in_degrees([(west, south), (east, south), (east, north), (west, north), (west, south)], crs)
    return None if ring is None else abs(_ring_km2(ring))


def geojson_km2(found: Mapping[str, Any]) -> float:
    """Area of all polygons of a geometry, Feature or FeatureCollection; holes are taken out, overlaps count twice."""
    return sum(_geometry_km2(geometry) for geometry in geometries(found))


def geometries(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The geometries in a GeoJSON object, collections taken apart."""
    kind = found.get("type")
    if kind == "FeatureCollection":
        return [geometry for feature in found["features"] for geometry in geometries(feature)]
    if kind == "Feature":
        return geometries(found["geometry"]) if found.get("geometry") else []
    if kind == "GeometryCollection":
        return [geometry for member in found["geometries"] for geometry in geometries(member)]
    return [found]


def positions(geometry: Mapping[str, Any]) -> int:
    """How many positions a geometry has."""

    def count(part: Any) -> int:
        return 1 if not isinstance(part[0], list) else sum(map(count, part))

    return count(geometry["coordinates"])


def _geometry_km2(geometry: Mapping[str, Any]) -> float:
    coordinates = geometry["coordinates"]
    if geometry["type"] == "Polygon":
        return _polygon_km2(coordinates)
    if geometry["type"] == "MultiPolygon":
        return sum(map(_polygon_km2, coordinates))
    return 0.0


def _polygon_km2(rings: Sequence[Sequence[Sequence[float]]]) -> float:
    outer, *holes = (abs(_ring_km2([(at[0], at[1]) for at in ring])) for ring in rings)
    return max(0.0, outer - sum(holes))


def _ring_km2(ring: Sequence[tuple[float, float]]) -> float:
    """Signed area of a closed ring in degrees."""
    total = 0.0
    for (from_x, from_y), (to_x, to_y) in pairwise(ring):
        steps = max(1, math.ceil(abs(to_y - from_y) / _STEP_DEGREES))
        across = math.radians(to_x - from_x) / steps
        for step in range(steps):
            low, high = (from_y + (to_y - from_y) * at / steps for at in (step, step + 1))
            total += across * (_q(low) + 4 * _q((low + high) / 2) + _q(high)) / 6
    return -_HALF_B2 * total


def _q(latitude: float) -> float:
    sine = math.sin(math.radians(latitude))
    return sine / (1 - _E2 * sine * sine) + math.log((1 + _E * sine) / (1 - _E * sine)) / (2 * _E)


def _in_degrees(ring: list[tuple[float, float]], crs: Any) -> list[tuple[float, float]] | None:
    """`ring` with 20 points on each side, out of `crs`."""
    # Slow to import, and few boxes are in anything but degrees.
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    dense = [
        (x + (to_x - x) * part / 20, y + (to_y - y) * part / 20)
        for (x, y), (to_x, to_y) in pairwise(ring)
        for part in range(20)
    ]
    try:
        found: list[Any] = list(Transformer.from_crs(crs, 4326, always_xy=True).itransform([*dense, ring[-1]]))
    except ProjError:
        return None
    turned = [(at[0], at[1]) for at in found]
    return turned if all(map(math.isfinite, (number for at in turned for number in at))) else None
