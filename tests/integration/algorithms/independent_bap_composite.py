"""The best available pixel by the book: all scores of all scenes at once, distances between every two pixels.

Nothing here is taken from the notebook, which keeps the best so far and has distances from a distance transform.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from swath.contract.scenarios import Scenario

made = sys.modules["swath_tests_algorithms_references"]
layers, stacks = made.Layers, made.load("stacks")


def references(scenario: Scenario, raw: Any) -> dict[str, Any]:
    """What a call has to bring back."""
    given = stacks.given("bap-composite", scenario)
    listed = list(candidates(raw, given))
    if not listed:
        raise ValueError("no scene is near the target day")
    masked = [has_band(raw, collection, given["mask_band"]) for collection in given["collections"]]
    weights = {"sensor": given["sensor_weight"], "day": given["day_weight"]}
    weights |= {"distance": given["distance_weight"]} if any(masked) else {}
    weights |= {"opacity": given["opacity_weight"]} if given["opacity_band"] else {}
    totals, clears = [], []
    for number, scene in listed:
        scores, clear = judged(scene, given["sensor_scores"][number], masked=masked[number], given=given)
        totals.append(sum(np.broadcast_to(scores[name], clear.shape) * weights[name] for name in weights))
        clears.append(clear)
    totals = np.array(totals) / sum(weights.values())
    totals[~np.array(clears)] = -1
    top = totals.max(axis=0)
    # The first of those that are equal but for rounding.
    winner = np.argmax(totals >= top - 1e-9, axis=0)
    filled = top >= 0
    return rasters(listed, winner=winner, top=top, filled=filled, given=given) | {
        "scenes": table(listed, clears, np.where(filled, winner + 1, 0), given),
        "summary": summary(raw, given, weights=weights, masked=masked, top=top[filled], filled=filled)
        | {"scenes": len(listed)},
    }


def has_band(raw: Any, collection: str, name: str | None) -> bool:
    """Whether the items of a collection have an asset of that name."""
    return name is not None and name in raw.items(collection)[0]["assets"]


def candidates(raw: Any, given: dict[str, Any]) -> Any:
    """The place of each scene's collection, and the scene, of those near enough to the target day."""
    for number, collection in enumerate(given["collections"]):
        names = [*given["bands"]]
        names += [given["opacity_band"]] if given["opacity_band"] and given["opacity_band"] not in names else []
        names += [given["mask_band"]] if has_band(raw, collection, given["mask_band"]) else []
        for scene in stacks.scenes(
            raw, collection, names=names, extent=given["spatial_extent"], period=given["temporal_extent"]
        ):
            if days_away(scene, given) <= given["day_window"]:
                yield number, scene


def days_away(scene: Any, given: dict[str, Any]) -> int:
    """Days from the target day, on a circle of 365."""
    apart = abs(scene.day.timetuple().tm_yday - given["target_day"]) % 365
    return min(apart, 365 - apart)


def judged(scene: Any, sensor: float, *, masked: bool, given: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The scores of one scene, and where it is clear."""
    clear = np.all([np.isfinite(scene.bands[name]) for name in given["bands"]], axis=0)
    away = days_away(scene, given)
    scores: dict[str, Any] = {
        "sensor": sensor,
        "day": np.exp(-(away**2) / (2 * given["day_sigma"] ** 2)),
        "distance": 1.0,
    }
    if masked:
        classes = scene.bands[given["mask_band"]]
        for one in given["masked_classes"]:
            clear &= classes != one
        clear &= ~np.isnan(classes)
        cloud = np.any([classes == one for one in given["cloud_classes"]], axis=0)
        reach = given["required_distance"]
        distance = np.minimum(distances(cloud), reach)
        scores["distance"] = 1 / (1 + np.exp(5 - 10 * distance / reach))
    if given["opacity_band"]:
        low, high = given["clear_opacity"], given["opaque_opacity"]
        opacity = scene.bands[given["opacity_band"]]
        between = 1 - 1 / (1 + np.exp(-10 * (opacity - (low + high) / 2) / (high - low)))
        known = np.where(opacity < low, 1.0, np.where(opacity > high, 0.0, between))
        scores["opacity"] = np.where(np.isnan(opacity), 0.0, known)
    return scores, clear


def distances(cloud: Any) -> Any:
    """Pixels from the centre of each pixel to that of the nearest cloudy one; infinite under a clear sky."""
    if not cloud.any():
        return np.full(cloud.shape, np.inf)
    rows, columns = np.nonzero(cloud)
    y, x = np.indices(cloud.shape)
    found = np.full(cloud.shape, np.inf)
    for row, column in zip(rows, columns, strict=True):
        np.minimum(found, np.hypot(y - row, x - column), out=found)
    return found


def rasters(listed: Any, *, winner: Any, top: Any, filled: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Composite, score, day of year and number of the scene."""
    rows, columns = np.indices(winner.shape)
    place = {"transform": listed[0][1].transform, "crs": listed[0][1].crs}
    pixels = np.array([[scene.bands[name] for name in given["bands"]] for _, scene in listed])
    composite = np.where(filled, pixels.transpose(1, 0, 2, 3)[:, winner, rows, columns], np.nan)
    days = np.array([scene.day.timetuple().tm_yday for _, scene in listed])

    def plane(name: str, values: Any, kind: str, nodata: float) -> Any:
        return layers(values=values[None].astype(kind), names=(name,), nodata=nodata, **place)

    return {
        "composite": layers(
            values=composite.astype("float32"), names=tuple(given["bands"]), nodata=float("nan"), **place
        ),
        "score": plane("score", np.where(filled, top, np.nan), "float32", float("nan")),
        "day_of_year": plane("day_of_year", np.where(filled, days[winner], 0), "uint16", 0),
        "scene": plane("scene", np.where(filled, winner + 1, 0), "uint16", 0),
    }


def table(listed: Any, clears: Any, chosen: Any, given: dict[str, Any]) -> pd.DataFrame:
    """A row for each scene that was scored."""
    rows = []
    for index, ((number, scene), clear) in enumerate(zip(listed, clears, strict=True), start=1):
        away = days_away(scene, given)
        row = {
            "scene": index,
            "collection": given["collections"][number],
            "date": str(scene.day),
            "day_of_year": scene.day.timetuple().tm_yday,
            "days_away": away,
            "sensor_score": float(given["sensor_scores"][number]),
            "day_score": np.exp(-(away**2) / (2 * given["day_sigma"] ** 2)),
            "clear_share": clear.mean(),
            "chosen_share": np.mean(chosen == index),
        }
        rows.append(row)
    return pd.DataFrame(rows).round(6)


def summary(
    raw: Any, given: dict[str, Any], *, weights: dict[str, float], masked: Any, top: Any, filled: Any
) -> dict[str, Any]:
    """The summary, but for the number of scenes."""
    known = [stacks.about(raw, collection) for collection in given["collections"]]
    return {
        "collections": given["collections"],
        "titles": [one["title"] for one in known],
        "simulated": any(one["simulated"] for one in known),
        "provenance": [one["provenance"] for one in known],
        "weights": weights,
        "scores_not_available": [name for name in ("distance", "opacity") if name not in weights],
        "taken_as_clear": [
            one for one, has in zip(given["collections"], masked, strict=True) if given["mask_band"] and not has
        ],
        "pixels": int(filled.size),
        "filled_share": round(float(filled.mean()), 6),
        "mean_score": round(float(top.mean()), 6),
    }
