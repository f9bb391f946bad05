"""Water by whole numbers: the archive's stored integers, no xarray, no geodesic library.

The area of a row of pixels in degrees is that of a zone of the WGS 84 ellipsoid between two parallels, in closed form.
"""

from __future__ import annotations

import itertools
import math
import sys
from typing import Any

import numpy as np
import pandas as pd
from swath.contract.scenarios import Scenario

references_module = sys.modules["swath_tests_algorithms_references"]
DEFAULTS: dict[str, Any] = {
    "collection": "sentinel-2-l1c-sample",
    "spatial_extent": None,
    "temporal_extent": [None, None],
    "index": "mndwi",
    "green_band": "green",
    "nir_band": "nir",
    "swir_band": "swir16",
    "threshold": 0.0,
    "mask_band": None,
    "masked_classes": [0, 1, 3, 8, 9, 10, 11],
    "brightness_band": "blue",
    "max_brightness": None,
    "min_clear_share": 0.1,
}
#: Of the WGS 84 ellipsoid: semi-major and semi-minor axis in metres, first eccentricity.
_A, _B, _E = 6378137.0, 6356752.314245179, 0.08181919084262149


def zone_km2(south: float, north: float, width: float) -> float:
    """Area between two parallels over `width`, all in degrees: the authalic latitude's equation (Snyder 1987, 3-12)."""

    def to(latitude: float) -> float:
        sine = math.sin(math.radians(latitude))
        return sine / (1 - (_E * sine) ** 2) + math.log((1 + _E * sine) / (1 - _E * sine)) / (2 * _E)

    return math.radians(width) * _B**2 / 2 * (to(north) - to(south)) / 1e6


def areas(transform: Any, shape: tuple[int, int], *, degrees: bool) -> Any:
    """Square kilometres of each pixel."""
    if not degrees:
        return np.full(shape, abs(transform.a * transform.e) / 1e6)
    tops = [transform.f + transform.e * row for row in range(shape[0] + 1)]
    zones = [zone_km2(south, north, transform.a) for north, south in itertools.pairwise(tops)]
    return np.tile(np.array(zones)[:, None], (1, shape[1]))


def one_date(raw: Any, item: dict[str, Any], given: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The index where it is clear, elsewhere NaN; and the window's transform and CRS."""
    infrared = given["nir_band"] if given["index"] == "ndwi" else given["swir_band"]
    green, other = (raw.band(item, raw.named(item, name)) for name in (given["green_band"], infrared))
    everything = (slice(None), slice(None))
    window = raw.window(green, given["spatial_extent"]) if given["spatial_extent"] else everything
    one, two = green.values[window], other.values[window]
    with np.errstate(invalid="ignore", divide="ignore"):
        index = np.clip((one - two) / (one + two), -1, 1)
    index[~(one + two > 0)] = np.nan
    if given["mask_band"]:
        classes = raw.band(item, given["mask_band"]).values[window]
        for wrong in given["masked_classes"]:
            index[classes == wrong] = np.nan
        index[np.isnan(classes)] = np.nan
    if given["max_brightness"] is not None:
        bright = raw.band(item, raw.named(item, given["brightness_band"])).values[window]
        # A ten-thousandth of a ten-thousandth above, for numbers that are the limit itself.
        index[~(bright <= given["max_brightness"] + 1e-8)] = np.nan
    return index, raw.moved(green, window), green.crs


def references(scenario: Scenario, raw: Any) -> dict[str, Any]:
    """The four outputs."""
    given = {**DEFAULTS, **scenario.parameters}
    items = raw.between(given["collection"], *given["temporal_extent"])
    rows, kept = [], []
    for item in items:
        index, transform, crs = one_date(raw, item, given)
        km2 = areas(transform, index.shape, degrees=crs.is_geographic)
        clear = np.isfinite(index)
        share, clear_km2 = clear.mean(), km2[clear].sum()
        counts = bool(clear.any()) and share >= given["min_clear_share"]
        water = km2[index > given["threshold"]].sum() if counts else np.nan
        if counts:
            kept.append(index)
        told = (round(float(share), 6), round(float(clear_km2), 6), round(float(water), 6))
        rows.append((item["properties"]["datetime"][:10], int(clear.sum()), *told, round(float(water / clear_km2), 6)))
    names = ["date", "clear_pixels", "clear_share", "clear_km2", "water_km2", "water_share"]
    area = pd.DataFrame(rows, columns=names)
    stack = np.stack(kept)
    seen, wet = np.isfinite(stack).sum(axis=0), (stack > given["threshold"]).sum(axis=0)
    frequency = np.full(seen.shape, np.nan)
    frequency[seen > 0] = wet[seen > 0] / seen[seen > 0]
    known = area[area["water_share"].notna()]
    about = items[0]["properties"]
    infrared = given["nir_band"] if given["index"] == "ndwi" else given["swir_band"]
    place = {"transform": transform, "crs": crs, "nodata": np.nan}
    return {
        "area": area,
        "water_frequency": references_module.Layers(
            values=frequency[None].astype("float32"), names=("water_frequency",), **place
        ),
        "index_median": references_module.Layers(
            values=median(stack)[None].astype("float32"), names=("index_median",), **place
        ),
        "summary": {
            "collection": given["collection"],
            "simulated": about["swath:simulated"],
            "provenance": about["swath:provenance"],
            "index": given["index"],
            "bands": [given["green_band"], infrared],
            "threshold": given["threshold"],
            "dates": len(items),
            "dates_that_count": len(known),
            "extent_km2": round(float(km2.sum()), 6),
            "always_water_km2": round(float(km2[(seen > 0) & (wet == seen)].sum()), 6),
            "ever_water_km2": round(float(km2[wet > 0].sum()), 6),
            "wettest": str(known.loc[known["water_share"].idxmax(), "date"]),
        },
    }


def median(stack: Any) -> Any:
    """Of what is there along the first axis, by sorting: the middle one, or half way between the two."""
    count = np.isfinite(stack).sum(axis=0)
    ordered = np.sort(stack, axis=0)
    low, high = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (np.maximum(count - 1, 0) // 2, count // 2))
    high = np.where(count % 2 == 1, low, high)
    return np.where(count > 0, (low + high) / 2, np.nan)
