"""Dossiers in SQL: only ever added to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from swath.contract.scenarios import Scenario

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.store import tables
from swath_marketplace.store.database import Database
from swath_marketplace.store.dossier_tables import dossiers


class DossierStore:
    """Promises: a dossier is only ever added; of two who put one at once the second finds the first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, dossier: Dossier) -> tuple[Dossier, bool]:
        """Append `dossier` under the next number of its version.

        Returns
        -------
        tuple
            The stored dossier, and whether it is new: the latest one itself, when that has the same digest.
        """
        algorithms = tables.algorithms
        with self._database.write() as connection:
            mine = sa.select(algorithms.c.id).where(algorithms.c.id == dossier.algorithm_id)
            connection.execute(mine.with_for_update())
            known = _latest(connection, dossier.algorithm_id, dossier.version_digest)
            if known and known.digest == dossier.digest:
                return known, False
            made = replace(dossier, sequence=(known.sequence if known else 0) + 1)
            connection.execute(dossiers.insert().values(_values(made)))
        return made, True

    def latest(self, algorithm_id: str, version_digest: str) -> Dossier | None:
        """The dossier that counts for a version."""
        with self._database.read() as connection:
            return _latest(connection, algorithm_id, version_digest)

    def latest_of(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Dossier]:
        """The dossier that counts for each version that has one, by algorithm and digest."""
        wanted, key = set(keys), (dossiers.c.algorithm_id, dossiers.c.version_digest)
        last = (
            sa.select(*key, sa.func.max(dossiers.c.sequence).label("sequence"))
            .where(dossiers.c.algorithm_id.in_({algorithm_id for algorithm_id, _ in wanted}))
            .group_by(*key)
            .subquery()
        )
        query = sa.select(dossiers).join(
            last,
            sa.and_(*(last.c[one.name] == one for one in (*key, dossiers.c.sequence))),
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        found = {(row.algorithm_id, row.version_digest): row for row in rows}
        return {key: _dossier(row) for key, row in found.items() if key in wanted}

    def of(self, algorithm_id: str, version_digest: str) -> Sequence[Dossier]:
        """Every dossier of a version, the first put first."""
        query = _of(algorithm_id, version_digest).order_by(dossiers.c.sequence)
        with self._database.read() as connection:
            return [_dossier(row) for row in connection.execute(query)]


def adopt_dossiers(connection: sa.Connection, version: AlgorithmVersion, some: Sequence[Dossier]) -> None:
    """Append dossiers of elsewhere, in their order, inside a transaction of the caller's.

    Only those that are not there, and only behind the last of them that is: what was put here since stays the latest.
    """
    known = _latest(connection, version.algorithm_id, version.digest)
    if known:
        places = [place for place, one in enumerate(some) if one.digest == known.digest]
        some = some[places[-1] + 1 :] if places else ()
    for number, one in enumerate(some, start=(known.sequence if known else 0) + 1):
        made = replace(one, algorithm_id=version.algorithm_id, version_digest=version.digest, sequence=number)
        connection.execute(dossiers.insert().values(_values(made)))


def _of(algorithm_id: str, version_digest: str) -> sa.Select[Any]:
    return sa.select(dossiers).where(
        dossiers.c.algorithm_id == algorithm_id, dossiers.c.version_digest == version_digest
    )


def _latest(connection: sa.Connection, algorithm_id: str, version_digest: str) -> Dossier | None:
    query = _of(algorithm_id, version_digest).order_by(dossiers.c.sequence.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return _dossier(row) if row else None


def _values(dossier: Dossier) -> dict[str, Any]:
    return {
        **{name: getattr(dossier, name) for name in dossiers.c.keys()},  # noqa: SIM118 - not a mapping
        "files": dict(dossier.files),
        "scenarios": {scenario.name: scenario.as_dict() for scenario in dossier.scenarios},
    }


def _dossier(row: sa.Row[Any]) -> Dossier:
    scenarios = tuple(Scenario.from_dict(name, data) for name, data in sorted(row.scenarios.items()))
    return Dossier(**{**row._mapping, "scenarios": scenarios})
