"""Writes what a transaction changed: on PostgreSQL all of it with one statement, whatever the number of rows.

A message a row costs more than the row: the client makes it, the server reads it, plans, answers. So PostgreSQL is
handed the rows of each table as one JSON document, and takes all of them apart within one statement, whose foreign keys
are checked at its end. SQLite, which lives in this process, gets them row by row, made ready here rather than by
SQLAlchemy's types, which would look at each value of each row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import JSON, Connection, Table
from sqlalchemy.dialects import postgresql

from swath_quota.store.loading import pipeline
from swath_quota.store.statements import ACCOUNTS, DRAWS, ENTRIES, GRANTS, HOLDS, MEMBERS, TRANSACTIONS
from swath_quota.store.tables import Moment

#: Values of one row, by column.
Values = dict[str, Any]


class How(StrEnum):
    """What becomes of the rows."""

    ADD = "add"
    CHANGE = "change"
    """They are there."""
    PUT = "put"
    """They may be there."""


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """Rows of one table, with the columns that are written and those they are found by."""

    table: Table
    how: How
    changes: tuple[str, ...] = ()
    """Columns that may change of a row that is there."""
    columns: tuple[str, ...] = field(init=False)
    moments: tuple[str, ...] = field(init=False)
    documents: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        keys = tuple(column.name for column in self.table.primary_key)
        everything = tuple(column.name for column in self.table.c)
        columns = (*keys, *self.changes) if self.how is How.CHANGE else everything
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "moments", tuple(n for n in columns if isinstance(self.table.c[n].type, Moment)))
        object.__setattr__(self, "documents", tuple(n for n in columns if isinstance(self.table.c[n].type, JSON)))

    @property
    def name(self) -> str:
        """Unique among the writes of one statement."""
        return f"{self.how}_{self.table.name}"


SAVE_ACCOUNTS = Write(ACCOUNTS, How.CHANGE, ("tier", "balance", "held", "sequence", "head", "refresh_at"))
ADD_HOLDS = Write(HOLDS, How.ADD)
SAVE_HOLDS = Write(
    HOLDS,
    How.CHANGE,
    ("amount", "allocations", "status", "captured", "usage", "reason", "shares", "expires_at", "resolved_at"),
)
ADD_GRANTS = Write(GRANTS, How.ADD)
SAVE_GRANTS = Write(GRANTS, How.CHANGE, ("remaining", "held"))
SAVE_MEMBERS = Write(MEMBERS, How.PUT, ("role", "ceiling", "is_default", "period", "spent", "held", "removed_at"))
ADD_TRANSACTIONS = Write(TRANSACTIONS, How.ADD)
ADD_ENTRIES = Write(ENTRIES, How.ADD)
ADD_DRAWS = Write(DRAWS, How.ADD)


def write(connection: Connection, writes: Sequence[tuple[Write, list[Values]]]) -> None:
    """Write the rows of each, in this order, as the last thing that their transaction does; none comes twice.

    On PostgreSQL the transaction is committed in the same round trip.

    Raises
    ------
    DBAPIError
        Also when a row that was to be changed is not there; nothing was written.
    RuntimeError
        The same on SQLite.
    """
    for one, rows in writes:
        for name in one.moments:
            for row in rows:
                row[name] = _moment(row[name])
    if connection.dialect.name == "postgresql":
        _together(connection, writes)
    else:
        for one, rows in writes:
            _each(connection, one, rows)


def _each(connection: Connection, one: Write, rows: list[Values]) -> None:
    for name in one.documents:
        for row in rows:
            row[name] = None if row[name] is None else json.dumps(row[name])
    written = connection.exec_driver_sql(_row_statement(one), rows).rowcount
    if written != len(rows):
        raise RuntimeError(f"{len(rows)} rows of {one.table.name} were to be written and {written} were")


def _together(connection: Connection, writes: Sequence[tuple[Write, list[Values]]]) -> None:
    values = {one.name: json.dumps(rows) for one, rows in writes}
    statement = _whole_statement(tuple(one for one, _ in writes))
    with pipeline(connection) as driver:
        driver.cursor().execute(statement, values)
        driver.commit()


def _moment(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a time without a zone is never stored")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


@cache
def _row_statement(one: Write) -> str:
    """SQLite's, for one row."""
    keys = [column.name for column in one.table.primary_key]
    if one.how is How.CHANGE:
        changes = ", ".join(f'"{name}" = :{name}' for name in one.changes)
        return f"UPDATE {one.table.name} SET {changes} WHERE " + " AND ".join(f"{key} = :{key}" for key in keys)  # noqa: S608 - names of ours
    names, values = ", ".join(f'"{name}"' for name in one.columns), ", ".join(f":{name}" for name in one.columns)
    return f"INSERT INTO {one.table.name} ({names}) VALUES ({values})" + _otherwise(one, keys)  # noqa: S608 - names of ours


@cache
def _whole_statement(writes: tuple[Write, ...]) -> bytes:
    """PostgreSQL's, for all rows of all tables. It fails unless as many were written as were told."""
    parts = ", ".join(f"{one.name} AS ({_part(one)} RETURNING 1)" for one in writes)
    checks = ", ".join(
        # Nothing but a cast fails by a value alone. It tells how many were written, and where.
        f"(SELECT CASE WHEN count(*) = json_array_length(%({one.name})s::json) THEN count(*)"  # noqa: S608 - names of ours
        f" ELSE (count(*) || ' rows by {one.name}')::bigint END FROM {one.name})"
        for one in writes
    )
    return f"WITH {parts} SELECT {checks}".encode()


def _part(one: Write) -> str:
    keys = [column.name for column in one.table.primary_key]
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    types = ", ".join(f'"{name}" {one.table.c[name].type.compile(dialect)}' for name in one.columns)
    rows = f"json_to_recordset(%({one.name})s::json) AS new({types})"
    if one.how is How.CHANGE:
        changes = ", ".join(f'"{name}" = new."{name}"' for name in one.changes)
        # Found by the index, however long a document the planner reckons with.
        (key,) = keys
        told = f"SELECT json_array_elements(%({one.name})s::json) ->> '{key}'"
        found = f"old.{key} = ANY(ARRAY({told})) AND old.{key} = new.{key}"
        return f"UPDATE {one.table.name} AS old SET {changes} FROM {rows} WHERE {found}"  # noqa: S608 - names of ours
    names, values = (", ".join(f'{p}"{name}"' for name in one.columns) for p in ("", "new."))
    return f"INSERT INTO {one.table.name} ({names}) SELECT {values} FROM {rows}" + _otherwise(one, keys)  # noqa: S608 - names of ours


def _otherwise(one: Write, keys: Sequence[str]) -> str:
    if one.how is not How.PUT:
        return ""
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in one.changes)
    return f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
