"""A collection as plain arrays for the independent paths: its dates in order, cut to a box."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from rasterio.transform import Affine
from swath.contract.parameters import check_parameters
from swath.contract.scenarios import Scenario

scenarios = sys.modules["swath_tests_algorithms_references"].load("scenarios")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What one date of a collection shows within a box: physical values as 64-bit numbers, NaN where there is none."""

    day: date
    bands: Mapping[str, Any]
    """Name as it was asked for -> values (y, x)."""
    transform: Any
    crs: Any


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
            picture = raw.band(item, raw.named(item, name))
            cut = _cut(picture, extent)
            if cut is None:
                break
            bands[name], transform = cut
        else:
            day = datetime.fromisoformat(item["properties"]["datetime"]).date()
            found.append(Scene(day=day, bands=bands, transform=transform, crs=picture.crs))
    assert len({scene.day for scene in found}) == len(found), "these paths lay no scenes of one day over each other"
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


def given(slug: str, scenario: Scenario) -> dict[str, Any]:
    """The parameters of a call, those included that it leaves at their defaults."""
    bound, findings = check_parameters(scenarios.interface_of(slug), scenario.parameters)
    assert findings == (), findings
    return dict(bound)
