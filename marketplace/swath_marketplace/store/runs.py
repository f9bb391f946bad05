"""Runs in SQL: who may write about a run (lease and generation), and what a caller sees of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from swath_service.cursors import Place

from swath_marketplace.domain import transitions
from swath_marketplace.domain.clock import Clock, utc_now
from swath_marketplace.domain.errors import LeaseLost
from swath_marketplace.domain.fairness import Slots, Terms
from swath_marketplace.domain.hook_messages import of_run
from swath_marketplace.domain.hooks import Callback
from swath_marketplace.domain.runs import Desired, Run, RunStatus, Stage
from swath_marketplace.domain.shares import Rules
from swath_marketplace.store import lineage, outbox
from swath_marketplace.store.database import Database
from swath_marketplace.store.paging import newest_first
from swath_marketplace.store.queue import QueueStore
from swath_marketplace.store.run_rows import run_of, status_is, values_of
from swath_marketplace.store.tables import run_events, runs


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusEvent:
    """A change that a caller sees."""

    seq: int
    """1 for the first."""
    at: datetime
    status: RunStatus
    detail: Mapping[str, Any] = field(default_factory=dict)
    """With a ``type``, what happened when it was no change of the status."""


class RunStore:
    """Runs, in one database that any number of reconcilers share.

    Promises
    --------
    - `save` writes only for the one who holds the run's lease: whoever claims a run raises its generation, and a
      writer with an older one gets `LeaseLost`. A terminal run is never written again.
    - `claim`, `admit` and `create` give a lease to one asker only, whatever races.
    - `want_canceled` may be called by anybody at any time; it writes no status.
    """

    def __init__(self, database: Database, *, rules: Rules | None = None, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self.queue = QueueStore(database, rules=rules or Rules())

    def create(
        self,
        run: Run,
        *,
        key: str | None,
        request_sha256: str,
        holder: str,
        until: datetime,
        callbacks: Sequence[Callback] = (),
    ) -> tuple[Run, str, bool]:
        """Commit a new run, leased to `holder`, and who is to be told of it.

        Returns
        -------
        tuple
            The run (an earlier one when caller and `key` were seen before), the sha256 of the request it came from,
            and whether it is new.
        """
        made = transitions.check(run)
        values = {
            **values_of(made),
            **_asked(made),
            "idempotency_key": key,
            "request_sha256": request_sha256,
            "generation": 1,
            "lease_holder": holder,
            "lease_until": until,
        }
        try:
            with self._database.write() as connection:
                connection.execute(runs.insert().values(values))
                _tell(connection, run.id, run.status, run.created_at)
                outbox.listen(connection, callbacks, user=run.caller, run_id=run.id, at=run.created_at)
        except sa.exc.IntegrityError:
            earlier = self._by_key(run.caller, key) if key else None
            if earlier is None:
                raise
            return run_of(earlier), earlier.request_sha256, False
        stored = self.get(run.id)
        assert stored is not None
        return stored, request_sha256, True

    def find(self, *, caller: str, key: str) -> tuple[Run, str] | None:
        """The run that `caller` asked for under `key`, and the sha256 of that request."""
        row = self._by_key(caller, key)
        return None if row is None else (run_of(row), row.request_sha256)

    def get(self, run_id: str) -> Run | None:
        """One run."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).one_or_none()
        return None if row is None else run_of(row)

    def list(
        self,
        *,
        caller: str | None,
        statuses: Sequence[RunStatus] = (),
        limit: int,
        offset: int = 0,
        after: Place | None = None,
    ) -> tuple[Sequence[Run], int]:
        """A page of runs, newest first, and how many there are in all; of everybody when `caller` is ``None``.

        Parameters
        ----------
        after
            ``created_at`` and ``id`` of the run after which the page begins.
        """
        wanted: list[sa.ColumnElement[bool]] = []
        if caller is not None:
            wanted.append(runs.c.caller == caller)
        if statuses:
            wanted.append(sa.or_(*(status_is(status) for status in statuses)))
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(runs).where(*wanted)).scalar_one()
            query = sa.select(runs).where(*wanted, *newest_first(after, runs.c.created_at, runs.c.id))
            rows = connection.execute(
                query.order_by(runs.c.created_at.desc(), runs.c.id).limit(limit).offset(offset)
            ).all()
        return [run_of(row) for row in rows], total

    def want_canceled(self, run_id: str) -> None:
        """Note that the caller wants an end; a no-op on a run that has one."""
        with self._database.write() as connection:
            connection.execute(runs.update().where(runs.c.id == run_id, _open()).values(desired=Desired.CANCELED.value))

    def claim(self, *, holder: str, now: datetime, until: datetime, limit: int = 50) -> Sequence[str]:
        """Lease runs that need a step and that nobody holds; answers their ids.

        A run that waits for a slot needs none, unless its end is wanted: `admit` takes it.
        """
        due = sa.and_(
            _open(),
            sa.or_(runs.c.stage != Stage.HELD.value, runs.c.desired == Desired.CANCELED.value),
            sa.or_(runs.c.lease_until.is_(None), runs.c.lease_until < now),
        )
        oldest = sa.select(runs.c.id).where(due).order_by(runs.c.created_at).limit(limit)
        with self._database.read() as connection:
            # Most looks find nothing, and a look must not take the write lock.
            if connection.execute(oldest.limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            ids = list(connection.execute(oldest.with_for_update(skip_locked=True)).scalars())
            self._lease(connection, ids, holder=holder, until=until)
        return ids

    def admit(
        self,
        *,
        holder: str,
        until: datetime,
        slots: Slots,
        now: datetime,
        terms: Mapping[str, Terms] | None = None,
    ) -> Sequence[str]:
        """Give free slots to waiting runs, fairly, and lease those runs; answers their ids."""
        if not self.queue.would_admit(slots=slots, now=now, terms=terms or {}):
            return []
        with self._database.write() as connection:
            chosen = self.queue.admit(connection, slots=slots, now=now, terms=terms or {})
            self._lease(connection, chosen, holder=holder, until=until)
        return list(chosen)

    def leased(self, holder: str) -> Sequence[tuple[Run, datetime]]:
        """Every open run that `holder` holds, fresh, with the end of its lease; oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(runs).where(runs.c.lease_holder == holder, _open()).order_by(runs.c.created_at)
            ).all()
        return [(run_of(row), row.lease_until) for row in rows]

    def renew(self, holder: str, *, until: datetime) -> None:
        """Prolong every lease that `holder` still has."""
        with self._database.write() as connection:
            connection.execute(runs.update().where(runs.c.lease_holder == holder, _open()).values(lease_until=until))

    def save(self, run: Run, *, keep_lease: bool = True) -> Run:
        """Write what was observed of `run`, fenced.

        Raises
        ------
        LeaseLost
            When another holder has claimed it, or it is terminal.
        """
        transitions.check(run)
        values = values_of(run)
        if not keep_lease or run.terminal:
            values |= {"lease_holder": None, "lease_until": None}
        mine = sa.and_(runs.c.id == run.id, runs.c.generation == run.generation, _open())
        with self._database.write() as connection:
            if run.stage is Stage.SETTLING:
                # Before any row: whoever gives out slots takes this lock first, too.
                self.queue.lock(connection)
            row = connection.execute(sa.select(runs).where(mine).with_for_update()).one_or_none()
            if row is None:
                raise LeaseLost(run.id)
            before = run_of(row)
            if before.admitted_at is not None:
                # It stands; `QueueStore.rebuild` may have mended it since the run was read.
                del values["admitted_at"]
            connection.execute(runs.update().where(mine).values(values))
            self.queue.replace_charge(connection, before, run)
            if run.terminal:
                lineage.record(connection, run)
            if run.checkpoint and before.checkpoint is None:
                told = {"type": "checkpoint-requested", **run.checkpoint.as_dict()}
                _tell(connection, run.id, run.status, run.checkpoint.asked_at, detail=told)
            if before.status is not run.status:
                _tell(connection, run.id, run.status, _moment(run))
            outbox.tell(connection, of_run(before, run, now=self._clock()))
        return run

    def let_go(self, holder: str) -> None:
        """Give every lease of `holder` up, so that another takes over at once."""
        with self._database.write() as connection:
            connection.execute(
                runs.update().where(runs.c.lease_holder == holder).values(lease_holder=None, lease_until=None)
            )

    def holders(self) -> Sequence[str]:
        """Everybody who holds a lease of an open run."""
        with self._database.read() as connection:
            found = connection.execute(
                sa.select(runs.c.lease_holder).where(_open(), runs.c.lease_holder.is_not(None)).distinct()
            )
            return [holder for holder in found.scalars() if holder]

    def status_events(self, run_id: str, *, after: int = 0) -> Sequence[StatusEvent]:
        """What a caller saw of a run after the change numbered `after`, in order."""
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(run_events)
                .where(run_events.c.run_id == run_id, run_events.c.seq > after)
                .order_by(run_events.c.seq)
            ).all()
        return [
            StatusEvent(seq=row.seq, at=row.at, status=RunStatus(row.status), detail=row.detail or {}) for row in rows
        ]

    def _by_key(self, caller: str, key: str) -> sa.Row[Any] | None:
        with self._database.read() as connection:
            return connection.execute(
                sa.select(runs).where(runs.c.caller == caller, runs.c.idempotency_key == key)
            ).one_or_none()

    def _lease(self, connection: sa.Connection, ids: Sequence[str], *, holder: str, until: datetime) -> None:
        connection.execute(
            runs.update()
            .where(runs.c.id.in_(ids))
            .values(lease_holder=holder, lease_until=until, generation=runs.c.generation + 1)
        )


def _open() -> sa.ColumnElement[bool]:
    return runs.c.stage != Stage.TERMINAL.value


def _asked(run: Run) -> dict[str, Any]:
    """What was asked: written once, when the run is made."""
    return {
        "id": run.id,
        "algorithm_id": run.algorithm_id,
        "owner": run.owner,
        "name": run.name,
        "version": run.version,
        "digest": run.digest,
        "caller": run.caller,
        "parameters": dict(run.parameters),
        "resources": run.resources.as_dict(),
        "estimate": run.estimate.as_dict() if run.estimate else None,
        "features": dict(run.features),
        "budget_millicredits": run.budget_millicredits,
        "ceiling_millicredits": run.ceiling_millicredits,
        "created_at": run.created_at,
        "purpose": run.purpose.value,
        "desired": run.desired.value,
    }


def _moment(run: Run) -> datetime:
    """When `run` came into the status it now has."""
    known = [run.ended_at, run.started_at, run.queued_at, run.created_at]
    return next(moment for moment in known if moment is not None)


def _tell(
    connection: sa.Connection,
    run_id: str,
    status: RunStatus,
    at: datetime,
    *,
    detail: Mapping[str, Any] | None = None,
) -> None:
    last = sa.select(sa.func.coalesce(sa.func.max(run_events.c.seq), 0) + 1).where(run_events.c.run_id == run_id)
    connection.execute(
        run_events.insert().values(run_id=run_id, seq=last.scalar_subquery(), at=at, status=status.value, detail=detail)
    )
