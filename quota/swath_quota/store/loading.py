"""Reads, and locks, all that several pieces of work are going to touch, in as few round trips as there can be.

A round trip costs more than what is asked in it: both sides are woken, and in between the interpreter is given away and
waited for. On PostgreSQL the questions therefore go in one pipeline. Each is still a statement of its own, so under
READ COMMITTED what is read after the locks is what the last holder of the locks left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import DBAPIError

from swath_quota.store.statements import ACCOUNTS, GRANTS, HOLDS, MEMBERS

#: Rows, with their columns as attributes.
Rows = Sequence[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A statement on each database."""

    table: Table
    columns: tuple[str, ...]
    postgresql: bytes
    sqlite: Any


def _among(names: str, *, sqlite: bool) -> str:
    return f"IN (SELECT value FROM json_each(:{names}))" if sqlite else f"= ANY(%({names})s::text[])"


def _wallets(*, sqlite: bool) -> str:
    """Those asked for by id, and those that members have chosen to pay from."""
    by_id = "SELECT value FROM json_each(:ids)" if sqlite else "SELECT unnest(%(ids)s::text[])"
    chosen = f"SELECT organisation_id FROM members WHERE member {_among('choosing', sqlite=sqlite)} AND is_default"
    return f"IN ({by_id} UNION {chosen})" if sqlite else f"= ANY(ARRAY({by_id} UNION {chosen}))"


def _question(table: Table, where: str, *names: str, locks: bool = False) -> Question:
    """`where` may say ``{wallets}`` and ``{among:…}``."""
    columns = names or tuple(column.name for column in table.c)
    listed = ", ".join(f'"{name}"' for name in columns)

    def said(*, sqlite: bool) -> str:
        found = where.replace("{wallets}", _wallets(sqlite=sqlite))
        for given in ("holds", "choosing", "spenders"):
            found = found.replace("{among:" + given + "}", _among(given, sqlite=sqlite))
        return f"SELECT {listed} FROM {table.name} WHERE {found}"  # noqa: S608 - words of ours

    # SQLite has no FOR UPDATE: its writer is alone.
    typed = text(said(sqlite=True)).columns(*(table.c[name] for name in columns))
    return Question(table, columns, (said(sqlite=False) + (" FOR UPDATE" if locks else "")).encode(), typed)


PARTIES = _question(HOLDS, "id {among:holds}", "id", "account_id", "member")
PAYERS = _question(MEMBERS, "member {among:choosing} AND is_default", "member", "organisation_id")
_ACCOUNTS = "id {wallets} ORDER BY id"
VIEW = _question(ACCOUNTS, _ACCOUNTS)
#: Rows are locked as they are found, which is in the order of their ids.
LOCK = _question(ACCOUNTS, _ACCOUNTS, locks=True)
PLACED = _question(HOLDS, "id {among:holds}")
LIVE = _question(GRANTS, "account_id {wallets} AND remaining > 0")
SPENDERS = _question(MEMBERS, "member {among:spenders} AND organisation_id {wallets}")


def ask(connection: Connection, questions: Sequence[Question], values: dict[str, Iterable[str]]) -> list[Rows]:
    """The rows that each question finds, asked one after the other."""
    lists = {name: sorted(given) for name, given in values.items()}
    if connection.dialect.name == "sqlite":
        documents = {name: json.dumps(given) for name, given in lists.items()}
        return [connection.execute(one.sqlite, documents).all() for one in questions]
    with pipeline(connection) as driver:
        cursors = [driver.cursor(row_factory=namedtuple_row).execute(one.postgresql, lists) for one in questions]
    return [cursor.fetchall() for cursor in cursors]


@contextmanager
def pipeline(connection: Connection) -> Iterator[psycopg.Connection[Any]]:
    """PostgreSQL's driver beneath `connection`, whose answers are waited for once, at the end of the block.

    Raises
    ------
    DBAPIError
        As SQLAlchemy tells the same error.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    try:
        with driver.pipeline():
            yield driver
    except psycopg.Error as error:
        if driver.closed:
            # Asked through SQLAlchemy, which then learns of it and gives up every connection of its pool.
            connection.exec_driver_sql("SELECT 1")
        raise DBAPIError.instance(None, None, error, psycopg.Error, dialect=connection.dialect) from error
