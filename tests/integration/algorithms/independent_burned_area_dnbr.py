"""dNBR by the archive's stored numbers, medians by sorting, patches by a flood fill."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from swath.contract.scenarios import Scenario

pixels = sys.modules["swath_tests_algorithms_pixels"]
references_module = sys.modules["swath_tests_algorithms_references"]
DEFAULTS: dict[str, Any] = {
    "collection": "sentinel-2-l2a-composite-belgium",
    "spatial_extent": None,
    "before": ["2021-06-01", "2021-07-01"],
    "after": ["2021-09-01", "2021-10-01"],
    "nir_band": "nir",
    "swir_band": "swir22",
    "mask_band": None,
    "masked_classes": [0, 1, 3, 6, 8, 9, 10, 11],
    "threshold": 0.1,
    "min_hectares": 0.0,
}
#: Key and Benson 2006, in thousandths as they stand there: lower bounds of the classes 2 to 7.
BOUNDS = (-250, -100, 100, 270, 440, 660)
NAMES = (
    "enhanced regrowth, high",
    "enhanced regrowth, low",
    "unburned",
    "low severity",
    "moderate-low severity",
    "moderate-high severity",
    "high severity",
)


def ratio(raw: Any, item: dict[str, Any], given: dict[str, Any]) -> tuple[Any, Any, Any]:
    """NBR of one date where it is clear; the window's transform and CRS."""
    nir, swir = (raw.band(item, raw.named(item, given[name])) for name in ("nir_band", "swir_band"))
    everything = (slice(None), slice(None))
    window = raw.window(nir, given["spatial_extent"]) if given["spatial_extent"] else everything
    one, two = nir.values[window], swir.values[window]
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.clip((one - two) / (one + two), -1, 1)
    values[~(one + two > 0)] = np.nan
    if given["mask_band"]:
        classes = raw.band(item, given["mask_band"]).values[window]
        values[np.isnan(classes)] = np.nan
        for wrong in given["masked_classes"]:
            values[classes == wrong] = np.nan
    return values, raw.moved(nir, window), nir.crs


def patches(burned: Any) -> list[list[tuple[int, int]]]:
    """Pixels that hang together, corners included."""
    left = set(zip(*(axis.tolist() for axis in np.nonzero(burned)), strict=True))
    found = []
    while left:
        patch, edge = [], [left.pop()]
        while edge:
            row, column = edge.pop()
            patch.append((row, column))
            near = {(row + dy, column + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            edge += near
        found.append(patch)
    return found


def references(scenario: Scenario, raw: Any) -> dict[str, Any]:
    """The five outputs."""
    given = {**DEFAULTS, **scenario.parameters}
    both, dates = [], []
    for period in (given["before"], given["after"]):
        items = raw.between(given["collection"], *period)
        frames = [ratio(raw, item, given) for item in items]
        both.append(pixels.median(np.stack([frame[0] for frame in frames])))
        dates.append(len(items))
    _, transform, crs = frames[0]
    dnbr = np.round(both[0] - both[1], 6)
    known = np.isfinite(dnbr)
    severity = np.where(known, 1 + np.searchsorted(np.array(BOUNDS) / 1000, dnbr, side="right"), 0).astype("uint8")
    hectares = pixels.areas(transform, dnbr.shape, degrees=crs.is_geographic) * 100
    return {
        **_rasters(dnbr, severity, transform=transform, crs=crs),
        **_burned(dnbr, hectares, given, place={"transform": transform, "crs": crs}),
        "area": _table(severity, hectares),
        "summary": _summary(dnbr, hectares, given, dates=dates, about=items[0]["properties"]),
    }


def _kept(dnbr: Any, hectares: Any, given: dict[str, Any]) -> list[list[tuple[int, int]]]:
    whole = patches(np.isfinite(dnbr) & (dnbr >= given["threshold"]))
    return [patch for patch in whole if sum(hectares[at] for at in patch) >= given["min_hectares"] * (1 - 1e-6)]


def _rasters(dnbr: Any, severity: Any, **place: Any) -> dict[str, Any]:
    layers = references_module.Layers
    return {
        "dnbr": layers(values=dnbr[None].astype("float32"), nodata=np.nan, names=("dnbr",), **place),
        "severity": layers(values=severity[None], nodata=0, names=("severity",), **place),
    }


def _burned(dnbr: Any, hectares: Any, given: dict[str, Any], *, place: dict[str, Any]) -> dict[str, Any]:
    flags = np.where(np.isfinite(dnbr), 0, 255).astype("uint8")
    for patch in _kept(dnbr, hectares, given):
        for at in patch:
            flags[at] = 1
    return {"burned": references_module.Layers(values=flags[None], nodata=255, names=("burned",), **place)}


def _table(severity: Any, hectares: Any) -> pd.DataFrame:
    lower = [np.nan, *(bound / 1000 for bound in BOUNDS)]
    known = hectares[severity > 0].sum()
    rows = []
    for number, name in enumerate(NAMES, start=1):
        here = severity == number
        upper = lower[number] if number < len(lower) else np.nan
        own = hectares[here].sum()
        rows.append((number, name, lower[number - 1], upper, int(here.sum()), round(own, 4), round(own / known, 6)))
    return pd.DataFrame(rows, columns=["class", "name", "from", "below", "pixels", "hectares", "share"])


def _summary(
    dnbr: Any, hectares: Any, given: dict[str, Any], *, dates: list[int], about: dict[str, Any]
) -> dict[str, Any]:
    sizes = [float(sum(hectares[at] for at in patch)) for patch in _kept(dnbr, hectares, given)]
    known = np.isfinite(dnbr)
    return {
        "collection": given["collection"],
        "simulated": about["swath:simulated"],
        "provenance": about["swath:provenance"],
        "before": given["before"],
        "after": given["after"],
        "dates_before": dates[0],
        "dates_after": dates[1],
        "threshold": given["threshold"],
        "known_hectares": round(float(hectares[known].sum()), 4),
        "burned_hectares": round(sum(sizes), 4),
        "patches": len(sizes),
        "largest_patch_hectares": round(max(sizes, default=0.0), 4),
        "median_dnbr": round(float(np.median(dnbr[known])), 6),
    }
