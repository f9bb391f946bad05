"""Rounds in SQL: from when they are asked for until they have ended, and what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from swath_marketplace.domain.benchmarks import (
    Order,
    Round,
    RoundRun,
    RoundState,
    ScenarioOutcome,
    ScenarioResult,
    Trigger,
)
from swath_marketplace.domain.breaks import Changes
from swath_marketplace.store import tables
from swath_marketplace.store.breaks import write_changes
from swath_marketplace.store.database import Database
from swath_marketplace.store.round_tables import round_lease, round_results, round_runs, rounds

_LEASE = 1


class RoundStore:
    """Rounds, in one database that any number of processes share.

    Promises
    --------
    - Of a version's dossier one round at a time is open, and of all rounds one at a time runs, whatever races.
    - What was noted (a run, a scenario's result) stands: noting it again changes nothing and answers what stands.
    - `end` is one transaction with what it opens, closes and tells; an ended round never changes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, order: Order) -> tuple[Order, bool]:
        """Add `order` under the next number, unless a round of that dossier is open; whether it is new."""
        with self._database.write() as connection:
            _in_turn(connection, order.algorithm_id)
            mine = _of(order.algorithm_id, order.version_digest)
            same = sa.and_(mine, rounds.c.dossier_digest == order.dossier_digest, _open())
            found = connection.execute(sa.select(rounds).where(same)).one_or_none()
            if found is not None:
                return _order(found), False
            last = sa.select(sa.func.coalesce(sa.func.max(rounds.c.number), 0)).where(mine)
            made = replace(order, number=connection.execute(last).scalar_one() + 1)
            connection.execute(rounds.insert().values(_values(made)))
        return made, True

    def order(self, round_id: str) -> Order | None:
        """A round as far as it is."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(rounds).where(rounds.c.id == round_id)).one_or_none()
        return None if row is None else _order(row)

    def open(self) -> Sequence[Order]:
        """Every round that waits or runs; the one that runs first."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(rounds).where(_open()).order_by(rounds.c.asked_at, rounds.c.id)).all()
        return sorted((_order(row) for row in rows), key=lambda one: one.state is not RoundState.RUNNING)

    def latest(self, algorithm_id: str, version_digest: str) -> Order | None:
        """The round of a version that was asked for last."""
        query = sa.select(rounds).where(_of(algorithm_id, version_digest)).order_by(rounds.c.number.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _order(row)

    def of(
        self, algorithm_id: str, digest: str, *, limit: int | None = None, offset: int = 0, before: int | None = None
    ) -> Sequence[Round]:
        """Every ended round of a version, newest last; with `limit` the newest so many, `before` one of a number."""
        wanted = [_ended_of(algorithm_id, digest)]
        if before is not None:
            wanted.append(rounds.c.number < before)
        query = sa.select(rounds).where(*wanted).order_by(rounds.c.number.desc()).limit(limit)
        # SQLite knows no offset without a limit.
        query = query.offset(offset) if offset else query
        with self._database.read() as connection:
            orders = [_order(row) for row in connection.execute(query)]
            results = _results(connection, [order.id for order in orders])
        return [_round(order, results) for order in reversed(orders)]

    def count_ended(self, algorithm_id: str, digest: str) -> int:
        """How many rounds of a version have ended."""
        query = sa.select(sa.func.count()).select_from(rounds).where(_ended_of(algorithm_id, digest))
        with self._database.read() as connection:
            count: int = connection.execute(query).scalar_one()
        return count

    def ended(self, round_id: str) -> Round | None:
        """A round that has ended."""
        order = self.order(round_id)
        if order is None or order.state is not RoundState.ENDED:
            return None
        return _round(order, {order.id: self.results(order.id)})

    def count_since(self, algorithm_id: str, since: datetime) -> int:
        """How many rounds of an algorithm were asked for after `since`."""
        mine = sa.and_(rounds.c.algorithm_id == algorithm_id, rounds.c.asked_at > since)
        with self._database.read() as connection:
            count: int = connection.execute(sa.select(sa.func.count()).select_from(rounds).where(mine)).scalar_one()
        return count

    def begin(self, order: Order, *, at: datetime) -> Order | None:
        """Let `order` run; ``None`` when another round runs, or it waits no more."""
        mine = sa.and_(rounds.c.id == order.id, rounds.c.state == RoundState.WAITING.value)
        begun = {"state": RoundState.RUNNING.value, "started_at": at}
        try:
            with self._database.write() as connection:
                changed = connection.execute(rounds.update().where(mine).values(begun)).rowcount
        except sa.exc.IntegrityError:
            return None
        return replace(order, state=RoundState.RUNNING, started_at=at) if changed else None

    def runs(self, round_id: str) -> Sequence[RoundRun]:
        """The runs of a round, and those that could not be made."""
        query = sa.select(round_runs).where(round_runs.c.round_id == round_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(round_runs.c.scenario, round_runs.c.ordinal)).all()
        return [
            RoundRun(scenario=row.scenario, ordinal=row.ordinal, run_id=row.run_id, failure=row.failure) for row in rows
        ]

    def note_run(self, round_id: str, run: RoundRun) -> None:
        """Note one of a round's runs; the first word stands."""
        values = {
            "round_id": round_id,
            "scenario": run.scenario,
            "ordinal": run.ordinal,
            "run_id": run.run_id,
            "failure": dict(run.failure) if run.failure is not None else None,
        }
        with self._database.write() as connection:
            connection.execute(self._insert(round_runs).values(values).on_conflict_do_nothing())

    def results(self, round_id: str) -> tuple[ScenarioResult, ...]:
        """What was found so far, in the order of the scenarios' names."""
        with self._database.read() as connection:
            return _results(connection, [round_id]).get(round_id, ())

    def note_result(self, round_id: str, result: ScenarioResult, *, at: datetime) -> None:
        """Note what came of a scenario; the first word stands."""
        values = {"round_id": round_id, "scenario": result.scenario, "result": result.as_dict(), "judged_at": at}
        with self._database.write() as connection:
            connection.execute(self._insert(round_results).values(values).on_conflict_do_nothing())

    def end(self, order: Order, *, at: datetime, changes: Changes) -> bool:
        """End a round, with what that changes; false when it has ended before, and then nothing is changed."""
        mine = sa.and_(rounds.c.id == order.id, rounds.c.state == RoundState.RUNNING.value)
        ended = {"state": RoundState.ENDED.value, "ended_at": max(at, order.started_at or at)}
        with self._database.write() as connection:
            if not connection.execute(rounds.update().where(mine).values(ended)).rowcount:
                return False
            write_changes(connection, changes)
        return True

    def ended_between(self, since: datetime, until: datetime) -> Mapping[str, tuple[str, ...]]:
        """The runs of each round that ended then, by the round's id."""
        wanted = (rounds.c.state == RoundState.ENDED.value, rounds.c.ended_at > since, rounds.c.ended_at <= until)
        query = (
            sa.select(rounds.c.id, round_runs.c.run_id)
            .join(round_runs)
            .where(*wanted, round_runs.c.run_id.is_not(None))
        )
        found: dict[str, list[str]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                found.setdefault(row.id, []).append(row.run_id)
        return {round_id: tuple(sorted(some)) for round_id, some in found.items()}

    def latest_green(self) -> frozenset[str]:
        """Of each version the latest ended round in which a scenario was green."""
        green = round_results.c.result["outcome"].as_string() == ScenarioOutcome.GREEN.value
        numbers = (
            sa.select(rounds.c.algorithm_id, rounds.c.version_digest, sa.func.max(rounds.c.number).label("number"))
            .join(round_results, round_results.c.round_id == rounds.c.id)
            .where(rounds.c.state == RoundState.ENDED.value, green)
            .group_by(rounds.c.algorithm_id, rounds.c.version_digest)
            .subquery()
        )
        same = sa.and_(
            rounds.c.algorithm_id == numbers.c.algorithm_id,
            rounds.c.version_digest == numbers.c.version_digest,
            rounds.c.number == numbers.c.number,
        )
        with self._database.read() as connection:
            return frozenset(connection.execute(sa.select(rounds.c.id).join(numbers, same)).scalars())

    def untold(self) -> Sequence[Order]:
        """Rounds that have ended, and not everybody who listens was told."""
        query = sa.select(rounds).where(rounds.c.state == RoundState.ENDED.value, rounds.c.told_at.is_(None))
        with self._database.read() as connection:
            return [_order(row) for row in connection.execute(query.order_by(rounds.c.ended_at, rounds.c.id))]

    def told(self, round_id: str, *, at: datetime) -> None:
        """Note that everybody who listens was told of the end."""
        mine = sa.and_(rounds.c.id == round_id, rounds.c.told_at.is_(None))
        with self._database.write() as connection:
            connection.execute(rounds.update().where(mine).values(told_at=at))

    def holder(self) -> str | None:
        """Who holds the lease, if somebody does."""
        with self._database.read() as connection:
            return connection.execute(sa.select(round_lease.c.holder)).scalar_one_or_none()

    def lease(self, holder: str, *, now: datetime, until: datetime) -> bool:
        """Take or prolong the lease to work on rounds; false while another holds it."""
        values = {"id": _LEASE, "holder": holder, "until": until}
        free = sa.or_(round_lease.c.holder == holder, round_lease.c.until < now)
        with self._database.write() as connection:
            if connection.execute(round_lease.update().where(free).values(values)).rowcount:
                return True
            # PostgreSQL tells no count of what an insert made, but what it returns.
            made = self._insert(round_lease).values(values).on_conflict_do_nothing().returning(round_lease.c.id)
            return connection.execute(made).first() is not None

    def let_go(self, holder: str) -> None:
        """Give the lease up, so that another takes over at once."""
        with self._database.write() as connection:
            connection.execute(round_lease.delete().where(round_lease.c.holder == holder))

    def _insert(self, table: sa.Table) -> Any:
        return (sqlite.insert if self._database.is_sqlite else postgresql.insert)(table)


def _in_turn(connection: sa.Connection, algorithm_id: str) -> None:
    """Let one writer at a time add to what belongs to an algorithm."""
    algorithms = tables.algorithms
    connection.execute(sa.select(algorithms.c.id).where(algorithms.c.id == algorithm_id).with_for_update())


def _of(algorithm_id: str, version_digest: str) -> sa.ColumnElement[bool]:
    return sa.and_(rounds.c.algorithm_id == algorithm_id, rounds.c.version_digest == version_digest)


def _ended_of(algorithm_id: str, version_digest: str) -> sa.ColumnElement[bool]:
    return sa.and_(_of(algorithm_id, version_digest), rounds.c.state == RoundState.ENDED.value)


def _open() -> sa.ColumnElement[bool]:
    return rounds.c.state != RoundState.ENDED.value


def _values(order: Order) -> dict[str, Any]:
    names = (name for name in rounds.c.keys() if name != "told_at")  # noqa: SIM118 - not a mapping
    values = {name: getattr(order, name) for name in names}
    return {**values, "trigger": order.trigger.value, "state": order.state.value}


def _order(row: sa.Row[Any]) -> Order:
    values = {name: value for name, value in row._mapping.items() if name != "told_at"}
    return Order(**{**values, "trigger": Trigger(row.trigger), "state": RoundState(row.state)})


def _results(connection: sa.Connection, round_ids: Sequence[str]) -> dict[str, tuple[ScenarioResult, ...]]:
    query = sa.select(round_results).where(round_results.c.round_id.in_(round_ids))
    found: dict[str, list[ScenarioResult]] = {}
    for row in connection.execute(query.order_by(round_results.c.scenario)):
        found.setdefault(row.round_id, []).append(ScenarioResult.from_dict(row.result))
    return {round_id: tuple(some) for round_id, some in found.items()}


def _round(order: Order, results: Mapping[str, tuple[ScenarioResult, ...]]) -> Round:
    assert order.ended_at is not None
    return order.as_round(results.get(order.id, ()), ended_at=order.ended_at)
