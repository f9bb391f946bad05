"""The queue in SQL: who waits, who gets a slot, and what each caller took of the machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain import fairness, shares, transitions
from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.fairness import Candidate, Queue, Slots, Terms
from swath_marketplace.domain.runs import ACTIVE_STAGES, Desired, Run, Stage
from swath_marketplace.domain.shares import Charge, Rules, Share
from swath_marketplace.store.database import ADMISSION_LOCK, Database
from swath_marketplace.store.run_rows import run_of
from swath_marketplace.store.tables import runs
from swath_marketplace.store.tables import shares as shares_table

#: Of each caller this many waiting runs are looked at when slots are given out; no caller hides another's.
_LOOKED_AT = 50
#: Of all callers so many are looked at to tell somebody where a run stands.
_COUNTED = 5000
_SAMPLE = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The queue at a moment, for telling where a run stands."""

    queue: Queue
    started_at: Mapping[str, datetime]
    """By id of an active run."""
    usual: float
    """Part of its time limit that a run lately took, 0..1; 1 when none is known."""


class QueueStore:
    """The part of the database that fairness is about.

    Promises
    --------
    - `admit` gives a slot to one asker only, whatever races, and charges the caller in the same transaction.
    - A run's charge is replaced by what it really took in the transaction that saves its end (`replace_charge`).
    - The table of shares is always what `rebuild` would make of the runs, but for rounding.
    """

    def __init__(self, database: Database, *, rules: Rules) -> None:
        self._database = database
        self.rules = rules

    def waiting_callers(self) -> Sequence[str]:
        """Everybody whose run waits for a slot."""
        with self._database.read() as connection:
            return list(connection.execute(sa.select(runs.c.caller).where(_waits()).distinct()).scalars())

    def would_admit(self, *, slots: Slots, now: datetime, terms: Mapping[str, Terms]) -> bool:
        """Whether anybody would get a slot now. Most looks find nobody, and a look must not take the write lock."""
        with self._database.read() as connection:
            return bool(fairness.choose(self._queue(connection, slots=slots, now=now, terms=terms, each=1)))

    def admit(
        self,
        connection: sa.Connection,
        *,
        slots: Slots,
        now: datetime,
        terms: Mapping[str, Terms],
    ) -> Sequence[str]:
        """Give free slots to waiting runs in their order and charge their callers; the caller leases them."""
        self._database.lock(connection, ADMISSION_LOCK)
        queue = self._queue(connection, slots=slots, now=now, terms=terms, each=_LOOKED_AT)
        chosen = fairness.choose(queue)
        for run_id in chosen:
            run = run_of(connection.execute(sa.select(runs).where(runs.c.id == run_id)).one())
            after = transitions.slotted(run, at=queue.now)
            connection.execute(
                runs.update().where(runs.c.id == run_id).values(stage=after.stage.value, admitted_at=after.admitted_at)
            )
            self._charge(connection, after, at=queue.now)
        return chosen

    def snapshot(self, *, slots: Slots, now: datetime, terms: Mapping[str, Terms]) -> Snapshot:
        """Who waits and who runs."""
        with self._database.read() as connection:
            queue = self._queue(connection, slots=slots, now=now, terms=terms, each=_COUNTED)
            started = connection.execute(
                sa.select(runs.c.id, runs.c.started_at).where(_is_active(), runs.c.started_at.is_not(None))
            ).all()
            ended = connection.execute(
                sa.select(runs.c.resources, runs.c.usage)
                .where(runs.c.stage == Stage.TERMINAL.value, runs.c.started_at.is_not(None), ~runs.c.platform_fault)
                .order_by(runs.c.ended_at.desc())
                .limit(_SAMPLE)
            ).all()
        return Snapshot(queue=queue, started_at={row.id: row.started_at for row in started}, usual=_usual(ended))

    def lock(self, connection: sa.Connection) -> None:
        """Keep shares as they are until the transaction ends, but for what it does to them itself."""
        self._database.lock(connection, ADMISSION_LOCK)

    def replace_charge(self, connection: sa.Connection, before: Run, after: Run) -> None:
        """Let what a run really took stand for its entry penalty, when it gives its slot back; after `lock`."""
        if before.stage not in ACTIVE_STAGES or after.stage in ACTIVE_STAGES or before.admitted_at is None:
            return
        share = self._share(connection, after.caller)
        if share is None:
            return
        seconds = shares.charged_seconds(
            stage=after.stage,
            resources=after.resources,
            wall_seconds=after.usage.as_dict()["wall_seconds"] if after.usage else None,
            platform_fault=after.platform_fault,
        )
        settled = shares.ended(
            share, after.resources, admitted_at=before.admitted_at, seconds=seconds, rules=self.rules
        )
        self._put(connection, settled, known=True)

    def rebuild(self, *, now: datetime) -> Mapping[str, Share]:
        """Compute all shares from the runs and keep them: after a change of the half-life, say.

        What got its slot in the future, by a clock that was mended since, counts as of now: else the queue's clock
        would stand still until that day.
        """
        with self._database.write() as connection:
            self._database.lock(connection, ADMISSION_LOCK)
            connection.execute(runs.update().where(runs.c.admitted_at > now).values(admitted_at=now))
            made = shares.recomputed(_charges(connection), rules=self.rules)
            connection.execute(shares_table.delete())
            for share in made.values():
                self._put(connection, share, known=False)
        return made

    def shares(self) -> Mapping[str, Share]:
        """All shares as they are kept."""
        with self._database.read() as connection:
            return _shares(connection)

    def _queue(
        self, connection: sa.Connection, *, slots: Slots, now: datetime, terms: Mapping[str, Terms], each: int
    ) -> Queue:
        kept = _shares(connection)
        active = connection.execute(_candidates().where(_is_active())).all()
        return Queue(
            waiting=[_candidate(row) for row in connection.execute(_oldest_of_each(each))],
            active=[_candidate(row) for row in active],
            shares=kept,
            terms=terms,
            slots=slots,
            rules=self.rules,
            # The queue's clock: never before the last admission, so that a step back gives nobody anything.
            now=max([now, *(share.at for share in kept.values())]),
        )

    def _charge(self, connection: sa.Connection, run: Run, *, at: datetime) -> None:
        before = self._share(connection, run.caller)
        after = shares.admitted(before, run.caller, run.resources, at=at, rules=self.rules)
        self._put(connection, after, known=before is not None)

    def _share(self, connection: sa.Connection, caller: str) -> Share | None:
        row = connection.execute(sa.select(shares_table).where(shares_table.c.caller == caller)).one_or_none()
        return None if row is None else _share_of(row)

    def _put(self, connection: sa.Connection, share: Share, *, known: bool) -> None:
        values = {
            "cpu_seconds": share.cpu_seconds,
            "memory_mb_seconds": share.memory_mb_seconds,
            "at": share.at,
        }
        if known:
            connection.execute(shares_table.update().where(shares_table.c.caller == share.caller).values(values))
        else:
            connection.execute(shares_table.insert().values(caller=share.caller, **values))


def _waits() -> sa.ColumnElement[bool]:
    return sa.and_(runs.c.stage == Stage.HELD.value, runs.c.desired == Desired.FINISHED.value)


def _is_active() -> sa.ColumnElement[bool]:
    return runs.c.stage.in_([stage.value for stage in ACTIVE_STAGES])


_COLUMNS = (runs.c.id, runs.c.caller, runs.c.resources, runs.c.queued_at, runs.c.created_at)


def _candidates() -> sa.Select[Any]:
    return sa.select(*_COLUMNS)


def _oldest_of_each(count: int) -> sa.Select[Any]:
    number = sa.func.row_number().over(partition_by=runs.c.caller, order_by=(runs.c.queued_at, runs.c.id))
    numbered = sa.select(*_COLUMNS, number.label("number")).where(_waits()).subquery()
    return sa.select(numbered).where(numbered.c.number <= count)


def _candidate(row: sa.Row[Any]) -> Candidate:
    return Candidate(
        id=row.id,
        caller=row.caller,
        resources=Resources.from_dict(row.resources),
        queued_at=row.queued_at or row.created_at,
    )


def _shares(connection: sa.Connection) -> dict[str, Share]:
    return {row.caller: _share_of(row) for row in connection.execute(sa.select(shares_table))}


def _share_of(row: sa.Row[Any]) -> Share:
    return Share(caller=row.caller, cpu_seconds=row.cpu_seconds, memory_mb_seconds=row.memory_mb_seconds, at=row.at)


def _charges(connection: sa.Connection) -> Sequence[Charge]:
    columns = (runs.c.caller, runs.c.resources, runs.c.admitted_at, runs.c.stage, runs.c.usage, runs.c.platform_fault)
    found = []
    for row in connection.execute(sa.select(*columns).where(runs.c.admitted_at.is_not(None))):
        resources = Resources.from_dict(row.resources)
        seconds = shares.charged_seconds(
            stage=Stage(row.stage),
            resources=resources,
            wall_seconds=row.usage["wall_seconds"] if row.usage else None,
            platform_fault=row.platform_fault,
        )
        found.append(Charge(caller=row.caller, resources=resources, admitted_at=row.admitted_at, seconds=seconds))
    return found


def _usual(ended: Iterable[Any]) -> float:
    parts = [min(1.0, row.usage["wall_seconds"] / max(1, row.resources["wall_seconds"])) for row in ended if row.usage]
    return sum(parts) / len(parts) if parts else 1.0
