"""Until when runs' files are kept, in SQL: noted once, expired once, and what keeps them longer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from swath_marketplace.domain.benchmarks import RoundState, ScenarioOutcome
from swath_marketplace.domain.keeping import Pin
from swath_marketplace.domain.reproductions import Stage as ReproductionStage
from swath_marketplace.domain.runs import Run, Stage
from swath_marketplace.store.database import Database
from swath_marketplace.store.keeping_tables import result_pins
from swath_marketplace.store.reproduction_tables import reproductions
from swath_marketplace.store.round_tables import breaks, round_results, round_runs, rounds
from swath_marketplace.store.run_rows import run_of
from swath_marketplace.store.tables import runs


class KeepingStore:
    """Promises.

    - What was noted stands: the time until which a run's files are kept is written once, that they expired once.
    - `expire` never takes a run that goes on, whose time is not over, or that is pinned when it commits.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def unnoted(self, *, limit: int) -> Sequence[Run]:
        """Ended runs of which nobody found out yet how long their files are kept."""
        query = sa.select(runs).where(_kept(), runs.c.kept_until.is_(None), runs.c.ended_at.is_not(None))
        with self._database.read() as connection:
            return [run_of(row) for row in connection.execute(query.order_by(runs.c.ended_at).limit(limit))]

    def note(self, run_id: str, until: datetime) -> None:
        """Keep an ended run's files `until` then; the first word stands."""
        mine = sa.and_(runs.c.id == run_id, _kept(), runs.c.kept_until.is_(None))
        with self._database.write() as connection:
            connection.execute(runs.update().where(mine).values(kept_until=until))

    def expire(self, *, now: datetime, limit: int) -> Sequence[str]:
        """Say of runs whose time is over, and that nothing pins, that their files are gone; answers which."""
        due = sa.and_(_kept(), runs.c.kept_until <= now, ~_pinned())
        oldest = sa.select(runs.c.id).where(due).order_by(runs.c.kept_until).limit(limit)
        with self._database.read() as connection:
            # Most looks find nothing, and a look must not take the write lock.
            if connection.execute(oldest.limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            locked = list(connection.execute(oldest.with_for_update(skip_locked=True)).scalars())
            # Looked at again under the lock: a pin may have been committed between the question and the lock.
            still = sa.select(runs.c.id).where(runs.c.id.in_(locked), due).order_by(runs.c.kept_until)
            ids = list(connection.execute(still).scalars())
            connection.execute(runs.update().where(runs.c.id.in_(ids)).values(results_expired_at=now))
        return ids

    def uncleared(self, *, limit: int) -> Sequence[str]:
        """Runs whose files are said to be gone, and may be there still."""
        wanted = (runs.c.results_expired_at.is_not(None), runs.c.results_cleared_at.is_(None))
        with self._database.read() as connection:
            return list(
                connection.execute(
                    sa.select(runs.c.id).where(*wanted).order_by(runs.c.results_expired_at).limit(limit)
                ).scalars()
            )

    def cleared(self, run_id: str, *, at: datetime) -> None:
        """Note that the files of an expired run were removed."""
        mine = sa.and_(runs.c.id == run_id, runs.c.results_expired_at.is_not(None), runs.c.results_cleared_at.is_(None))
        with self._database.write() as connection:
            connection.execute(runs.update().where(mine).values(results_cleared_at=at))

    def pin(self, pin: Pin) -> bool:
        """Keep a run's files until `unpin`; false when they have expired already. Idempotent."""
        values = {name: getattr(pin, name) for name in result_pins.c.keys()}  # noqa: SIM118 - not a mapping
        made: Any = (sqlite.insert if self._database.is_sqlite else postgresql.insert)(result_pins)
        with self._database.write() as connection:
            there = sa.select(runs.c.id).where(runs.c.id == pin.run_id, runs.c.results_expired_at.is_(None))
            if connection.execute(there.with_for_update()).first() is None:
                return False
            connection.execute(made.values(values).on_conflict_do_nothing())
        return True

    def unpin(self, run_id: str, *, reason: str) -> None:
        """Keep a run's files no longer for this reason. Idempotent."""
        mine = sa.and_(result_pins.c.run_id == run_id, result_pins.c.reason == reason)
        with self._database.write() as connection:
            connection.execute(result_pins.delete().where(mine))

    def pinned(self) -> frozenset[str]:
        """Every run that is pinned by name."""
        with self._database.read() as connection:
            return frozenset(connection.execute(sa.select(result_pins.c.run_id).distinct()).scalars())


def _kept() -> sa.ColumnElement[bool]:
    return sa.and_(runs.c.stage == Stage.TERMINAL.value, runs.c.results_expired_at.is_(None))


def _pinned() -> sa.ColumnElement[bool]:
    """Whether somebody needs a run's files: by a pin, for a reproduction that goes on, as what benchmarks show."""
    by_name = sa.exists().where(result_pins.c.run_id == runs.c.id)
    again = sa.exists().where(
        sa.or_(reproductions.c.origin_run_id == runs.c.id, reproductions.c.run_id == runs.c.id),
        reproductions.c.stage != ReproductionStage.ENDED.value,
    )
    other = rounds.alias("other")
    newest = (
        sa.select(sa.func.max(other.c.number))
        .where(
            other.c.algorithm_id == rounds.c.algorithm_id,
            other.c.version_digest == rounds.c.version_digest,
            other.c.state == RoundState.ENDED.value,
        )
        .correlate(rounds)
        .scalar_subquery()
    )
    # What a version's card shows as its example comes from there.
    green = (
        sa.select(sa.func.max(other.c.number))
        .join(round_results, round_results.c.round_id == other.c.id)
        .where(
            other.c.algorithm_id == rounds.c.algorithm_id,
            other.c.version_digest == rounds.c.version_digest,
            other.c.state == RoundState.ENDED.value,
            round_results.c.result["outcome"].as_string() == ScenarioOutcome.GREEN.value,
        )
        .correlate(rounds)
        .scalar_subquery()
    )
    shown = sa.exists().where(breaks.c.round_id == rounds.c.id, breaks.c.closed_at.is_(None))
    benchmark = (
        sa.exists()
        .where(round_runs.c.run_id == runs.c.id, round_runs.c.round_id == rounds.c.id)
        .where(sa.or_(rounds.c.state != RoundState.ENDED.value, rounds.c.number.in_([newest, green]), shown))
    )
    return sa.or_(by_name, again, benchmark)
