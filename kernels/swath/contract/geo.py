"""Boxes and shapes: openEO's bounding box and RFC 7946 GeoJSON, checked in structure and range."""

from __future__ import annotations

import copy
from typing import Any

from swath.contract.faults import Faults, spoken_type

_SIDES = ("west", "south", "east", "north")
_DEGREES = (None, 4326)
_DEPTH = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
#: The only reference system GeoJSON has; older files still name it.
_WGS84 = frozenset(
    {"urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326"}
)


def check_bbox(value: Any, field: str, faults: Faults) -> dict[str, Any] | None:
    """`value` as openEO's object ``{west, south, east, north[, crs]}``, or ``None`` with a fault.

    An array of four numbers in that order becomes the object. West must be less than east: a box over the
    antimeridian is sent as two, since openEO defines no other way. Sides in degrees stay within ±180 and ±90.
    """
    before = faults.count
    if isinstance(value, list):
        if len(value) != 4:
            faults.add(field, "bad-bbox", f"a box has four sides, got {len(value)}", "send west, south, east, north")
            return None
        value = dict(zip(_SIDES, value, strict=True))
    if not isinstance(value, dict):
        faults.add(field, "wrong-type", f"expected a box, got {spoken_type(value)}", _BBOX_MEND)
        return None
    for name in value:
        if name not in (*_SIDES, "crs"):
            faults.add(field, "bad-bbox", f"a box has no member {name[:40]!r}", _BBOX_MEND)
    sides = {name: _side(value, name, field, faults) for name in _SIDES}
    crs = _crs(value.get("crs"), field, faults)
    if faults.count > before:
        return None
    if not (sides["west"] < sides["east"] and sides["south"] < sides["north"]):
        faults.add(
            field,
            "bad-bbox",
            "west must be less than east and south less than north",
            "swap them; a box over the antimeridian is sent as two",
        )
    elif crs in _DEGREES and not (
        sides["west"] >= -180 and sides["east"] <= 180 and sides["south"] >= -90 and sides["north"] <= 90
    ):
        faults.add(field, "bad-bbox", "degrees stay within ±180 and ±90", "name the crs if these are not degrees")
    if faults.count > before:
        return None
    return sides if crs is None else {**sides, "crs": crs}


_BBOX_MEND = 'send {"west": …, "south": …, "east": …, "north": …}, with "crs" if not in degrees'


def _side(box: dict[str, Any], name: str, field: str, faults: Faults) -> Any:
    side = box.get(name)
    if isinstance(side, bool) or not isinstance(side, int | float) or abs(side) > 1e12:
        faults.add(f"{field}.{name}", "bad-bbox", f"expected a number, got {spoken_type(side)}", _BBOX_MEND)
        return 0
    return side


def _crs(crs: Any, field: str, faults: Faults) -> int | str | None:
    if crs is None or (isinstance(crs, str) and 0 < len(crs) <= 10_000):
        if isinstance(crs, str) and crs.upper().startswith("EPSG:") and crs[5:].isascii() and crs[5:].isdigit():
            return _crs(int(crs[5:16]), field, faults)
        return crs
    if isinstance(crs, int) and not isinstance(crs, bool) and 1024 <= crs <= 998_999:
        return crs
    faults.add(
        f"{field}.crs", "bad-bbox", "not an EPSG code and not WKT2", "send an EPSG code such as 32633, or leave it out"
    )
    return None


def check_geojson(value: Any, field: str, faults: Faults) -> dict[str, Any] | None:
    """A copy of `value` if it is a geometry, Feature or FeatureCollection in degrees, or ``None`` with faults."""
    before = faults.count
    _check_object(value, field, faults)
    return copy.deepcopy(value) if faults.count == before else None


def _check_object(value: Any, field: str, faults: Faults) -> None:
    if not isinstance(value, dict):
        faults.add(field, "wrong-type", f"expected a GeoJSON object, got {spoken_type(value)}", _GEOJSON_MEND)
        return
    _check_reference(value, field, faults)
    kind = value.get("type")
    if kind == "FeatureCollection":
        features = value.get("features")
        if not isinstance(features, list):
            _bad(f"{field}.features", "expected an array of features", faults)
            return
        for position, feature in enumerate(features):
            if not isinstance(feature, dict) or feature.get("type") != "Feature":
                _bad(f"{field}.features[{position}]", "expected a Feature", faults)
            else:
                _check_feature(feature, f"{field}.features[{position}]", faults)
    elif kind == "Feature":
        _check_feature(value, field, faults)
    else:
        _check_geometry(value, field, faults)


def _check_feature(feature: dict[str, Any], field: str, faults: Faults) -> None:
    if "geometry" not in feature:
        _bad(f"{field}.geometry", "missing", faults)
    elif feature["geometry"] is not None:
        _check_geometry(feature["geometry"], f"{field}.geometry", faults)
    if not isinstance(feature.get("properties", False), dict | None):
        _bad(f"{field}.properties", "expected an object or null", faults)
    if isinstance(feature.get("id"), bool | list | dict):
        _bad(f"{field}.id", "expected a string or a number", faults)


def _check_geometry(geometry: Any, field: str, faults: Faults) -> None:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind == "GeometryCollection":
        members = geometry.get("geometries")
        if not isinstance(members, list):
            _bad(f"{field}.geometries", "expected an array of geometries", faults)
            return
        for position, member in enumerate(members):
            _check_geometry(member, f"{field}.geometries[{position}]", faults)
        return
    if not isinstance(kind, str) or kind not in _DEPTH:
        _bad(f"{field}.type" if isinstance(geometry, dict) else field, "not a type of GeoJSON geometry", faults)
        return
    _check_coordinates(geometry.get("coordinates"), kind, f"{field}.coordinates", faults, depth=_DEPTH[kind])


def _check_coordinates(value: Any, kind: str, field: str, faults: Faults, *, depth: int) -> None:
    if depth == 0:
        _check_position(value, field, faults)
        return
    if not isinstance(value, list) or not value:
        _bad(field, "expected an array that is not empty", faults)
        return
    before = faults.count
    for position, part in enumerate(value):
        _check_coordinates(part, kind, f"{field}[{position}]", faults, depth=depth - 1)
    if faults.count > before or depth != 1:
        return
    if kind.endswith("Polygon"):
        if len(value) < 4 or value[0] != value[-1]:
            _bad(field, "a ring has at least four positions and ends where it began", faults)
    elif kind.endswith("LineString") and len(value) < 2:
        _bad(field, "a line has at least two positions", faults)


def _check_position(value: Any, field: str, faults: Faults) -> None:
    if (
        not isinstance(value, list)
        or len(value) not in (2, 3)
        or any(isinstance(number, bool) or not isinstance(number, int | float) for number in value)
    ):
        _bad(field, "a position is two or three numbers", faults)
    elif not (-180 <= value[0] <= 180 and -90 <= value[1] <= 90):
        _bad(field, "longitude and latitude stay within ±180 and ±90 degrees", faults)


def _check_reference(value: dict[str, Any], field: str, faults: Faults) -> None:
    crs = value.get("crs")
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str) or name not in _WGS84:
        _bad(f"{field}.crs", "GeoJSON is in WGS 84 degrees", faults)


_GEOJSON_MEND = "send a GeoJSON geometry, Feature or FeatureCollection in WGS 84 degrees (RFC 7946)"


def _bad(field: str, message: str, faults: Faults) -> None:
    faults.add(field, "bad-geojson", message, _GEOJSON_MEND)
