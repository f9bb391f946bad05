"""The NDVI series by plain loops: parcels by counting crossings of their edges, statistics pixel list by pixel list."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from pyproj import Transformer
from swath.contract.scenarios import Scenario

made = sys.modules["swath_tests_algorithms_references"]
layers, stacks = made.Layers, made.load("stacks")


def references(scenario: Scenario, raw: Any) -> dict[str, Any]:
    """What a call has to bring back; without the plot."""
    given = stacks.given("ndvi-timeseries", scenario)
    names = [given["red_band"], given["nir_band"], *([given["mask_band"]] if given["mask_band"] else [])]
    scenes = stacks.scenes(
        raw, given["collection"], names=names, extent=given["spatial_extent"], period=given["temporal_extent"]
    )
    index = np.array([ndvi(scene, given) for scene in scenes])
    rows = []
    for name, inside in parcels(scenes[0], index.shape[1:], given).items():
        counted = inside & np.isfinite(index).any(axis=0)
        for scene, values in zip(scenes, index, strict=True):
            rows.append((name, str(scene.day), *statistics(values[counted], given["min_clear_share"])))
    columns = ["parcel", "date", "ndvi_mean", "ndvi_median", "ndvi_std", "clear_share", "pixels"]
    series = pd.DataFrame(rows, columns=columns)
    clear = [one[np.isfinite(one)] for one in index.reshape(len(scenes), -1).T]
    median = np.array([np.median(one) if len(one) else np.nan for one in clear])
    place = {"transform": scenes[0].transform, "crs": scenes[0].crs, "nodata": float("nan")}
    best = series.loc[series["ndvi_mean"].idxmax()]
    return {
        "timeseries": series,
        "median": layers(values=median.reshape(1, *index.shape[1:]).astype("float32"), names=("ndvi_median",), **place),
        "summary": {
            "collection": given["collection"],
            **stacks.about(raw, given["collection"]),
            "dates": len(scenes),
            "first_date": str(scenes[0].day),
            "last_date": str(scenes[-1].day),
            "parcels": int(series["parcel"].nunique()),
            "clear_observations": int(series["ndvi_mean"].notna().sum()),
            "highest": {"parcel": best["parcel"], "date": best["date"], "ndvi_mean": float(best["ndvi_mean"])},
        },
    }


def ndvi(scene: Any, given: dict[str, Any]) -> Any:
    """NDVI of the clear pixels of a scene, NaN elsewhere."""
    red, nir = scene.bands[given["red_band"]], scene.bands[given["nir_band"]]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(nir + red > 0, (nir - red) / (nir + red), np.nan).clip(-1, 1)
    if given["mask_band"]:
        classes = scene.bands[given["mask_band"]]
        values[np.isnan(classes)] = np.nan
        for one in given["masked_classes"]:
            values[classes == one] = np.nan
    return values


def parcels(scene: Any, shape: tuple[int, ...], given: dict[str, Any]) -> dict[str, Any]:
    """Name of each parcel -> where its pixels are; polygons without holes."""
    if given["parcels"] is None:
        return {"all": np.ones(shape, dtype=bool)}
    to_grid = Transformer.from_crs("EPSG:4326", scene.crs, always_xy=True)
    rows, columns = np.indices(shape)
    x = scene.transform.c + scene.transform.a * (columns + 0.5)
    y = scene.transform.f + scene.transform.e * (rows + 0.5)
    found = {}
    for feature in given["parcels"]["features"]:
        (ring,) = feature["geometry"]["coordinates"]
        corners = [to_grid.transform(*corner) for corner in ring]
        inside = np.zeros(shape, dtype=bool)
        for (x0, y0), (x1, y1) in pairwise(corners):
            if y0 != y1:
                inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        found[feature["properties"]["name"]] = inside
    return found


def statistics(values: Any, least: float) -> tuple[Any, ...]:
    """Mean, median, standard deviation, share of clear pixels, number of pixels."""
    clear = values[~np.isnan(values)]
    share = len(clear) / len(values)
    told = (clear.mean(), np.median(clear), clear.std()) if len(clear) and share >= least else (np.nan,) * 3
    return (*(round(float(one), 4) for one in told), round(share, 4), len(values))
