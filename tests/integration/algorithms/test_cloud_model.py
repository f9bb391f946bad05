"""The cloud model against its makers' own numbers, and where the sample cannot show it: holes in the data, 10 m."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from swath.contract.scenarios import Scenario
from swath_archive.domain.scenes import Grid, Pending, Scene
from swath_archive.services.fill import fill
from swath_archive.sources import Batch, level1c
from swath_archive.sources.specs import SENTINEL_2_L1C_SAMPLE

scenarios = sys.modules["swath_tests_algorithms_scenarios"]
references = sys.modules["swath_tests_algorithms_references"]
cloud = references.independent("cloud-mask")
pytestmark = pytest.mark.integration

WINDOW = (slice(380, 420), slice(110, 150))
GRID = Grid(crs="EPSG:32738", transform=(10, 0, 700_000, 0, -10, 8_240_000), height=40, width=40)


@pytest.fixture(scope="module")
def arrays(archive: Path) -> Any:
    return level1c.arrays(archive.parent / "cache")


def test_the_walk_through_the_trees_gives_what_the_makers_computed(arrays: Any) -> None:
    bands = [0, 1, 3, 4, 7, 8, 9, 10, 11, 12]
    pixels = arrays("s2_im")[0][WINDOW][..., bands].reshape(-1, len(bands))
    found = cloud.walk(cloud.model_path().read_text(), pixels)
    np.testing.assert_allclose(found, arrays("cl_probs")[0][WINDOW].ravel(), rtol=0, atol=1e-12)


def test_our_disks_and_averages_give_the_makers_mask(arrays: Any) -> None:
    mask = cloud.masked(arrays("cl_probs")[0], threshold=0.4, average=1, dilate=1)
    assert np.array_equal(mask, arrays("cl_mask")[0])


def test_holes_in_the_data_stay_holes_and_weigh_in_no_average(arrays: Any, tmp_path: Path) -> None:
    stored = np.rint(arrays("s2_im")[0][WINDOW].astype("float64") * 10_000).astype("uint16")
    hole = np.zeros((40, 40), dtype=bool)
    hole[10:18, 20:33] = True
    # One band is enough to know nothing of a pixel; one that the model does not look at is not.
    stored[hole, 10] = 65535
    stored[0, 0, 2] = 65535
    names = [band.name for band in SENTINEL_2_L1C_SAMPLE.bands]
    item = Pending(
        item_id="holes",
        at=level1c._DATE,
        source="holes",
        source_sha256="0" * 64,
        read=partial(Scene, grid=GRID, pixels={name: stored[..., at] for at, name in enumerate(names)}),
    )
    assert fill(tmp_path / "archive", [Batch(spec=SENTINEL_2_L1C_SAMPLE, items=(item,))]).ok
    call = Scenario(name="holes", title="Holes", parameters={"average_metres": 30, "dilate_metres": 20})
    outcome = scenarios.run("cloud-mask", call, folder=tmp_path / "run", archive=tmp_path / "archive")
    assert outcome.report.error is None
    probability = np.where(hole, np.nan, arrays("cl_probs")[0][WINDOW])
    with rasterio.open(outcome.files["probability"]) as file:
        np.testing.assert_allclose(file.read(1), probability, atol=1e-6)
    seen = np.stack(cloud.shifted(np.pad(probability, 3, mode="symmetric"), 3, probability.shape))
    averaged = np.nansum(seen, axis=0) / np.maximum(np.isfinite(seen).sum(axis=0), 1)
    cloudy = ~hole & (averaged > 0.4)
    wider = np.logical_or.reduce(cloud.shifted(np.pad(cloudy, 2), 2, cloudy.shape))
    with rasterio.open(outcome.files["mask"]) as file:
        assert np.array_equal(file.read(1), np.where(hole, 255, wider))
