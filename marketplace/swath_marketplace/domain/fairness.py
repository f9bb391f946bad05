"""Which waiting runs start next: the caller with the smallest weighted share first, inside the machine's slots.

Order
    The next run is the oldest one of the caller whose dominant share over CPU and memory, divided by the caller's
    weight, is smallest. Each run that is chosen counts with all that it may take before the next is looked for, so a
    burst, or one piece of work cut into many runs, gets no more than a single run that takes as much.
Limits
    A caller at the limit of concurrent runs is passed over. A run that does not fit closes the queue behind it: small
    runs never keep a large one waiting. Nothing is backfilled, because the head may change with every arrival, and what
    is started past one head delays the other.
Bound of the wait
    Let W be `Rules.aging_seconds` and L the longest time that a run keeps its slot (its time limit, a stop's grace,
    collecting). A caller's oldest waiting run starts at the latest

        W + 2 x L x (B + 1)

    after it was queued or the caller last got a slot, whichever was later, where B is the number of *other callers* who
    were waiting at that moment; whatever anybody submits afterwards, and however many come. So the k-th run of a
    caller starts within k times that, with B the most callers who ever waited at once.

    Why: after W the caller is *aged* and stands before all who are not, in the order of the moments at which the waits
    began. Whoever is served begins a new wait, behind. So only those B may be served before, each once. While one of
    these B + 1 is below its limit of concurrent runs, nobody else starts, and within L the machine is idle and the head
    fits. While none is, one of their runs ends within L. Hence one of them starts in every 2 x L.
Clock
    Times are compared on a clock that never goes back: `Queue.now` is the present or the last admission, whichever is
    later. A clock that steps back stops forgetting and aging until it has caught up; nobody gains.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.shares import Rules, Share, brought_to

_EPSILON = 1e-9
#: A weight below this would be no weight at all; a tier that gives none is a mistake in the tier.
_LEAST_WEIGHT = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Slots:
    """What of the machine runs may take together."""

    cpus: float
    memory_mb: int
    per_caller: int = 2
    """Most runs of one caller at a time, where the caller's tier says nothing."""

    def fits(self, resources: Resources) -> bool:
        """Whether a run of `resources` could start on an idle machine."""
        return resources.cpus <= self.cpus and resources.memory_mb <= self.memory_mb


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a caller's tier says about the queue."""

    weight: float = 1.0
    """Twice the weight, twice the share, while both wait."""
    concurrent: int | None = None
    """Most runs at a time; by default `Slots.per_caller`. Never below 1: a run that was accepted is run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A run as far as fairness goes."""

    id: str
    caller: str
    resources: Resources
    queued_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """Everything that decides who is next."""

    waiting: Sequence[Candidate]
    active: Sequence[Candidate] = ()
    shares: Mapping[str, Share] = field(default_factory=dict)
    """By caller; one who is not there took nothing."""
    terms: Mapping[str, Terms] = field(default_factory=dict)
    """By caller; `Terms` of one who is not there."""
    slots: Slots
    rules: Rules = field(default_factory=Rules)
    now: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """Where a waiting run stands."""

    before: int
    """Runs that start before it, as things stand."""
    wait_seconds: float | None
    """Until it starts, when nobody comes before it and runs take as long as they lately did; ``None``: not known."""


def choose(queue: Queue) -> tuple[str, ...]:
    """Ids of the waiting runs to start now, in order. The same queue, in whatever order it is told, gives the same."""
    turns, room = _Turns(queue), _Room(queue.slots)
    for run in queue.active:
        turns.begin(run.caller)
        room.take(run.resources)
    chosen: list[str] = []
    while (best := turns.best()) is not None and room.fits(best.resources):
        turns.take(best, at=queue.now)
        room.take(best.resources)
        chosen.append(best.id)
    return tuple(chosen)


def forecast(queue: Queue, *, seconds_left: Mapping[str, float], usual: float = 1.0) -> Mapping[str, Forecast]:
    """For each waiting run how many start before it and when it would start, if nobody else came.

    Parameters
    ----------
    seconds_left
        By id of an active run: how long it will go on.
    usual
        Part of its time limit that a run usually takes, 0..1.
    """
    turns, room = _Turns(queue), _Room(queue.slots)
    ends: list[tuple[float, str]] = []
    going = {run.id: run for run in queue.active}
    for run in queue.active:
        turns.begin(run.caller)
        room.take(run.resources)
        heapq.heappush(ends, (max(0.0, seconds_left.get(run.id, 0.0)), run.id))
    told: dict[str, Forecast] = {}
    time = 0.0
    while len(told) < len(queue.waiting):
        at = queue.now + timedelta(seconds=time)
        turns.now = at
        best = turns.best()
        if best is not None and room.fits(best.resources):
            turns.take(best, at=at)
            room.take(best.resources)
            told[best.id] = Forecast(before=len(told), wait_seconds=time)
            going[best.id] = best
            heapq.heappush(ends, (time + best.resources.wall_seconds * usual, best.id))
        elif ends:
            time, ended = heapq.heappop(ends)
            turns.end(going[ended].caller)
            room.give_back(going.pop(ended).resources)
        else:
            # A run that fits no more since the slots were made smaller, and all behind it.
            return told | {one.id: Forecast(before=len(told), wait_seconds=None) for one in turns.left()}
    return told


class _Room:
    """What is free of the slots."""

    def __init__(self, slots: Slots) -> None:
        self._cpus = slots.cpus
        self._memory_mb = slots.memory_mb

    def fits(self, resources: Resources) -> bool:
        return resources.cpus <= self._cpus + _EPSILON and resources.memory_mb <= self._memory_mb

    def take(self, resources: Resources) -> None:
        self._cpus -= resources.cpus
        self._memory_mb -= resources.memory_mb

    def give_back(self, resources: Resources) -> None:
        self._cpus += resources.cpus
        self._memory_mb += resources.memory_mb


class _Turns:
    """Whose turn it is, as runs are taken from the queue one by one."""

    def __init__(self, queue: Queue) -> None:
        self.now = queue.now
        self._slots, self._terms = queue.slots, queue.terms
        self._aging = timedelta(seconds=queue.rules.aging_seconds)
        self._busy: Counter[str] = Counter()
        self._lines: dict[str, deque[Candidate]] = {}
        for run in sorted(queue.waiting, key=lambda run: (run.queued_at, run.id)):
            self._lines.setdefault(run.caller, deque()).append(run)
        self._served = {caller: share.at for caller, share in queue.shares.items()}
        self._shares = {
            caller: brought_to(share, queue.now, rules=queue.rules)
            for caller, share in queue.shares.items()
            if caller in self._lines
        }

    def begin(self, caller: str) -> None:
        self._busy[caller] += 1

    def end(self, caller: str) -> None:
        self._busy[caller] -= 1

    def best(self) -> Candidate | None:
        """The run whose turn it is; ``None`` when nobody who waits may have one more."""
        ready = [caller for caller in self._lines if self._busy[caller] < self._limit(caller)]
        return self._lines[min(ready, key=self._key)][0] if ready else None

    def take(self, run: Candidate, *, at: datetime) -> None:
        line = self._lines[run.caller]
        line.popleft()
        if not line:
            del self._lines[run.caller]
        self._busy[run.caller] += 1
        before = self._shares.get(run.caller) or Share(caller=run.caller, at=at)
        self._shares[run.caller] = before.plus(run.resources, run.resources.wall_seconds)
        self._served[run.caller] = at

    def left(self) -> list[Candidate]:
        return [run for line in self._lines.values() for run in line]

    def _limit(self, caller: str) -> int:
        told = self._terms.get(caller, Terms()).concurrent
        return max(1, self._slots.per_caller if told is None else told)

    def _key(self, caller: str) -> tuple[bool, float, datetime, datetime, str]:
        head = self._lines[caller][0]
        served = self._served.get(caller)
        since = head.queued_at if served is None else max(head.queued_at, served)
        aged = self.now - since >= self._aging
        return (not aged, 0.0 if aged else self._standing(caller), since, head.queued_at, head.id)

    def _standing(self, caller: str) -> float:
        share = self._shares.get(caller)
        if share is None:
            return 0.0
        weight = max(_LEAST_WEIGHT, self._terms.get(caller, Terms()).weight)
        return share.dominant(cpus=self._slots.cpus, memory_mb=self._slots.memory_mb) / weight
