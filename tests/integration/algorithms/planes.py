"""Rasters as plain arrays for the independent paths: scenes cut to a box, and results written and read as files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rasterio
from rasterio.transform import Affine


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What one date of a collection shows within a box: physical values as 64-bit numbers, NaN where there is none."""

    day: date
    bands: Mapping[str, Any]
    """Name as it was asked for -> values (y, x)."""
    transform: Any
    crs: Any


@dataclass(frozen=True, kw_only=True)
class Planes:
    """A raster: `values` with shape (bands, y, x)."""

    values: Any
    names: tuple[str, ...]
    transform: Any
    crs: Any
    nodata: float


def scenes(
    raw: Any,
    collection: str,
    *,
    names: Sequence[str],
    extent: Mapping[str, Any] | None,
    period: Sequence[str | None] | None,
) -> list[Scene]:
    """The scenes of a collection by time, cut to whole pixels that touch `extent` (in the data's own CRS, or all)."""
    start, end = period or (None, None)
    found = []
    for item in raw.between(collection, start, end):
        bands = {}
        for name in names:
            picture = raw.band(item, _asset(item, name))
            cut = _cut(picture, extent)
            if cut is None:
                break
            bands[name], transform = cut
        else:
            day = datetime.fromisoformat(item["properties"]["datetime"]).date()
            found.append(Scene(day=day, bands=bands, transform=transform, crs=picture.crs))
    assert len({scene.day for scene in found}) == len(found), "these paths lay no scenes of one day over each other"
    return found


def _asset(item: Mapping[str, Any], name: str) -> str:
    """The asset of that name or common name."""
    if name in item["assets"]:
        return name
    (found,) = (
        asset
        for asset, about in item["assets"].items()
        if any(band.get("eo:common_name") == name for band in about.get("bands", ()))
    )
    return found


def _cut(picture: Any, extent: Mapping[str, Any] | None) -> tuple[Any, Any] | None:
    """Rows and columns of a box that lies on the picture's own pixel edges; ``None`` where it lies beside."""
    if extent is None:
        return picture.values, picture.transform
    assert extent["crs"] == picture.crs.to_epsg()
    step_x, step_y, left, top = picture.transform.a, -picture.transform.e, picture.transform.c, picture.transform.f
    edges = [
        (extent["west"] - left) / step_x,
        (extent["east"] - left) / step_x,
        (top - extent["north"]) / step_y,
        (top - extent["south"]) / step_y,
    ]
    west, east, north, south = (round(edge) for edge in edges)
    assert np.allclose(edges, (west, east, north, south))
    if min(west, north) < 0 or south > picture.values.shape[0] or east > picture.values.shape[1]:
        return None
    transform = Affine(step_x, 0, left + west * step_x, 0, -step_y, top - north * step_y)
    return picture.values[north:south, west:east], transform


def about(raw: Any, collection: str) -> dict[str, Any]:
    """What the catalogue says of a collection, and the provenance of its first item."""
    document = json.loads((raw.root / collection / "collection.json").read_text())
    return {
        "title": document["title"],
        "simulated": bool(document.get("swath:simulated", False)),
        "provenance": raw.items(collection)[0]["properties"]["swath:provenance"],
    }


SUFFIXES = {Planes: ".tif", pd.DataFrame: ".csv"}


def suffix(value: Any) -> str:
    """Of the file that a value is written to."""
    return SUFFIXES.get(type(value), ".json")


def write(value: Any, path: Path) -> None:
    """A reference file: a deflated GeoTIFF, CSV or JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, pd.DataFrame):
        value.to_csv(path, index=False)
    elif isinstance(value, Planes):
        count, height, width = value.values.shape
        profile = {
            "driver": "GTiff",
            "count": count,
            "height": height,
            "width": width,
            "dtype": value.values.dtype.name,
        }
        place = {"crs": value.crs, "transform": value.transform, "nodata": value.nodata}
        with rasterio.open(path, "w", compress="DEFLATE", predictor=2, **profile, **place) as file:
            file.write(value.values)
            for index, name in enumerate(value.names, start=1):
                file.set_band_description(index, name)
    else:
        path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def differences(value: Any, path: Path) -> Iterator[str]:
    """Where a reference file is not what has just been computed, rounding of the last digits aside."""
    if isinstance(value, pd.DataFrame):
        try:
            pd.testing.assert_frame_equal(pd.read_csv(path), value, check_dtype=False, rtol=0, atol=2e-6)
        except AssertionError as error:
            yield str(error)
    elif isinstance(value, Planes):
        with rasterio.open(path) as file:
            if (file.crs, file.transform, file.descriptions) != (value.crs, value.transform, value.names):
                yield f"another place or other bands: {file.descriptions}"
            elif not np.allclose(file.read(), value.values, rtol=1e-6, atol=1e-6, equal_nan=True):
                yield "other pixels"
    else:
        stored = json.loads(path.read_text())
        if stored.keys() != value.keys() if isinstance(value, dict) else stored != value:
            yield f"{stored} instead of {value}"
        elif isinstance(value, dict):
            for name, one in value.items():
                near = isinstance(one, float) and abs(stored[name] - one) < 2e-6
                if not near and stored[name] != one:
                    yield f"{name} is {stored[name]} instead of {one}"
