"""Prices that authors set, and marks of maturity, in SQL: both are only ever added to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain.added_value import AddedValuePrice, Per
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.maturity import MaturityLevel, MaturityMark
from swath_marketplace.store import tables
from swath_marketplace.store.database import Database
from swath_marketplace.store.value_tables import marks, prices


class PriceStore:
    """Promises: a price is only ever added; of two who set one at once the second finds the first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, price: AddedValuePrice) -> AddedValuePrice:
        """Append `price` under the next number; the latest one itself, when that says the same."""
        with self._database.write() as connection:
            _in_turn(connection, price.algorithm_id)
            known = _prices(connection, price.algorithm_id)
            if known and replace(known[-1], sequence=0, set_by="", set_at=price.set_at) == replace(price, set_by=""):
                return known[-1]
            made = replace(price, sequence=len(known) + 1)
            values = {name: getattr(made, name) for name in prices.c.keys()}  # noqa: SIM118 - not a mapping
            connection.execute(prices.insert().values({**values, "per": made.per.value if made.per else None}))
        return made

    def of(self, algorithm_id: str) -> Sequence[AddedValuePrice]:
        """Every price that was set, in that order."""
        with self._database.read() as connection:
            return _prices(connection, algorithm_id)

    def of_all(self, algorithm_ids: Sequence[str]) -> Mapping[str, Sequence[AddedValuePrice]]:
        """Every price that was set of each of some algorithms, in that order."""
        query = sa.select(prices).where(prices.c.algorithm_id.in_(algorithm_ids)).order_by(prices.c.sequence)
        found: dict[str, list[AddedValuePrice]] = {}
        with self._database.read() as connection:
            for row in connection.execute(query):
                found.setdefault(row.algorithm_id, []).append(_price(row))
        return found


class MarkStore:
    """What operators said of the maturity of versions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, mark: MaturityMark) -> MaturityMark:
        """Append `mark` under the next number."""
        with self._database.write() as connection:
            _in_turn(connection, mark.algorithm_id)
            made = replace(mark, sequence=len(_marks(connection, mark.algorithm_id, mark.digest)) + 1)
            values = {name: getattr(made, name) for name in marks.c.keys()}  # noqa: SIM118 - not a mapping
            connection.execute(marks.insert().values({**values, "level": made.level.value}))
        return made

    def of(self, version: AlgorithmVersion) -> Sequence[MaturityMark]:
        """Every mark of a version, the first set first."""
        with self._database.read() as connection:
            return _marks(connection, version.algorithm_id, version.digest)

    def latest(self, versions: Iterable[AlgorithmVersion]) -> Mapping[tuple[str, str], MaturityMark]:
        """The latest mark of each version that has one, by algorithm and digest."""
        wanted = {(version.algorithm_id, version.digest) for version in versions}
        query = (
            sa.select(marks)
            .where(marks.c.algorithm_id.in_({algorithm_id for algorithm_id, _ in wanted}))
            .order_by(marks.c.sequence)
        )
        with self._database.read() as connection:
            found = {(row.algorithm_id, row.digest): _mark(row) for row in connection.execute(query)}
        return {key: mark for key, mark in found.items() if key in wanted}


def _in_turn(connection: sa.Connection, algorithm_id: str) -> None:
    """Let one writer at a time add to what belongs to an algorithm."""
    algorithms = tables.algorithms
    connection.execute(sa.select(algorithms.c.id).where(algorithms.c.id == algorithm_id).with_for_update())


def _prices(connection: sa.Connection, algorithm_id: str) -> Sequence[AddedValuePrice]:
    query = sa.select(prices).where(prices.c.algorithm_id == algorithm_id).order_by(prices.c.sequence)
    return [_price(row) for row in connection.execute(query)]


def _price(row: sa.Row[Any]) -> AddedValuePrice:
    values = dict(row._mapping)
    return AddedValuePrice(**{**values, "per": Per(row.per) if row.per else None})


def _marks(connection: sa.Connection, algorithm_id: str, digest: str) -> Sequence[MaturityMark]:
    mine = (marks.c.algorithm_id == algorithm_id, marks.c.digest == digest)
    found = connection.execute(sa.select(marks).where(*mine).order_by(marks.c.sequence))
    return [_mark(row) for row in found]


def _mark(row: sa.Row[Any]) -> MaturityMark:
    return MaturityMark(**{**row._mapping, "level": MaturityLevel(row.level)})
