"""Acts of moderation in SQL: each with all that it changes, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain.breaks import Notice
from swath_marketplace.domain.moderation import Act, ActKind, Running
from swath_marketplace.domain.runs import Desired, ErrorInfo, RunPurpose, Stage
from swath_marketplace.store.breaks import write_notices
from swath_marketplace.store.database import Database
from swath_marketplace.store.moderation_tables import acts
from swath_marketplace.store.tables import algorithms, runs, versions

#: The same for "one process appends to the log of acts at a time" as the locks of `store.database`.
_ACTS_LOCK = 7_201_115
_NOT_STARTED = (Stage.CREATED.value, Stage.HELD.value, Stage.STARTING.value)

#: Makes the notices of an act, given it as stored and those who called the version lately.
Told = Callable[[Act, Sequence[str]], Iterable[Notice]]


class ModerationStore:
    """Promises: an act is in the log if and only if it changed something; what was done first stands."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hide(self, act: Act, *, told: Told) -> Act | None:
        """Hide the algorithm of `act`; ``None`` when it is hidden already."""
        return self._show(act, algorithms.c.hidden_at.is_(None), at=act.at, reason=act.reason, told=told)

    def unhide(self, act: Act, *, told: Told) -> Act | None:
        """Show the algorithm of `act` again; ``None`` when it is shown."""
        return self._show(act, algorithms.c.hidden_at.is_not(None), at=None, reason=None, told=told)

    def revoke(
        self, act: Act, *, running: Running, stopped_for: ErrorInfo, called_since: datetime, told: Told
    ) -> Act | None:
        """Revoke the version of `act`, for good; ``None`` when it is revoked already.

        Its runs that have not started are wanted ended, for `stopped_for`; so are those that have, with
        `Running.STOP`. Whoever else's end is wanted already keeps the reason that they have.
        """
        mine = sa.and_(versions.c.algorithm_id == act.algorithm_id, versions.c.digest == act.digest)
        with self._database.write() as connection:
            row = connection.execute(sa.select(versions.c.revoked_at).where(mine).with_for_update()).one()
            if row.revoked_at is not None:
                return None
            yank = versions.update().where(mine, versions.c.yanked_at.is_(None))
            connection.execute(yank.values(yanked_at=act.at, yank_reason=act.reason))
            connection.execute(versions.update().where(mine).values(revoked_at=act.at, revoked_reason=act.reason))
            self._stop(connection, act, running=running, stopped_for=stopped_for)
            return self.append(connection, act, told=told, callers=_callers(connection, act, since=called_since))

    def append(self, connection: sa.Connection, act: Act, *, told: Told, callers: Sequence[str] = ()) -> Act:
        """Add `act` to the log and tell of it, in the transaction of `connection`."""
        self._database.lock(connection, _ACTS_LOCK)
        last = connection.execute(sa.select(sa.func.coalesce(sa.func.max(acts.c.sequence), 0))).scalar_one()
        made = replace(act, sequence=last + 1)
        values = {name: getattr(made, name) for name in acts.c.keys()}  # noqa: SIM118 - not a mapping
        connection.execute(acts.insert().values({**values, "kind": made.kind.value}))
        self.tell(connection, told(made, callers))
        return made

    def tell(self, connection: sa.Connection, found: Iterable[Notice]) -> None:
        """Add notices, each once."""
        write_notices(connection, list(found))

    def acts(
        self,
        *,
        algorithm_id: str | None = None,
        owner: str | None = None,
        limit: int,
        offset: int = 0,
        before: int | None = None,
    ) -> tuple[Sequence[Act], int]:
        """A page of acts, the latest first, and how many there are in all.

        Parameters
        ----------
        before
            The number below which the page begins.
        """
        wanted = []
        if algorithm_id is not None:
            wanted.append(acts.c.algorithm_id == algorithm_id)
        if owner is not None:
            wanted.append(acts.c.owner == owner)
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(acts).where(*wanted)).scalar_one()
            if before is not None:
                wanted.append(acts.c.sequence < before)
            query = sa.select(acts).where(*wanted).order_by(acts.c.sequence.desc()).limit(limit).offset(offset)
            return [act_of(row) for row in connection.execute(query)], total

    def of_report(self, report_id: str) -> Sequence[Act]:
        """The acts that answer a report, the first first."""
        query = sa.select(acts).where(acts.c.report_id == report_id).order_by(acts.c.sequence)
        with self._database.read() as connection:
            return [act_of(row) for row in connection.execute(query)]

    def _show(
        self, act: Act, condition: sa.ColumnElement[bool], *, at: datetime | None, reason: str | None, told: Told
    ) -> Act | None:
        change = algorithms.update().where(algorithms.c.id == act.algorithm_id, condition)
        with self._database.write() as connection:
            if not connection.execute(change.values(hidden_at=at, hidden_reason=reason)).rowcount:
                return None
            return self.append(connection, act, told=told)

    def _stop(self, connection: sa.Connection, act: Act, *, running: Running, stopped_for: ErrorInfo) -> None:
        stages = (*_NOT_STARTED, Stage.RUNNING.value) if running is Running.STOP else _NOT_STARTED
        connection.execute(
            runs.update()
            .where(
                runs.c.algorithm_id == act.algorithm_id,
                runs.c.digest == act.digest,
                runs.c.stage.in_(stages),
                runs.c.desired == Desired.FINISHED.value,
            )
            .values(desired=Desired.CANCELED.value, stopped_for=stopped_for.as_dict())
        )


def act_of(row: sa.Row[Any]) -> Act:
    """The act in `row`."""
    return Act(**{**row._mapping, "kind": ActKind(row.kind)})


def _callers(connection: sa.Connection, act: Act, *, since: datetime) -> Sequence[str]:
    called = sa.select(runs.c.caller).where(
        runs.c.algorithm_id == act.algorithm_id,
        runs.c.digest == act.digest,
        runs.c.created_at >= since,
        runs.c.purpose != RunPurpose.BENCHMARK.value,
    )
    return list(connection.execute(called.distinct().order_by(runs.c.caller)).scalars())
