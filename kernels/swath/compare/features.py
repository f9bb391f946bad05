"""Reading vectors: GeoJSON, GeoPackage and GeoParquet, as layers of geometries and attributes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swath.compare import documents, frames
from swath.compare.kinds import Format, format_of
from swath.compare.limits import MAX_FEATURES, CannotCompare
from swath.compare.wording import clean

_WGS84 = "OGC:CRS84"


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """Features of one kind."""

    geometries: Any
    """Array of shapely geometries; ``None`` where a feature has none."""
    attributes: Any
    """Frame with a row for each feature."""
    crs: Any
    """pyproj's, or ``None``."""
    ids: tuple[str, ...] | None = None
    """Of the features, where every one has its own."""


def read(path: Path, which: str) -> dict[str, Layer]:
    """The layers of a file by name; a file with one layer without a name has it under the empty name.

    Raises
    ------
    CannotCompare
    """
    form = format_of(path)
    readers = {Format.PARQUET: _geoparquet, Format.SQLITE: _geopackage, Format.OTHER: _geojson}
    if form not in readers:
        raise CannotCompare(f"{which} is {form.value}, not a vector")
    layers = readers[form](path, which)
    for layer in layers.values():
        if len(layer.geometries) > MAX_FEATURES:
            raise CannotCompare(f"{which} has {len(layer.geometries):,} features; up to {MAX_FEATURES:,} are compared")
    return layers


def _geojson(path: Path, which: str) -> dict[str, Layer]:
    import numpy
    import pandas

    document = documents.read(path, which)
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "FeatureCollection" and isinstance(document.get("features"), list):
        features = document["features"]
    elif kind == "Feature":
        features = [document]
    elif kind is not None and ("coordinates" in document or "geometries" in document):
        features = [{"type": "Feature", "properties": {}, "geometry": document}]
    else:
        raise CannotCompare(f"{which} is no GeoJSON")
    geometries = numpy.empty(len(features), dtype=object)
    rows, ids = [], []
    for number, feature in enumerate(features):
        if not isinstance(feature, dict) or not isinstance(feature.get("properties") or {}, dict):
            raise CannotCompare(f"feature {number} of {which} is none")
        geometries[number] = _shape(feature.get("geometry"), f"feature {number} of {which}")
        rows.append(feature.get("properties") or {})
        ids.append(feature.get("id"))
    names = list(dict.fromkeys(name for row in rows for name in row))
    # Objects, so that an integer stays one beside a missing value; the comparison sees numbers as numbers.
    columns = {name: pandas.Series([row.get(name) for row in rows], dtype=object) for name in names}
    frame = pandas.DataFrame(columns, index=range(len(rows)), columns=names).convert_dtypes()
    frame.attrs["typed"] = False
    return {
        "": Layer(geometries=geometries, attributes=frame, crs=_geojson_crs(document, which), ids=_distinct(ids)),
    }


def _shape(geometry: Any, what: str) -> Any:
    import shapely

    if geometry is None:
        return None
    try:
        return shapely.geometry.shape(geometry)
    except Exception as error:
        # shapely meets malformed members with errors of many types.
        raise CannotCompare(f"{what} has no valid geometry: {clean(str(error))}") from error


def _geojson_crs(document: dict[str, Any], which: str) -> Any:
    """WGS 84, as RFC 7946 has it; files from before it may name another."""
    named = document.get("crs")
    if isinstance(named, dict) and isinstance(named.get("properties"), dict):
        return _crs(str(named["properties"].get("name")), which)
    return _crs(_WGS84, which)


def _crs(text: str, which: str) -> Any:
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise CannotCompare(f"{which} has no coordinate reference system that is known: {clean(text)}") from error


def _distinct(ids: list[Any]) -> tuple[str, ...] | None:
    if not all(isinstance(one, str | int) and not isinstance(one, bool) for one in ids):
        return None
    named = tuple(map(str, ids))
    return named if named and len(set(named)) == len(named) else None


def _geopackage(path: Path, which: str) -> dict[str, Layer]:
    import pyogrio

    found = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, _ in pyogrio.list_layers(path):
                amount = pyogrio.read_info(path, layer=name, force_feature_count=True)["features"]
                if amount > MAX_FEATURES:
                    raise CannotCompare(f"{which} has {amount:,} features")
                frame = pyogrio.read_dataframe(path, layer=name, fid_as_index=True)
                found[str(name)] = _of_frame(frame.reset_index(drop=True), ids=None)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise CannotCompare(f"{which} cannot be read as a GeoPackage: {clean(str(error))}") from error
    if not found:
        raise CannotCompare(f"{which} has no layer")
    return {"": next(iter(found.values()))} if len(found) == 1 else found


def _geoparquet(path: Path, which: str) -> dict[str, Layer]:
    import geopandas

    frames.check_parquet(path, which)
    if not frames.is_geoparquet(path):
        raise CannotCompare(f"{which} is a table without geometries")
    try:
        frame = geopandas.read_parquet(path)
    except MemoryError:
        raise
    except Exception as error:
        # Its metadata is JSON that anybody wrote, and every fault in it is met with another error.
        raise CannotCompare(f"{which} cannot be read as GeoParquet: {clean(str(error))}") from error
    meaningful = type(frame.index).__name__ != "RangeIndex"
    return {"": _of_frame(frame.reset_index(drop=not meaningful), ids=None)}


def _of_frame(frame: Any, *, ids: tuple[str, ...] | None) -> Layer:
    import numpy
    import pandas

    if not hasattr(frame, "geometry") or type(frame).__name__ != "GeoDataFrame":
        empty = numpy.full(len(frame), None, dtype=object)
        return Layer(geometries=empty, attributes=frame, crs=None, ids=ids)
    geometries = numpy.asarray(frame.geometry.array, dtype=object)
    attributes = pandas.DataFrame(frame.drop(columns=frame.geometry.name))
    attributes.attrs["typed"] = False
    return Layer(geometries=geometries, attributes=attributes, crs=frame.crs, ids=ids)
