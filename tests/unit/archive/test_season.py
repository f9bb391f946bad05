"""The simulated season: always the same, like a season, and called simulated wherever it shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from swath_archive.sources import season, specs
from swath_archive.sources.landsat import Sample


@pytest.fixture(scope="module")
def red() -> np.ndarray:
    values = np.random.default_rng(1).integers(6000, 9000, (80, 90)).astype(np.uint16)
    values[:5, :5] = 0
    return values


def _index(bands: dict[str, np.ndarray]) -> np.ndarray:
    red, nir = (bands[name].astype(float) * 2e-5 - 0.1 for name in ("B4", "B5"))
    return (nir - red) / (nir + red)


def test_it_is_the_same_at_every_call(red: np.ndarray) -> None:
    first, second = (season.simulate(red, index=4) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in ("B4", "B5", "SCL"))
    assert not np.array_equal(first["B4"], season.simulate(red, index=5)["B4"])


def test_it_greens_and_withers(red: np.ndarray) -> None:
    means = []
    for index in range(len(season.DATES)):
        bands = season.simulate(red, index=index)
        clear = np.isin(bands["SCL"], (4, 5))
        means.append(_index(bands)[clear].mean() if clear.any() else np.nan)
    assert np.nanmax(means[:3]) > 0.45
    assert np.nanmin(means[9:14]) < 0.25
    assert means[-1] > 0.45


def test_clouds_cover_what_is_said(red: np.ndarray) -> None:
    for index, share in enumerate(season.CLOUD_SHARE):
        classes = season.simulate(red, index=index)["SCL"]
        assert abs((classes[red != 0] == 9).mean() - share) < 0.02


def test_no_data_stay_no_data(red: np.ndarray) -> None:
    bands = season.simulate(red, index=1)
    assert all((bands[name][:5, :5] == 0).all() for name in bands)
    assert (bands["B4"][red != 0] > 0).all()


def test_it_says_simulated_everywhere(tmp_path: Path) -> None:
    spec = specs.LANDSAT_8_SEASON
    assert all("simulated" in text.lower() for text in (spec.id, spec.title, spec.description, spec.provenance))
    assert all("simulated" in band.description.lower() for band in spec.bands)
    assert spec.simulated
    real, simulated = Sample(tmp_path).batches()
    assert not real.spec.simulated
    assert all("simulated" in pending.item_id for pending in simulated.items)


def test_a_simulation_that_does_not_say_so_is_refused() -> None:
    with pytest.raises(ValueError, match="does not say so"):
        replace(specs.LANDSAT_8_SAMPLE, simulated=True)
