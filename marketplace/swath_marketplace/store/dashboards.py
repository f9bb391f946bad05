"""What dashboards tell of runs, summed up in SQL. Reads only; indices of the migration `moderation` carry it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.dashboards import (
    LEAST_RUNS,
    DaySpend,
    FailingVersion,
    Failure,
    Income,
    Tally,
    Use,
    cell_told,
    class_told,
)
from swath_marketplace.domain.runs import ACTIVE_STAGES, Desired, RunPurpose, RunStatus, SettlementKind, Stage
from swath_marketplace.store.database import Database
from swath_marketplace.store.hook_tables import deliveries
from swath_marketplace.store.lineage_tables import makes
from swath_marketplace.store.tables import algorithms, runs

#: Ways to fail that are looked at; the rarest of more are left out.
_MOST_WAYS = 2_000
_MOST_FAILING = 20
#: Said in so many words, so that the index of runs that are not over serves, however few there are beside the others.
_OPEN = sa.text("runs.stage <> 'terminal'")


class UseFacts:
    """How algorithms are used by others than their author."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def algorithms_of(self, owner: str) -> Sequence[tuple[str, str]]:
        """Id and name of every algorithm of `owner`."""
        query = sa.select(algorithms.c.id, algorithms.c.name).where(algorithms.c.owner == owner)
        with self._database.read() as connection:
            return [(row.id, row.name) for row in connection.execute(query.order_by(algorithms.c.name))]

    def of(self, ids: Sequence[str], *, owner: str, since: datetime) -> Mapping[str, Use]:
        """The use of algorithms of `owner` since a time, by id."""
        if not ids:
            return {}
        others = (
            runs.c.algorithm_id.in_(ids),
            runs.c.caller != owner,
            runs.c.purpose != RunPurpose.BENCHMARK.value,
        )
        made = (*others, runs.c.created_at >= since)
        with self._database.read() as connection:
            days = self._tallies(connection, self._day(runs.c.created_at), made)
            versions = self._tallies(connection, runs.c.version, made)
            counted = sa.select(runs.c.algorithm_id, sa.func.count(sa.distinct(runs.c.caller)).label("callers"))
            rows = connection.execute(counted.where(*made).group_by(runs.c.algorithm_id))
            callers = {row.algorithm_id: row.callers for row in rows}
            failures = self._failures(connection, (*others, runs.c.ended_at >= since))
            income = self._income(connection, (*others, runs.c.ended_at >= since))
        return {
            one: Use(
                days={date.fromisoformat(day): tally for day, tally in days[one].items()},
                versions=versions[one],
                callers=callers.get(one, 0),
                failures=failures[one],
                income=income[one],
            )
            for one in ids
        }

    def _tallies(
        self, connection: sa.Connection, by: sa.ColumnElement[str], wanted: Sequence[sa.ColumnElement[bool]]
    ) -> Mapping[str, dict[str, Tally]]:
        inner = sa.select(runs.c.algorithm_id, by.label("key"), *_ended()).where(*wanted).subquery()
        query = sa.select(inner.c.algorithm_id, inner.c.key, *_sums(inner)).group_by(inner.c.algorithm_id, inner.c.key)
        found: dict[str, dict[str, Tally]] = defaultdict(dict)
        for row in connection.execute(query):
            found[row.algorithm_id][row.key] = _tally(row)
        return found

    def _failures(
        self, connection: sa.Connection, wanted: Sequence[sa.ColumnElement[bool]]
    ) -> Mapping[str, list[Failure]]:
        message = runs.c.error["message"].as_string()
        head = (
            sa.func.substr(message, 1, sa.func.instr(message + ":", ":") - 1)
            if self._database.is_sqlite
            else sa.func.split_part(message, ":", 1)
        )
        inner = (
            sa.select(
                runs.c.algorithm_id,
                runs.c.version,
                runs.c.error["code"].as_string().label("code"),
                runs.c.error["cell"].as_string().label("cell"),
                # Longer than any known class is none.
                sa.func.substr(head, 1, 40).label("head"),
                runs.c.ended_at,
            )
            .where(*wanted, _failed())
            .subquery()
        )
        groups = (inner.c.algorithm_id, inner.c.version, inner.c.code, inner.c.cell, inner.c.head)
        times = sa.func.count().label("times")
        query = (
            sa.select(*groups, times, sa.func.max(inner.c.ended_at).label("last_at"))
            .group_by(*groups)
            .order_by(times.desc())
            .limit(_MOST_WAYS)
        )
        merged: dict[tuple[Any, ...], tuple[int, datetime]] = {}
        for row in connection.execute(query):
            key = (row.algorithm_id, row.version, row.code, cell_told(row.cell), _class_of(row.code, row.head))
            before, last_at = merged.get(key, (0, row.last_at))
            merged[key] = before + row.times, max(last_at, row.last_at)
        found: dict[str, list[Failure]] = defaultdict(list)
        for (algorithm_id, version, code, cell, name), (alike, last_at) in merged.items():
            found[algorithm_id].append(
                Failure(version=version, code=code, cell=cell, error_class=name, count=alike, last_at=last_at)
            )
        for some in found.values():
            some.sort(key=lambda one: (-one.count, -one.last_at.timestamp()))
        return found

    def _income(
        self, connection: sa.Connection, wanted: Sequence[sa.ColumnElement[bool]]
    ) -> Mapping[str, dict[date, Income]]:
        # As text first: no database takes a number of ours for too large a one.
        paid = sa.cast(runs.c.added_value["paid"].as_string(), sa.BigInteger).label("paid")
        inner = (
            sa.select(runs.c.algorithm_id, self._day(runs.c.ended_at).label("day"), paid)
            .where(*wanted, runs.c.added_value.is_not(None))
            .subquery()
        )
        query = (
            sa.select(
                inner.c.algorithm_id,
                inner.c.day,
                sa.func.count().label("times"),
                sa.func.sum(inner.c.paid).label("paid"),
            )
            .where(inner.c.paid > 0)
            .group_by(inner.c.algorithm_id, inner.c.day)
        )
        found: dict[str, dict[date, Income]] = defaultdict(dict)
        for row in connection.execute(query):
            day = date.fromisoformat(row.day)
            found[row.algorithm_id][day] = Income(runs=row.times, millicredits=int(row.paid))
        return found

    def _day(self, at: sa.ColumnElement[datetime]) -> sa.ColumnElement[str]:
        return day_of(at, is_sqlite=self._database.is_sqlite)


class PlatformFacts:
    """How the platform fares, of all callers together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self) -> Sequence[tuple[str, int, datetime]]:
        """Callers with their runs that wait for a slot and since when the first does, the longest wait first."""
        oldest = sa.func.min(sa.func.coalesce(runs.c.queued_at, runs.c.created_at)).label("oldest")
        query = (
            sa.select(runs.c.caller, sa.func.count().label("times"), oldest)
            .where(_OPEN, runs.c.stage == Stage.HELD.value, runs.c.desired == Desired.FINISHED.value)
            .group_by(runs.c.caller)
            .order_by(oldest)
        )
        with self._database.read() as connection:
            return [(row.caller, row.times, row.oldest) for row in connection.execute(query)]

    def active(self) -> Sequence[tuple[str, Resources]]:
        """The runs that have a slot: their callers, and what they are given."""
        has_slot = runs.c.stage.in_([stage.value for stage in ACTIVE_STAGES])
        with self._database.read() as connection:
            rows = connection.execute(sa.select(runs.c.caller, runs.c.resources).where(_OPEN, has_slot)).all()
        return [(row.caller, Resources.from_dict(row.resources)) for row in rows]

    def spend(self, *, since: datetime) -> Sequence[DaySpend]:
        """Each day on which runs ended."""
        inner = (
            sa.select(
                day_of(runs.c.ended_at, is_sqlite=self._database.is_sqlite).label("day"),
                *_ended(),
                sa.case((runs.c.platform_fault, 1), else_=0).label("fault"),
                runs.c.cost_millicredits.label("cost"),
            )
            .where(runs.c.ended_at >= since)
            .subquery()
        )
        query = (
            sa.select(
                inner.c.day,
                *_sums(inner),
                sa.func.sum(inner.c.fault).label("faults"),
                sa.func.coalesce(sa.func.sum(inner.c.cost), 0).label("cost"),
            )
            .group_by(inner.c.day)
            .order_by(inner.c.day)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            DaySpend(
                day=date.fromisoformat(row.day), tally=_tally(row), faults=int(row.faults), millicredits=int(row.cost)
            )
            for row in rows
        ]

    def failing(self, *, since: datetime) -> Sequence[FailingVersion]:
        """Versions of whose runs by callers the greatest part failed, where there were enough to tell."""
        inner = (
            # By an expression: grouped by the column, SQLite would walk another index and every row.
            sa.select((runs.c.algorithm_id + "").label("algorithm_id"), runs.c.version, *_ended())
            .where(runs.c.ended_at >= since, runs.c.purpose != RunPurpose.BENCHMARK.value)
            .subquery()
        )
        failed, finished = sa.func.sum(inner.c.failed), sa.func.sum(inner.c.finished)
        summed = (
            sa.select(inner.c.algorithm_id, inner.c.version, *_sums(inner))
            .group_by(inner.c.algorithm_id, inner.c.version)
            .having(failed > 0, failed + finished >= LEAST_RUNS)
            .order_by((failed * 1.0 / (failed + finished)).desc(), failed.desc())
            .limit(_MOST_FAILING)
            .subquery()
        )
        query = sa.select(algorithms.c.owner, algorithms.c.name, summed).join(
            algorithms, algorithms.c.id == summed.c.algorithm_id
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        found = [FailingVersion(owner=row.owner, name=row.name, version=row.version, tally=_tally(row)) for row in rows]
        return sorted(found, key=lambda one: (one.tally.success or 0.0, -one.tally.failed))

    def deliveries(self) -> Mapping[str, int]:
        """How many messages of webhooks there are, by how far they have come."""
        query = sa.select(deliveries.c.stage, sa.func.count().label("times")).group_by(deliveries.c.stage)
        with self._database.read() as connection:
            return {row.stage: row.times for row in connection.execute(query.order_by(deliveries.c.stage))}

    def results(self) -> tuple[int, int]:
        """How many files runs brought back, and their bytes."""
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(makes.c.bytes), 0))
        with self._database.read() as connection:
            count, total = connection.execute(query.select_from(makes)).one()
        return int(count), int(total)


def day_of(at: sa.ColumnElement[datetime], *, is_sqlite: bool) -> sa.ColumnElement[str]:
    """The day of a time, in UTC, as ``2026-05-01``."""
    if is_sqlite:
        return sa.func.substr(at, 1, 10, type_=sa.String())
    return sa.func.to_char(sa.func.timezone("UTC", at), "YYYY-MM-DD", type_=sa.String())


def _failed() -> sa.ColumnElement[bool]:
    return sa.and_(
        runs.c.outcome == RunStatus.ERROR.value,
        sa.not_(runs.c.platform_fault),
        sa.or_(runs.c.settlement.is_(None), runs.c.settlement != SettlementKind.REFUSED.value),
    )


def _ended() -> tuple[sa.Label[int], sa.Label[int]]:
    finished = sa.case((runs.c.outcome == RunStatus.FINISHED.value, 1), else_=0)
    return finished.label("finished"), sa.case((_failed(), 1), else_=0).label("failed")


def _sums(inner: sa.Subquery) -> tuple[sa.ColumnElement[int], ...]:
    return (
        sa.func.count().label("runs"),
        sa.func.sum(inner.c.finished).label("finished"),
        sa.func.sum(inner.c.failed).label("failed"),
    )


def _tally(row: sa.Row[Any]) -> Tally:
    return Tally(runs=row.runs, finished=int(row.finished), failed=int(row.failed))


def _class_of(code: str | None, head: str | None) -> str | None:
    return class_told(head) if code == "cell-failed" else None
