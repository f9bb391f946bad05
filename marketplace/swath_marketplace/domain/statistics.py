"""What the runs of others show of a version: how often it succeeds, how long it takes, what it costs.

Nothing here tells who ran it or what was asked: below a few runs of a few people nothing but their number is told, and
the edges of a histogram are round numbers, so that no single run stands out by its exact time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from swath_marketplace.domain import budgets
from swath_marketplace.domain.runs import RunStatus

#: So many runs of others, of so many people, must have ended before anything but their number is told.
LEAST_RUNS = 5
LEAST_CALLERS = 2
#: So many count, the newest.
LAST = 200
_BINS = 8
#: 97.5th percentile of the standard normal distribution.
_Z = 1.959964


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One run that ended, of somebody who is neither its author nor the platform. Never leaves this service."""

    caller: str
    outcome: RunStatus
    error_code: str | None
    platform_fault: bool
    wall_seconds: float | None
    cost_millicredits: int | None
    ended_at: datetime

    @property
    def counts(self) -> bool:
        """Whether it says something of the version.

        What the platform is at fault for, what a caller cancelled or did not pay on for, says nothing.
        """
        ended = self.outcome in (RunStatus.FINISHED, RunStatus.ERROR)
        return ended and not self.platform_fault and self.error_code not in budgets.CODES


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """One bar of a histogram: how many values lie in [`low`, `high`), the last one's end included."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """How values are spread: the nearest-rank median and 95th percentile, and a histogram over round edges."""

    count: int
    median: float
    p95: float
    bins: tuple[Bin, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        bins = [{"low": one.low, "high": one.high, "count": one.count} for one in self.bins]
        return {"count": self.count, "median": self.median, "p95": self.p95, "bins": bins}


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """What is told of a version's runs by others."""

    runs: int
    """That count, of the newest `LAST`."""
    told: bool
    """Whether they are enough, and of enough people, to tell more."""
    finished: int | None = None
    share: float | None = None
    """Of them that finished."""
    interval: tuple[float, float] | None = None
    """Wilson's 95 % interval of the share: what few runs can say, and what not."""
    seconds: Spread | None = None
    """Wall-clock seconds of those that finished."""
    millicredits: Spread | None = None
    """What those that finished cost, added value included."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "runs": self.runs,
            "enough": self.told,
            "least": {"runs": LEAST_RUNS, "callers": LEAST_CALLERS},
            "finished": self.finished,
            "share": None if self.share is None else round(self.share, 4),
            "interval95": None if self.interval is None else [round(end, 4) for end in self.interval],
            "seconds": self.seconds.as_dict() if self.seconds else None,
            "cost_millicredits": self.millicredits.as_dict() if self.millicredits else None,
        }


def statistics_of(samples: Sequence[Sample]) -> Statistics:
    """What `samples`, newest first, tell."""
    counted = [sample for sample in samples if sample.counts][:LAST]
    runs = len(counted)
    if runs < LEAST_RUNS or len({sample.caller for sample in counted}) < LEAST_CALLERS:
        return Statistics(runs=runs, told=False)
    done = [sample for sample in counted if sample.outcome is RunStatus.FINISHED]
    return Statistics(
        runs=runs,
        told=True,
        finished=len(done),
        share=len(done) / runs,
        interval=wilson(len(done), runs),
        seconds=_told([one.wall_seconds for one in done if one.wall_seconds is not None]),
        millicredits=_told([float(one.cost_millicredits) for one in done if one.cost_millicredits is not None]),
    )


def _told(values: Sequence[float]) -> Spread | None:
    return spread_of(values) if len(values) >= LEAST_RUNS else None


def wilson(successes: int, runs: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953); `runs` is above 0."""
    share, z2 = successes / runs, _Z * _Z
    middle = (share + z2 / (2 * runs)) / (1 + z2 / runs)
    half = _Z * math.sqrt(share * (1 - share) / runs + z2 / (4 * runs * runs)) / (1 + z2 / runs)
    return max(0.0, middle - half), min(1.0, middle + half)


def spread_of(values: Sequence[float]) -> Spread:
    """The spread of `values`, of which there is at least one."""
    ranked = sorted(values)
    return Spread(
        count=len(ranked),
        median=_rounded(_rank(ranked, 0.5)),
        p95=_rounded(_rank(ranked, 0.95)),
        bins=_bins(ranked),
    )


def _rank(ranked: Sequence[float], share: float) -> float:
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def _rounded(value: float) -> float:
    """Three significant digits: nobody plans by more, and an exact value is some single run's."""
    return float(f"{value:.3g}")


def _bins(ranked: Sequence[float]) -> tuple[Bin, ...]:
    """Bins of one width that is 1, 2 or 5 times a power of ten, from a multiple of it on."""
    low, high = ranked[0], ranked[-1]
    step = _step((high - low) / _BINS or max(abs(high), 1.0) / _BINS)
    first = math.floor(low / step)
    number = max(1, math.floor(high / step) - first + 1)
    counts = [0] * number
    for value in ranked:
        counts[min(number - 1, max(0, math.floor(value / step) - first))] += 1
    return tuple(
        Bin(low=_rounded((first + place) * step), high=_rounded((first + place + 1) * step), count=count)
        for place, count in enumerate(counts)
    )


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= least * (1 - 1e-9))
