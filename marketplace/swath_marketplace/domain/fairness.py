"""Which waiting runs start next: round robin over callers, oldest first within each, inside the machine's slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from swath_marketplace.domain.algorithms import Resources

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Slots:
    """What of the machine runs may take together."""

    cpus: float
    memory_mb: int
    per_caller: int = 2
    """Most runs of one caller at a time."""

    def fits(self, resources: Resources) -> bool:
        """Whether a run of `resources` could start on an idle machine."""
        return resources.cpus <= self.cpus and resources.memory_mb <= self.memory_mb


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A run as far as fairness goes."""

    id: str
    caller: str
    resources: Resources
    created_at: datetime


def choose(
    *,
    waiting: Sequence[Candidate],
    active: Sequence[Candidate],
    last_served: Mapping[str, datetime],
    slots: Slots,
) -> tuple[str, ...]:
    """Ids of the waiting runs to start now, in order.

    The caller with the fewest active runs is next; among equals the one served longest ago; then the oldest run. A run
    that does not fit closes the queue behind it, so that small runs never starve a large one.
    """
    busy = Counter(run.caller for run in active)
    cpus = slots.cpus - sum(run.resources.cpus for run in active)
    memory = slots.memory_mb - sum(run.resources.memory_mb for run in active)
    served = dict(last_served)
    left = sorted(waiting, key=lambda run: (run.created_at, run.id))
    chosen: list[str] = []
    while True:
        ready = [run for run in left if busy[run.caller] < slots.per_caller]
        if not ready:
            return tuple(chosen)
        best = min(ready, key=lambda run: (busy[run.caller], served.get(run.caller, _NEVER), run.created_at, run.id))
        if best.resources.cpus > cpus + 1e-9 or best.resources.memory_mb > memory:
            return tuple(chosen)
        chosen.append(best.id)
        left.remove(best)
        busy[best.caller] += 1
        # Later than any time a store can know: this caller was served just now.
        served[best.caller] = datetime.max.replace(tzinfo=UTC)
        cpus -= best.resources.cpus
        memory -= best.resources.memory_mb
