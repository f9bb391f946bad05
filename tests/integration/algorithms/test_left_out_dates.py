"""How well the smoother foretells a date that it was not shown: the figures that its card states."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from swath.contract.scenarios import Scenario
from threadpoolctl import threadpool_limits

scenarios = sys.modules["swath_tests_algorithms_scenarios"]
references = sys.modules["swath_tests_algorithms_references"]
pytestmark = pytest.mark.integration

SEASON = {"west": 739845, "south": -2823795, "east": 741645, "north": -2821995, "crs": 32621}
#: Collection, box, every how many pixels, and the card's root mean square errors of the smoother and of straight lines.
FIELDS = (
    ("landsat-8-simulated-season", SEASON, 6, (0.019, 0.032)),
    ("sentinel-2-l2a-field-spain", None, 5, (0.036, 0.038)),
)


@pytest.mark.parametrize("field", [one for one in FIELDS if scenarios.sources() or one[0] in scenarios.ALWAYS])
def test_a_date_left_out_is_foretold_better_than_by_straight_lines(field: Any, raw: Any) -> None:
    collection, box, every, stated = field
    smoother = references.independent("whittaker-smoothing")
    parameters = {"collection": collection, "spatial_extent": box}
    given = smoother.stacks.given("whittaker-smoothing", Scenario(name="left-out", title="", parameters=parameters))
    scenes = smoother.stacks.scenes(raw, collection, names=["red", "nir", "SCL"], extent=box, period=None)
    seen = [smoother.observation(scene, given) for scene in scenes]
    y, w = (np.array([one[index][::every, ::every].ravel() for one in seen]) for index in (0, 1))
    days = np.array([(scene.day - scenes[0].day).days for scene in scenes])
    matrix = smoother.difference_matrix(int(days[-1]) + 1, given["order"])
    errors: tuple[list[float], list[float]] = ([], [])
    with threadpool_limits(1):
        for pixel in np.flatnonzero((w > 0).sum(axis=0) >= 10):
            for total, found in zip(
                errors, left_out(y[:, pixel], w[:, pixel], days, given["smoothness"] * matrix.T @ matrix), strict=True
            ):
                total.extend(found)
    found = [float(np.sqrt(np.mean(np.square(one)))) for one in errors]
    assert found == pytest.approx(stated, abs=6e-4)
    assert found[0] < found[1]


def left_out(y: Any, w: Any, days: Any, penalty: Any) -> tuple[list[float], list[float]]:
    """Errors at each date but the first and the last if it were not there: of the smoother, of straight lines.

    The smoother needs no refit: its error is the residual over ``1 - h``, h the hat matrix's diagonal (Eilers 2003).
    """
    weights, values = np.zeros((2, len(penalty)))
    weights[days], values[days] = w, y
    hat = np.linalg.inv(np.diag(weights) + penalty) * weights
    residual, leverage = y - (hat @ values)[days], np.diagonal(hat)[days]
    clear = np.flatnonzero(w > 0)
    inner = clear[1:-1]
    straight = [np.interp(days[one], days[clear[clear != one]], y[clear[clear != one]]) - y[one] for one in inner]
    return list(-residual[inner] / (1 - leverage[inner])), straight
