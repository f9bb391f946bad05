"""The cloud mask without LightGBM: the model's text walked with numpy, disks and windows summed by shifting.

Over the whole scene nothing is computed at all: the detector's makers computed probabilities and mask of it in 2018 and
put them beside it in their package.
"""

from __future__ import annotations

import hashlib
import math
import sys
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from swath.contract.scenarios import Scenario
from swath_archive.sources import level1c

references_module = sys.modules["swath_tests_algorithms_references"]
COLLECTION = "sentinel-2-l1c-sample"
BANDS = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")
MODEL = "pixel_s2_cloud_detector_lightGBM_v0.1.txt"
DEFAULTS = {"spatial_extent": None, "threshold": 0.4, "average_metres": 220.0, "dilate_metres": 110.0}
#: Of the WGS 84 ellipsoid: semi-major axis in metres, first eccentricity squared.
_A, _E2 = 6378137.0, 0.0066943799901413165


def model_path() -> Path:
    """Where the package keeps its model."""
    (found,) = (file for file in files("s2cloudless") or () if file.name == MODEL)
    return Path(str(found.locate()))


def walk(text: str, pixels: Any) -> Any:
    """The probability of each row of `pixels` by a binary LightGBM model's text, all its splits numerical.

    A node sends a value to the left that is at most its threshold (LightGBM, decision type 2: missing values aside).
    """
    total = np.zeros(len(pixels))
    header, *trees = text.split("\nTree=")
    assert "objective=binary sigmoid:1" in header
    for tree in trees:
        lines = dict(line.split("=", 1) for line in tree.splitlines() if "=" in line)
        if int(lines["num_leaves"]) == 1:
            total += float(lines["leaf_value"])
            continue
        assert lines["num_cat"] == "0"
        feature, left, right = (
            np.array(lines[key].split(), int) for key in ("split_feature", "left_child", "right_child")
        )
        threshold, leaf = (np.array(lines[key].split(), float) for key in ("threshold", "leaf_value"))
        node = np.zeros(len(pixels), int)
        while (inner := node >= 0).any():
            here = node[inner]
            value = pixels[inner, feature[here]].astype("float64")
            node[inner] = np.where(value <= threshold[here], left[here], right[here])
        # ~n is leaf n.
        total += leaf[~node]
    return 1 / (1 + np.exp(-total))


def offsets(radius: int) -> list[tuple[int, int]]:
    """The steps from a disk's centre to its pixels."""
    steps = range(-radius, radius + 1)
    return [(dy, dx) for dy in steps for dx in steps if math.hypot(dy, dx) <= radius]


def shifted(padded: Any, radius: int, shape: tuple[int, int]) -> list[Any]:
    """The picture as each pixel of the disk sees it."""
    height, width = shape
    return [padded[radius + dy : radius + dy + height, radius + dx : radius + dx + width] for dy, dx in offsets(radius)]


def masked(probability: Any, *, threshold: float, average: int, dilate: int) -> Any:
    """Average over a disk (mirrored at the edge), threshold, dilate by a disk (clear beyond the edge)."""
    if average:
        seen = shifted(np.pad(probability, average, mode="symmetric"), average, probability.shape)
        probability = sum(seen) / len(seen)
    cloud = probability > threshold
    if dilate:
        cloud = np.logical_or.reduce(shifted(np.pad(cloud, dilate), dilate, cloud.shape))
    return cloud.astype("uint8")


def metres_per_row(transform: Any, height: int) -> float:
    """Length along the meridian of the middle row's pixel, on WGS 84."""
    middle = math.radians(transform.f + transform.e * height / 2)
    curvature = _A * (1 - _E2) / (1 - _E2 * math.sin(middle) ** 2) ** 1.5
    return curvature * math.radians(abs(transform.e))


def references(scenario: Scenario, raw: Any) -> dict[str, Any]:
    """The four outputs."""
    given = {**DEFAULTS, **scenario.parameters}
    (item,) = raw.items(COLLECTION)
    pictures = [raw.band(item, name) for name in BANDS]
    whole = (slice(None), slice(None))
    window = raw.window(pictures[0], given["spatial_extent"]) if given["spatial_extent"] else whole
    transform = raw.moved(pictures[0], window)
    stack = np.stack([picture.values[window] for picture in pictures], axis=-1)
    height, width, _ = stack.shape
    metres = metres_per_row(transform, height)
    average, dilate = round(given["average_metres"] / metres), round(given["dilate_metres"] / metres)
    if given["spatial_extent"]:
        # The model learnt from 32-bit reflectances.
        numbers = np.rint(stack * 10_000).astype("float32") / np.float32(10_000)
        probability = walk(model_path().read_text(), numbers.reshape(-1, len(BANDS))).reshape(height, width)
        mask = masked(probability, threshold=given["threshold"], average=average, dilate=dilate)
    else:
        arrays = level1c.arrays(raw.root.parent / "cache")
        probability, mask = arrays("cl_probs")[0], arrays("cl_mask")[0].astype("uint8")
        if (given["threshold"], average, dilate) != (0.4, 1, 1):
            # The makers' own mask is of these.
            mask = masked(probability, threshold=given["threshold"], average=average, dilate=dilate)
    place = {"transform": transform, "crs": pictures[0].crs, "names": (item["properties"]["datetime"][:10],)}
    layers = references_module.Layers
    return {
        "probability": layers(values=probability[None].astype("float32"), nodata=np.nan, **place),
        "mask": layers(values=mask[None], nodata=255, **place),
        "coverage": pd.DataFrame(
            {
                "date": [item["properties"]["datetime"][:10]],
                "valid_pixels": [mask.size],
                "cloud_pixels": [int(mask.sum())],
                "cloud_share": [round(float(mask.mean()), 6)],
                "mean_probability": [round(float(probability.mean()), 6)],
            }
        ),
        "summary": {
            "collection": COLLECTION,
            "provenance": item["properties"]["swath:provenance"],
            "dates": 1,
            "model": MODEL,
            "model_sha256": hashlib.sha256(model_path().read_bytes()).hexdigest(),
            "pixel_metres": round(metres, 2),
            "average_pixels": average,
            "dilate_pixels": dilate,
            "clearest": item["properties"]["datetime"][:10],
        },
    }
