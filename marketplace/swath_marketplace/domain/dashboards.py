"""What a dashboard tells: to authors how their algorithms are used, to operators how the platform fares.

An author learns how many used an algorithm and how it went, never who, nor with which parameters. Of a failure the
author is told its code, the cell and, where it is one of Python's own, the class of the exception: its message and its
traceback may carry what the caller gave, and so may the *name* of a class that the notebook itself makes up.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

#: Classes whose names are Python's and nobody's data.
KNOWN_CLASSES = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
OTHER_CLASS = "another"
#: A cell is named by the run itself; no notebook has more, and a greater number is none.
_MOST_CELLS = 1_000
#: Fewer runs say nothing about a rate.
LEAST_RUNS = 5
#: A chart of more days than these is drawn by weeks.
MOST_DAYS_DRAWN = 92


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """The time that a dashboard tells of."""

    since: datetime
    until: datetime

    @property
    def first_day(self) -> date:
        """The first day that is told of."""
        return self.since.date()

    @property
    def last_day(self) -> date:
        """Today."""
        return self.until.date()


def class_told(head: str | None) -> str | None:
    """The class of an exception as an author may see it: what stands before the first colon of its message."""
    if not head:
        return None
    return head.strip() if head.strip() in KNOWN_CLASSES else OTHER_CLASS


def cell_told(cell: object) -> int | None:
    """The index of a cell as an author may see it, of what a run said it was."""
    text = str(cell)
    return int(text) if text.isdecimal() and len(text) <= len(str(_MOST_CELLS)) and int(text) < _MOST_CELLS else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How runs ended, or that they have not."""

    runs: int = 0
    finished: int = 0
    failed: int = 0
    """Ended in error, and nobody but the version or its parameters was to blame."""

    @property
    def success(self) -> float | None:
        """Part of those that ended by themselves which finished, 0..1; ``None`` while there is none."""
        ended = self.finished + self.failed
        return self.finished / ended if ended else None

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            runs=self.runs + other.runs, finished=self.finished + other.finished, failed=self.failed + other.failed
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Runs of one version that failed alike."""

    version: str
    code: str
    cell: int | None
    """0-based index in the notebook."""
    error_class: str | None
    count: int
    last_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Income:
    """Added value that callers paid in a time, in millicredits, before the platform's share and refunds."""

    runs: int = 0
    millicredits: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """Use of one algorithm by others than its author."""

    days: Mapping[date, Tally] = field(default_factory=dict)
    versions: Mapping[str, Tally] = field(default_factory=dict)
    callers: int = 0
    failures: Sequence[Failure] = ()
    income: Mapping[date, Income] = field(default_factory=dict)

    @property
    def total(self) -> Tally:
        """Of the whole time."""
        return sum(self.days.values(), Tally())

    @property
    def earned(self) -> Income:
        """Of the whole time."""
        return Income(
            runs=sum(one.runs for one in self.income.values()),
            millicredits=sum(one.millicredits for one in self.income.values()),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """What one caller has in the queue, and what they took lately."""

    caller: str
    runs: int
    oldest_at: datetime
    weight: float
    """Of the caller's tier; a heavier one gets a larger share."""
    running: int
    cpu_hours: float
    """Taken lately, by the half-life that fairness counts with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """What of the machine runs take, and may take."""

    running: int
    cpus: float
    cpus_in_use: float
    memory_mb: int
    memory_mb_in_use: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DaySpend:
    """What runs that ended on a day cost their callers, in millicredits, and how they ended."""

    day: date
    tally: Tally
    faults: int
    """Runs that the platform was to blame for."""
    millicredits: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FailingVersion:
    """A version many of whose runs fail."""

    owner: str
    name: str
    version: str
    tally: Tally


@dataclass(frozen=True, kw_only=True, slots=True)
class Storage:
    """What results take, and what is left of the disk that they are on, in bytes."""

    results: int
    result_files: int
    free: int
    total: int


def weeks(days: Mapping[date, int]) -> Mapping[date, int]:
    """The sums of weeks, each named by its Monday."""
    found: dict[date, int] = {}
    for day, count in days.items():
        monday = day - timedelta(days=day.weekday())
        found[monday] = found.get(monday, 0) + count
    return found


def every_day(days: Mapping[date, int], *, first: date, last: date) -> Mapping[date, int]:
    """`days` from `first` to `last`, none left out; by weeks where there are too many to draw."""
    span = (last - first).days + 1
    whole = {first + timedelta(days=number): 0 for number in range(max(1, span))}
    whole |= {day: count for day, count in days.items() if first <= day <= last}
    return weeks(whole) if span > MOST_DAYS_DRAWN else whole
