"""Drift of time and cost: the formula against numpy's, and which samples count."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from swath.contract.comparison import Comparison, Verdict
from swath_marketplace.domain.benchmarks import Round, ScenarioOutcome, ScenarioResult, Trigger
from swath_marketplace.domain.drift import Drifted, Sample, baseline_of, drift, drift_of

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def samples(*values: float, step: timedelta = timedelta(days=1)) -> list[Sample]:
    last = len(values) - 1
    return [Sample(at=NOW - step * (last - place), value=value) for place, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "median", "margin"),
    [
        # Worked by hand: MAD 0, so the least margin stands.
        ([10.0, 10.0, 10.0], 10.0, 2.0),
        # Median 12, deviations 2 0 2 0 8: MAD 2, margin 3 x 1.4826 x 2.
        ([10.0, 12.0, 14.0, 12.0, 20.0], 12.0, 8.8956),
        # An even number: the mean of the middle two.
        ([100.0, 110.0, 120.0, 130.0], 115.0, 3 * 1.4826 * 10.0),
        ([0.1, 0.2, 0.3], 0.2, 2.0),
        # The oldest of 21 does not count.
        ([1e6, *[50.0] * 20], 50.0, 2.0),
    ],
)
def test_baselines_of_golden_vectors(values: list[float], median: float, margin: float) -> None:
    found = baseline_of(values)
    assert found is not None
    assert found.median == pytest.approx(median)
    assert found.margin == pytest.approx(margin)


def test_the_formula_is_numpys_on_any_samples() -> None:
    chance = random.Random(4)
    for _ in range(500):
        values = [chance.lognormvariate(3, 1) for _ in range(chance.randint(3, 30))]
        counted = np.array(values[-20:])
        middle = np.median(counted)
        margin = max(2.0, 3 * 1.4826 * float(np.median(np.abs(counted - middle))))
        found = baseline_of(values)
        assert found is not None
        assert found.samples == len(counted)
        assert (found.median, found.margin) == pytest.approx((float(middle), margin))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([], Drifted.TOO_FEW),
        ([10, 10, 10], Drifted.TOO_FEW),
        ([10, 10, 10, 12], Drifted.STEADY),
        ([10, 10, 10, 12.001], Drifted.SLOWER),
        # Quicker is no drift that anybody has to hear of.
        ([10, 10, 10, 1], Drifted.STEADY),
        # A noisy past allows more.
        ([10, 20, 10, 20, 10, 20, 30], Drifted.STEADY),
        ([10, 20, 10, 20, 10, 20, 38], Drifted.SLOWER),
    ],
)
def test_the_latest_is_judged_by_those_before_it(values: list[float], verdict: Drifted) -> None:
    assert drift(samples(*values), now=NOW, above=Drifted.SLOWER).verdict is verdict


def test_what_is_older_than_ninety_days_or_ahead_of_the_clock_does_not_count() -> None:
    old = [Sample(at=NOW - timedelta(days=91), value=1.0)] * 5
    ahead = [Sample(at=NOW + timedelta(hours=1), value=1000.0)]
    found = drift([*old, *samples(10, 10, 10, 10), *ahead], now=NOW, above=Drifted.DEARER)
    assert [one.value for one in found.samples] == [10, 10, 10, 10]
    assert found.verdict is Drifted.STEADY
    assert drift(old, now=NOW, above=Drifted.DEARER).verdict is Drifted.TOO_FEW


def test_never_more_than_twenty_before_the_latest() -> None:
    found = drift(samples(*[1.0] * 40, step=timedelta(hours=1)), now=NOW, above=Drifted.SLOWER)
    assert len(found.samples) == 21
    assert found.baseline is not None
    assert found.baseline.samples == 20


def made(
    number: int, *, outcome: ScenarioOutcome = ScenarioOutcome.GREEN, dossier: str = "d1", **more: object
) -> Round:
    at = NOW - timedelta(days=10) + timedelta(days=number)
    near = Comparison(verdict=Verdict.WITHIN, kind="raster", message="", compared=10, differing=number, largest=0.5)
    result = ScenarioResult(
        scenario="season",
        outcome=outcome,
        message="",
        comparisons={"median": near},
        **{"wall_seconds": 10.0, "cost_millicredits": 5000, **more},  # type: ignore[arg-type]
    )
    return Round(
        id=f"r{number}",
        algorithm_id="a",
        version_digest="v",
        dossier_digest=dossier,
        environment_lock_sha256="e",
        trigger=Trigger.SCHEDULE,
        asked_by="platform",
        started_at=at,
        ended_at=at,
        results=(result,),
    )


def test_only_green_rounds_of_the_same_call_are_compared() -> None:
    rounds = [
        made(0, dossier="other", wall_seconds=1000.0),
        made(1),
        made(2, outcome=ScenarioOutcome.RED, wall_seconds=0.1),
        made(3),
        made(4, wall_seconds=None, cost_millicredits=None),
        made(5),
        made(6, wall_seconds=40.0, cost_millicredits=5100),
    ]
    found = drift_of(rounds, scenario="season", dossiers={"d1"}, now=NOW)
    assert [one.value for one in found.seconds.samples] == [10.0, 10.0, 10.0, 40.0]
    assert (found.seconds.verdict, found.cost.verdict) == (Drifted.SLOWER, Drifted.STEADY)
    assert [one.value for one in found.cost.samples] == [5.0, 5.0, 5.0, 5.1]
    # Of outputs the red ones tell too.
    assert [one.differing for one in found.outputs["median"]] == [1, 2, 3, 4, 5, 6]
    assert drift_of(rounds, scenario="another", dossiers={"d1"}, now=NOW).seconds.verdict is Drifted.TOO_FEW
