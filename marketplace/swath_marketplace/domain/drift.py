"""Drift of a scenario: whether its time or cost left what it used to be, and how its outputs moved.

The rule is the one that ESA's APEx algorithm services use for the cost of their benchmarks: the baseline is the median
of the latest samples, the margin is ``max(2.0, 3 x 1.4826 x MAD)``, and what lies above their sum has drifted. MAD is
the median of the absolute deviations from the median; times 1.4826 it estimates the standard deviation of normally
distributed samples (Rousseeuw & Croux 1993, Journal of the American Statistical Association 88, 1273-1283).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

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
