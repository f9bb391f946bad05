"""Drift of a scenario: whether its time or cost left what it used to be, and how its outputs moved.

The rule is the one that ESA's APEx algorithm services use for the cost of their benchmarks: the baseline is the median
of the latest samples, the margin is ``max(2.0, 3 x 1.4826 x MAD)``, and what lies above their sum has drifted. MAD is
the median of the absolute deviations from the median; times 1.4826 it estimates the standard deviation of normally
distributed samples (Rousseeuw & Croux 1993, Journal of the American Statistical Association 88, 1273-1283).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from swath_marketplace.domain.benchmarks import Round, ScenarioOutcome

LEAST_SAMPLES = 3
MOST_SAMPLES = 20
OLDEST = timedelta(days=90)
#: In the unit of the samples: seconds of time, credits of cost.
LEAST_MARGIN = 2.0
_DEVIATIONS = 3
_OF_NORMAL = 1.4826


class Drifted(StrEnum):
    """What became of a quantity."""

    STEADY = "steady"
    SLOWER = "slower"
    """Of time: the latest lies above the baseline and its margin."""
    DEARER = "dearer"
    """Of cost: the same."""
    TOO_FEW = "too-few"
    """There are not enough samples before the latest one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One round's."""

    at: datetime
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """What a quantity used to be, in its unit."""

    samples: int
    median: float
    margin: float

    @property
    def most(self) -> float:
        """What lies above has drifted."""
        return self.median + self.margin


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """A quantity over the rounds."""

    samples: tuple[Sample, ...]
    """Oldest first; the latest one is what is judged."""
    baseline: Baseline | None
    """Of those before the latest; ``None`` when they are too few."""
    verdict: Drifted


def baseline_of(values: Sequence[float]) -> Baseline | None:
    """Median and margin of the last `MOST_SAMPLES` of `values`, oldest first; ``None`` below `LEAST_SAMPLES`."""
    counted = values[-MOST_SAMPLES:]
    if len(counted) < LEAST_SAMPLES:
        return None
    middle = median(counted)
    deviation = median(abs(value - middle) for value in counted)
    margin = max(LEAST_MARGIN, _DEVIATIONS * _OF_NORMAL * deviation)
    return Baseline(samples=len(counted), median=middle, margin=margin)


def drift(samples: Sequence[Sample], *, now: datetime, above: Drifted) -> Drift:
    """Judge the latest of `samples`, which come in the order of their rounds, by those before it.

    Parameters
    ----------
    now
        What is older than `OLDEST` does not count, and neither does what lies ahead of it: a clock was wrong.
    above
        The word for what lies above.
    """
    counted = tuple(one for one in samples if timedelta(0) <= now - one.at <= OLDEST)[-MOST_SAMPLES - 1 :]
    baseline = baseline_of([one.value for one in counted[:-1]])
    if baseline is None:
        return Drift(samples=counted, baseline=None, verdict=Drifted.TOO_FEW)
    verdict = above if counted[-1].value > baseline.most else Drifted.STEADY
    return Drift(samples=counted, baseline=baseline, verdict=verdict)


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputSample:
    """How far an output was from its reference in one round."""

    at: datetime
    verdict: str
    differing: int
    largest: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenarioDrift:
    """A scenario over the rounds of a version."""

    seconds: Drift
    cost: Drift
    """In credits."""
    outputs: Mapping[str, tuple[OutputSample, ...]]
    """Output -> its samples, oldest first."""


def drift_of(rounds: Sequence[Round], *, scenario: str, dossiers: Collection[str], now: datetime) -> ScenarioDrift:
    """How `scenario` drifted over `rounds`, oldest first.

    Parameters
    ----------
    dossiers
        Digests of those dossiers in which the scenario makes the same call: only those can be compared. What did not
        come to its end tells neither time nor cost, so only green results do.
    """
    found = [
        (one.ended_at, result)
        for one in rounds
        if one.dossier_digest in dossiers
        for result in one.results
        if result.scenario == scenario
    ]
    green = [(at, result) for at, result in found if result.outcome is ScenarioOutcome.GREEN]
    seconds = [Sample(at=at, value=one.wall_seconds) for at, one in green if one.wall_seconds is not None]
    costs = [
        Sample(at=at, value=one.cost_millicredits / 1000) for at, one in green if one.cost_millicredits is not None
    ]
    outputs: dict[str, list[OutputSample]] = {}
    for at, result in found:
        for name, one in result.comparisons.items():
            sample = OutputSample(at=at, verdict=one.verdict.value, differing=one.differing, largest=one.largest)
            outputs.setdefault(name, []).append(sample)
    return ScenarioDrift(
        seconds=drift(seconds, now=now, above=Drifted.SLOWER),
        cost=drift(costs, now=now, above=Drifted.DEARER),
        outputs={name: tuple(samples[-MOST_SAMPLES:]) for name, samples in outputs.items()},
    )
