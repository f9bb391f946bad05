"""Water by the archive's stored numbers, without xarray and without a geodesic library."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from swath.contract.scenarios import Scenario

pixels = sys.modules["swath_tests_algorithms_pixels"]
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
        km2 = pixels.areas(transform, index.shape, degrees=crs.is_geographic)
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
            values=pixels.median(stack)[None].astype("float32"), names=("index_median",), **place
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
