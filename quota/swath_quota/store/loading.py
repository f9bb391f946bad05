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
from types import SimpleNamespace
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import DBAPIError

from swath_quota.store.statements import ACCOUNTS, GRANTS, HOLDS, MEMBERS

#: Rows, with their columns as attributes.
Rows = Sequence[Any]


def among(names: str, *, sqlite: bool) -> str:
    """Of a column: its value is one of a JSON document's. The statement is the same for any number of them."""
    if sqlite:
        return f"IN (SELECT value FROM json_each(:{names}))"  # noqa: S608 - words of ours
    return f"= ANY(ARRAY(SELECT json_array_elements_text(%({names})s::json)))"


def _wallets(*, sqlite: bool) -> str:
    """Of a column: it is one of the accounts asked for by id, or one that a member has chosen to pay from."""
    by_id = "SELECT value FROM json_each(:ids)" if sqlite else "SELECT json_array_elements_text(%(ids)s::json)"
    chosen = f"SELECT organisation_id FROM members WHERE member {among('choosing', sqlite=sqlite)} AND is_default"  # noqa: S608 - words of ours
    return f"IN ({by_id} UNION {chosen})" if sqlite else f"= ANY(ARRAY({by_id} UNION {chosen}))"


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Which rows of a table are wanted; `where` may say ``{wallets}``, ``{holds}``, ``{choosing}``, ``{spenders}``."""

    table: Table
    where: str

    def statement(self, *, sqlite: bool) -> str:
        """A statement that finds them."""
        given = {name: among(name, sqlite=sqlite) for name in ("holds", "choosing", "spenders")}
        where = self.where.format(wallets=_wallets(sqlite=sqlite), **given)
        columns = ", ".join(f'"{column.name}"' for column in self.table.c)
        return f"SELECT {columns} FROM {self.table.name} WHERE {where}"  # noqa: S608 - words of ours


_PARTIES = Question(HOLDS, "id {holds}")
_ACCOUNTS = Question(ACCOUNTS, "id {wallets} ORDER BY id")
#: What belongs to the accounts: who pays for whom, holds, live grants, memberships.
_BELONGINGS = (
    Question(MEMBERS, "member {choosing} AND is_default"),
    Question(HOLDS, "id {holds}"),
    Question(GRANTS, "account_id {wallets} AND remaining > 0"),
    Question(MEMBERS, "member {spenders} AND organisation_id {wallets}"),
)
_SQLITE = {one: text(one.statement(sqlite=True)).columns(*one.table.c) for one in (_PARTIES, _ACCOUNTS, *_BELONGINGS)}
_POSTGRESQL_PARTIES = _PARTIES.statement(sqlite=False).encode()
_POSTGRESQL_VIEW = _ACCOUNTS.statement(sqlite=False).encode()
#: Rows are locked as they are found, which is in the order of their ids.
_POSTGRESQL_LOCK = _POSTGRESQL_VIEW + b" FOR UPDATE"
_FOUND = ", ".join(
    f"(SELECT json_agg(found) FROM ({one.statement(sqlite=False)}) AS found)"  # noqa: S608 - words of ours
    for one in _BELONGINGS
)
_POSTGRESQL_BELONGINGS = f"SELECT {_FOUND}".encode()


def parties(connection: Connection, holds: Iterable[str]) -> Rows:
    """The holds as they are, perhaps not to stay so: who pays for them never changes."""
    values = {"holds": json.dumps(sorted(holds))}
    if connection.dialect.name == "sqlite":
        return connection.execute(_SQLITE[_PARTIES], values).all()
    with pipeline(connection) as driver:
        cursor = driver.cursor(row_factory=namedtuple_row).execute(_POSTGRESQL_PARTIES, values)
    return cursor.fetchall()


def load(
    connection: Connection, *, ids: set[str], choosing: set[str], holds: set[str], spenders: set[str], locks: bool
) -> tuple[Rows, ...]:
    """Accounts, payers, holds, live grants and memberships, in this order; with `locks`, the accounts locked first.

    Parameters
    ----------
    ids
        Of accounts.
    choosing
        Users whose choice of a wallet to pay from is wanted, with that wallet.
    spenders
        Users whose memberships in the organisations among the accounts are wanted.
    """
    given = {"ids": ids, "choosing": choosing, "holds": holds, "spenders": spenders}
    values = {name: json.dumps(sorted(one)) for name, one in given.items()}
    if connection.dialect.name == "sqlite":
        # Without FOR UPDATE: its writer is alone.
        return tuple(connection.execute(_SQLITE[one], values).all() for one in (_ACCOUNTS, *_BELONGINGS))
    with pipeline(connection) as driver:
        statement = _POSTGRESQL_LOCK if locks else _POSTGRESQL_VIEW
        accounts = driver.cursor(row_factory=namedtuple_row).execute(statement, values)
        belongings = driver.cursor().execute(_POSTGRESQL_BELONGINGS, values)
    (found,) = belongings.fetchall()
    return accounts.fetchall(), *([SimpleNamespace(**row) for row in part or ()] for part in found)


_BY_INDEX = b"SET LOCAL enable_seqscan = off"


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
            # A plan is kept for as long as the connection. One made while a table was small would read through all of
            # it for ever after; every row that is asked for here is found by an index.
            driver.cursor().execute(_BY_INDEX)
            yield driver
    except psycopg.Error as error:
        if driver.closed:
            # Asked through SQLAlchemy, which then learns of it and gives up every connection of its pool.
            connection.exec_driver_sql("SELECT 1")
        raise DBAPIError.instance(None, None, error, psycopg.Error, dialect=connection.dialect) from error
