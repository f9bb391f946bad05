"""Whittaker smoothing by the book: for each pixel the whole matrix ``W + lambda D'D`` is built and solved, densely.

Nothing here is taken from the notebook, which factors bands for many pixels at once.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from swath.contract.scenarios import Scenario
from threadpoolctl import threadpool_limits

made = sys.modules["swath_tests_algorithms_references"]
layers, stacks = made.Layers, made.load("stacks")


def references(scenario: Scenario, raw: Any) -> dict[str, Any]:
    """What a call has to bring back; without the plot."""
    given = stacks.given("whittaker-smoothing", scenario)
    names = [given["band"]] if given["band"] else [given["red_band"], given["nir_band"]]
    names += [given["mask_band"]] if given["mask_band"] else []
    scenes = stacks.scenes(
        raw, given["collection"], names=names, extent=given["spatial_extent"], period=given["temporal_extent"]
    )
    observed = [observation(scene, given) for scene in scenes]
    y, w = np.array([one[0] for one in observed]), np.array([one[1] for one in observed])
    days = np.array([(scene.day - scenes[0].day).days for scene in scenes])
    with threadpool_limits(1):  # threads only wait for each other over matrices this small
        curve, rmse, gap = pixel_by_pixel(y, w, days, given)
    if np.isnan(rmse).all():
        raise ValueError("no pixel was seen often enough")
    every = np.arange(0, days[-1] + 1, given["step_days"])
    dates = [str(np.datetime64(scenes[0].day) + int(day)) for day in every]
    place = {"transform": scenes[0].transform, "crs": scenes[0].crs, "nodata": float("nan")}
    quality = np.stack([(w > 0).sum(axis=0), gap, rmse]).astype("float32")
    return {
        "smoothed": layers(values=curve[every].astype("float32"), names=tuple(dates), **place),
        "quality": layers(values=quality, names=("observations", "longest_gap_days", "rmse"), **place),
        "timeseries": table(scenes, y, w, curve[days], curve),
        "summary": {
            "collection": given["collection"],
            **stacks.about(raw, given["collection"]),
            "smoothed": given["band"] or "NDVI",
            "lambda": given["smoothness"],
            "order": given["order"],
            "scenes": len(scenes),
            "first_date": str(scenes[0].day),
            "last_date": str(scenes[-1].day),
            "maps": len(every),
            "pixels": int(rmse.size),
            "pixels_with_curve": int(np.isfinite(rmse).sum()),
            "mean_rmse": round(float(np.nanmean(rmse)), 6),
        },
    }


def observation(scene: Any, given: dict[str, Any]) -> tuple[Any, Any]:
    """Values and weights of one date, both (y, x)."""
    if given["band"]:
        values = scene.bands[given["band"]]
    else:
        red, nir = scene.bands[given["red_band"]], scene.bands[given["nir_band"]]
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(nir + red > 0, (nir - red) / (nir + red), np.nan).clip(-1, 1)
    weights = np.where(np.isnan(values), 0.0, 1.0)
    if given["mask_band"]:
        classes = scene.bands[given["mask_band"]]
        for one in given["doubtful_classes"]:
            weights[classes == one] *= given["doubtful_weight"]
        for one in given["masked_classes"]:
            weights[classes == one] = 0
        weights[np.isnan(classes)] = 0
    return np.where(weights > 0, values, 0), weights


def difference_matrix(days: int, order: int) -> Any:
    """D, with binomial coefficients of alternating sign in each row."""
    row = np.poly1d([1.0])
    for _ in range(order):
        row *= np.poly1d([1.0, -1.0])
    matrix = np.zeros((days - order, days))
    for start in range(days - order):
        matrix[start, start : start + order + 1] = row.coeffs
    return matrix


def pixel_by_pixel(y: Any, w: Any, days: Any, given: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The daily curve (days, y, x), its weighted root mean square misfit, and the longest time without sight."""
    count, height, width = int(days[-1]) + 1, *y.shape[1:]
    matrix = difference_matrix(count, given["order"])
    penalty = given["smoothness"] * matrix.T @ matrix
    curve = np.full((count, height, width), np.nan)
    rmse, gap = np.full((2, height, width), np.nan)
    for row, column in np.ndindex(height, width):
        seen = w[:, row, column] > 0
        if seen.sum() < given["min_observations"]:
            continue
        weights, right = np.zeros(count), np.zeros(count)
        weights[days] = w[:, row, column]
        right[days] = w[:, row, column] * y[:, row, column]
        z = np.linalg.solve(np.diag(weights) + penalty, right)
        curve[:, row, column] = z
        misfit = y[seen, row, column] - z[days[seen]]
        rmse[row, column] = np.sqrt(np.average(misfit**2, weights=w[seen, row, column]))
        gap[row, column] = np.diff([0, *days[seen], count - 1]).max()
    return curve, rmse, gap


def table(scenes: list[Any], y: Any, w: Any, at_scenes: Any, curve: Any) -> pd.DataFrame:
    """A row for each scene: over the pixels that have a curve, what was seen of them, and what the curve says."""
    has = np.isfinite(curve[0])
    rows = []
    for scene, values, weights, smooth in zip(scenes, y, w, at_scenes, strict=True):
        seen = has & (weights > 0)
        means = (values[seen].mean(), smooth[seen].mean()) if seen.any() else (np.nan, np.nan)
        rows.append((str(scene.day), seen.sum() / has.sum(), *means, smooth[has].mean()))
    columns = ["date", "clear_share", "observed_mean", "smoothed_mean", "curve_mean"]
    return pd.DataFrame(rows, columns=columns).round(6)
