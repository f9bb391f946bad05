"""What runs read and made, in SQL, and the walks through it: one recursive query each, whatever the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain.lineage import (
    MOST_FLOWS,
    MOST_RUNS,
    Flow,
    Make,
    RunFacts,
    Trail,
    Use,
    makes_of,
    uses_of,
)
from swath_marketplace.domain.runs import Run
from swath_marketplace.store.database import Database
from swath_marketplace.store.lineage_tables import makes, uses
from swath_marketplace.store.tables import runs, versions


def record(connection: sa.Connection, run: Run) -> None:
    """Note what an ended run read and made, in the transaction that ends it: so none is forgotten, and none twice."""
    if used := [asdict(use) for use in uses_of(run)]:
        connection.execute(uses.insert(), used)
    if made := [asdict(make) for make in makes_of(run)]:
        connection.execute(makes.insert(), made)


class LineageStore:
    """Reads only; `record` is called by the store of runs.

    Bytes come from the run that made them first, if it ended before they were read, and if nobody had read the same
    bytes before it ended: a run that copies a scene, or makes again what another made, is not where they come from.

    Promises: every walk ends, also when the edges went in a circle; each run is walked through once; of more runs or
    files than the bounds allow, the nearest are kept and the trail says that it was cut off.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def up(self, roots: Sequence[str], *, most: int = MOST_RUNS) -> Trail:
        """The runs that `roots` come from, themselves first, and every file that all of these read."""
        made = _made_what_was_read()
        walk = sa.select(runs.c.id.label("run_id")).where(runs.c.id.in_(roots)).cte("walk", recursive=True)
        walk = walk.union(
            sa.select(makes.c.run_id)
            .select_from(walk.join(uses, uses.c.run_id == walk.c.run_id).join(makes, made))
            .where(_first())
        )
        origins = sa.and_(made, _first())
        with self._database.read() as connection:
            self._step_by_index(connection)
            ids, cut = _walked(connection, walk, most)
            rows = connection.execute(
                sa.select(uses, makes.c.run_id.label("maker"), makes.c.name.label("output"))
                .select_from(uses.outerjoin(makes, origins))
                .where(uses.c.run_id.in_(ids))
                .limit(MOST_FLOWS + 1)
            ).all()
            facts = _facts(connection, ids)
        return Trail(runs=facts, flows=_flows(rows), cut_off=cut or len(rows) > MOST_FLOWS)

    def down(self, roots: Sequence[str], *, most: int = MOST_RUNS) -> Trail:
        """The runs that read what `roots` made, and so on, `roots` first; with the files that went between them.

        What one of `roots` made is followed also where another run had made the same bytes before.
        """
        comes = sa.and_(_made_what_was_read(), sa.or_(makes.c.run_id.in_(roots), _first()))
        walk = sa.select(runs.c.id.label("run_id")).where(runs.c.id.in_(roots)).cte("walk", recursive=True)
        walk = walk.union(
            sa.select(uses.c.run_id).select_from(
                walk.join(makes, makes.c.run_id == walk.c.run_id).join(uses, comes),
            )
        )
        with self._database.read() as connection:
            self._step_by_index(connection)
            ids, cut = _walked(connection, walk, most)
            rows = connection.execute(
                sa.select(uses, makes.c.run_id.label("maker"), makes.c.name.label("output"))
                .select_from(makes.join(uses, comes))
                .where(makes.c.run_id.in_(ids), uses.c.run_id.in_(ids))
                .limit(MOST_FLOWS + 1)
            ).all()
            facts = _facts(connection, ids)
        return Trail(runs=facts, flows=_flows(rows), cut_off=cut or len(rows) > MOST_FLOWS)

    def _step_by_index(self, connection: sa.Connection) -> None:
        """Keep PostgreSQL from reading whole tables at each step: it plans a step without knowing how many follow."""
        if not self._database.is_sqlite:
            for setting in ("enable_hashjoin", "enable_mergejoin"):
                connection.execute(sa.text(f"SET LOCAL {setting} = off"))

    def makers(self, sha256: str, *, ahead: str | None = None, limit: int = MOST_RUNS) -> Sequence[tuple[Make, str]]:
        """Runs that made these bytes, the first first, each with its caller; those of the caller `ahead` before all."""
        query = sa.select(makes, runs.c.caller).join(runs).where(makes.c.sha256 == sha256)
        order = (runs.c.caller != (ahead or ""), makes.c.made_at, makes.c.run_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(*order).limit(limit)).all()
        return [(_make(row), row.caller) for row in rows]

    def users(self, sha256: str, *, ahead: str | None = None, limit: int = MOST_RUNS) -> Sequence[tuple[Use, str]]:
        """Runs that read these bytes, in the same order."""
        query = sa.select(uses, runs.c.caller).join(runs).where(uses.c.sha256 == sha256)
        order = (runs.c.caller != (ahead or ""), uses.c.used_at, uses.c.run_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(*order).limit(limit)).all()
        return [(_use(row), row.caller) for row in rows]


def _made_what_was_read() -> sa.ColumnElement[bool]:
    return sa.and_(makes.c.sha256 == uses.c.sha256, makes.c.made_at <= uses.c.used_at)


def _first() -> sa.ColumnElement[bool]:
    """That a row of ``lineage_makes`` is where its bytes come from."""
    before, read = makes.alias("before"), uses.alias("read_before")
    earlier = sa.or_(
        before.c.made_at < makes.c.made_at,
        sa.and_(before.c.made_at == makes.c.made_at, before.c.run_id < makes.c.run_id),
    )
    return sa.and_(
        ~sa.exists().where(before.c.sha256 == makes.c.sha256, earlier),
        ~sa.exists().where(read.c.sha256 == makes.c.sha256, read.c.used_at < makes.c.made_at),
    )


def _walked(connection: sa.Connection, walk: sa.CTE, most: int) -> tuple[list[str], bool]:
    """Up to `most` ids, the nearest first, and whether there are more.

    Both databases take rows from a recursive query as they are made, so the limit also ends the recursion; and UNION
    keeps a run that was met from being walked again.
    """
    found = list(connection.execute(sa.select(walk.c.run_id).limit(most + 1)).scalars())
    return found[:most], len(found) > most


def _facts(connection: sa.Connection, ids: Sequence[str]) -> dict[str, RunFacts]:
    names = ("id", "owner", "name", "version", "digest", "caller", "outcome", "parameters", "started_at", "ended_at")
    ran = sa.and_(versions.c.algorithm_id == runs.c.algorithm_id, versions.c.version == runs.c.version)
    columns = (*(runs.c[name] for name in names), versions.c.revoked_at, versions.c.revoked_reason)
    rows = connection.execute(sa.select(*columns).select_from(runs.outerjoin(versions, ran)).where(runs.c.id.in_(ids)))
    known = {
        row.id: RunFacts(
            id=row.id,
            algorithm=f"{row.owner}/{row.name}",
            version=row.version,
            digest=row.digest,
            caller=row.caller,
            status=row.outcome or "running",
            parameters=row.parameters,
            started_at=row.started_at,
            ended_at=row.ended_at,
            revoked_at=row.revoked_at,
            revoked_reason=row.revoked_reason,
        )
        for row in rows
    }
    return {run_id: known[run_id] for run_id in ids}


def _flows(rows: Sequence[sa.Row[Any]]) -> list[Flow]:
    """One for each use: a run may have made the same bytes under two names."""
    found: dict[tuple[str, int, str | None], Flow] = {}
    for row in rows[:MOST_FLOWS]:
        key = (row.run_id, row.position, row.maker)
        if key not in found or (row.output or "") < (found[key].output or ""):
            found[key] = Flow(use=_use(row), maker=row.maker, output=row.output)
    return sorted(found.values(), key=lambda flow: (flow.use.run_id, flow.use.position, flow.maker or ""))


# By place, for there are thousands: each query selects these columns first.
_USE, _MAKE = tuple(uses.c.keys()), tuple(makes.c.keys())


def _use(row: sa.Row[Any]) -> Use:
    return Use(**dict(zip(_USE, row, strict=False)))


def _make(row: sa.Row[Any]) -> Make:
    return Make(**dict(zip(_MAKE, row, strict=False)))
