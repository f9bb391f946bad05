"""A burn that somebody drew: each severity class, and patches around the least size, come out as they were drawn."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from swath.contract.scenarios import Scenario
from swath_archive.domain.scenes import Grid, Pending, Scene
from swath_archive.services.fill import fill
from swath_archive.sources import Batch
from swath_archive.sources.specs import SENTINEL_2_COMPOSITES

scenarios = sys.modules["swath_tests_algorithms_scenarios"]
pytestmark = pytest.mark.integration

SIZE = 14
GRID = Grid(crs="EPSG:32631", transform=(10, 0, 664_000, 0, -10, 5_612_000), height=SIZE, width=SIZE)
#: dNBR of the stripes, two columns each; the middle ones stand on the lower bounds of their classes.
STRIPES = (-0.4, -0.25, -0.1, 0.1, 0.27, 0.44, 0.66)


def scene(ratio: Any) -> Scene:
    """Near- and short-wave infrared whose sum is 1 and whose NBR is `ratio`, to the last digit that is stored."""
    nir = np.rint((1 + ratio) / 2 * 10_000).astype("uint16")
    other = np.full((SIZE, SIZE), 65535, dtype="uint16")
    pixels = {band.name: other for band in SENTINEL_2_COMPOSITES.bands}
    return Scene(grid=GRID, pixels={**pixels, "B08": nir, "B12": (10_000 - nir).astype("uint16")})


def burn(folder: Path, after: Any) -> dict[str, Path]:
    """Run the algorithm over 0.5 everywhere before, and `after` afterwards; the files."""
    dates = ((datetime(2021, 6, 1, tzinfo=UTC), np.full((SIZE, SIZE), 0.3)), (datetime(2021, 9, 1, tzinfo=UTC), after))
    items = [
        Pending(
            item_id=f"drawn-{at:%Y%m%d}",
            at=at,
            source=f"drawn-{at:%Y%m%d}",
            source_sha256=sha256(ratio.tobytes()).hexdigest(),
            read=partial(scene, ratio),
        )
        for at, ratio in dates
    ]
    assert fill(folder / "archive", [Batch(spec=SENTINEL_2_COMPOSITES, items=tuple(items))]).ok
    call = Scenario(name="drawn", title="Drawn", parameters={"threshold": 0.44, "min_hectares": 0.04})
    outcome = scenarios.run("burned-area-dnbr", call, folder=folder / "run", archive=folder / "archive")
    assert outcome.report.error is None
    return dict(outcome.files)


def read(path: Path) -> Any:
    with rasterio.open(path) as file:
        return file.read(1)


def test_each_class_begins_at_its_bound(tmp_path: Path) -> None:
    files = burn(tmp_path, np.tile(np.repeat(0.3 - np.array(STRIPES), 2), (SIZE, 1)))
    assert read(files["severity"]).tolist() == [np.repeat(np.arange(1, 8), 2).tolist()] * SIZE
    np.testing.assert_allclose(read(files["dnbr"]), np.tile(np.repeat(STRIPES, 2), (SIZE, 1)), atol=1e-6)
    table = pd.read_csv(files["area"])
    assert table["hectares"].tolist() == pytest.approx([2 * SIZE / 100] * 7)
    assert read(files["burned"]).tolist() == [[0] * 10 + [1] * 4] * SIZE


def test_small_patches_are_dropped_and_corners_hold_together(tmp_path: Path) -> None:
    drawn = np.zeros((SIZE, SIZE), dtype=bool)
    drawn[1, 1:4] = True  # three pixels: too small
    drawn[5, 1:5] = True  # four: just large enough
    drawn[9, 1:3] = drawn[10, 3:5] = True  # two and two, by a corner
    files = burn(tmp_path, np.where(drawn, -0.5, 0.3))
    drawn[1] = False
    assert np.array_equal(read(files["burned"]), drawn)
    summary = json.loads(files["summary"].read_text())
    assert (summary["patches"], summary["burned_hectares"], summary["largest_patch_hectares"]) == (2, 0.08, 0.04)
