"""The operator's dashboard: who waits, what is taken, what it cost, what fails, and what is to be decided."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from swath_service.actor import Actor, Scope

from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.breaks import Break
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.dashboards import Capacity, DaySpend, FailingVersion, Storage, Told, Waiting
from swath_marketplace.domain.fairness import Slots, Terms
from swath_marketplace.domain.moderation import Act
from swath_marketplace.domain.reports import ReportState
from swath_marketplace.domain.shares import brought_to
from swath_marketplace.domain.visibility import Viewer
from swath_marketplace.services.moderation import Moderation
from swath_marketplace.services.reports import Box, Reports, ReportView
from swath_marketplace.store.breaks import BreakStore
from swath_marketplace.store.dashboards import PlatformFacts
from swath_marketplace.store.queue import QueueStore

_SHOWN = 20
#: Callers that are told of, those who wait longest first.
_MOST_CALLERS = 50

_ALL = Viewer(sees_all=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorDashboard(Told):
    """What an operator is told."""

    waiting: Sequence[Waiting]
    """The longest wait first."""
    waiting_runs: int
    waiting_callers: int
    capacity: Capacity
    spend: Sequence[DaySpend]
    failing: Sequence[FailingVersion]
    breaks: Sequence[Break]
    open_breaks: int
    rounds: Mapping[str, int]
    """Those that have not ended, by state."""
    storage: Storage
    deliveries: Mapping[str, int]
    """Messages of webhooks, by how far they have come."""
    reports: Sequence[ReportView]
    """Open ones, the oldest first."""
    open_reports: int
    acts: Sequence[Act]


class OperatorDashboards:
    """Makes the dashboard, for whoever oversees.

    Parameters
    ----------
    terms
        What the tiers of callers say about the queue.
    rounds
        How many rounds have not ended, by state.
    runs
        The folder of runs.
    """

    def __init__(
        self,
        *,
        facts: PlatformFacts,
        queue: QueueStore,
        terms: Callable[[Sequence[str]], Mapping[str, Terms]],
        slots: Slots,
        breaks: BreakStore,
        rounds: Callable[[], Mapping[str, int]],
        reports: Reports,
        acts: Moderation,
        runs: Path,
        clock: Clock,
    ) -> None:
        self._facts = facts
        self._queue = queue
        self._terms = terms
        self._slots = slots
        self._breaks = breaks
        self._rounds = rounds
        self._reports = reports
        self._acts = acts
        self._runs = runs
        self._clock = clock

    def get(self, actor: Actor, *, days: int = 30) -> OperatorDashboard:
        """How the platform fares, and fared in the last `days` days, today among them.

        Raises
        ------
        Forbidden
        """
        actor.require(Scope.OVERSEE)
        now = self._clock()
        since = datetime.combine(now.date() - timedelta(days=days - 1), datetime.min.time(), now.tzinfo)
        active, waiting = self._facts.active(), self._facts.waiting()
        breaks, open_breaks = self._breaks.list(viewer=_ALL, limit=_SHOWN, offset=0)
        reports, open_reports = self._reports.list(actor, box=Box.QUEUE, state=ReportState.OPEN, limit=_SHOWN, offset=0)
        acts, _ = self._acts.acts(actor, limit=_SHOWN, offset=0)
        return OperatorDashboard(
            since=since,
            until=now,
            waiting=self._waiting(waiting[:_MOST_CALLERS], active, now=now),
            waiting_runs=sum(count for _, count, _ in waiting),
            waiting_callers=len(waiting),
            capacity=self._capacity(active),
            spend=self._facts.spend(since=since),
            failing=self._facts.failing(since=since),
            breaks=breaks,
            open_breaks=open_breaks,
            rounds=self._rounds(),
            storage=self._storage(),
            deliveries=self._facts.deliveries(),
            reports=reports,
            open_reports=open_reports,
            acts=acts,
        )

    def _waiting(
        self, waiting: Sequence[tuple[str, int, datetime]], active: Sequence[tuple[str, Resources]], *, now: datetime
    ) -> Sequence[Waiting]:
        terms, shares = self._terms([caller for caller, _, _ in waiting]), self._queue.shares()
        running = Counter(caller for caller, _ in active)
        found = []
        for caller, count, oldest in waiting:
            share = shares.get(caller)
            taken = brought_to(share, now, rules=self._queue.rules).cpu_seconds / 3600 if share else 0.0
            weight = terms[caller].weight if caller in terms else Terms().weight
            found.append(
                Waiting(
                    caller=caller,
                    runs=count,
                    oldest_at=oldest,
                    weight=weight,
                    running=running[caller],
                    cpu_hours=round(taken, 3),
                )
            )
        return found

    def _capacity(self, active: Sequence[tuple[str, Resources]]) -> Capacity:
        return Capacity(
            running=len(active),
            cpus=self._slots.cpus,
            cpus_in_use=round(sum(one.cpus for _, one in active), 3),
            memory_mb=self._slots.memory_mb,
            memory_mb_in_use=sum(one.memory_mb for _, one in active),
        )

    def _storage(self) -> Storage:
        count, taken = self._facts.results()
        # The folder is made with the first run.
        disk = shutil.disk_usage(next(one for one in (self._runs, *self._runs.parents) if one.exists()))
        return Storage(results=taken, result_files=count, free=disk.free, total=disk.total)
