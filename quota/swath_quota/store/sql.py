"""Books on SQLite and PostgreSQL.

SQLModel describes the tables; the statements are SQLAlchemy's core, each one visible, because which row is locked when
is what a ledger is about. PostgreSQL locks account rows in the order of their ids (READ COMMITTED: what is read after
the lock is what the last holder of the lock left). SQLite lets one writer in at a time from the first statement on.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, Select
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from swath_service.errors import Unavailable

from swath_quota.domain.accounts import Account, wallet_id
from swath_quota.domain.grants import Draw, Grant
from swath_quota.domain.holds import Hold
from swath_quota.domain.ledger import LedgerEntry, Posting
from swath_quota.domain.ports import Reader, Unit
from swath_quota.store import rows, statements
from swath_quota.store.engine import WRITES

log = logging.getLogger(__name__)
T = TypeVar("T")

_ATTEMPTS = 8
#: How often an id that is taken is looked at anew.
_TAKEN_ATTEMPTS = 3
#: Serialisation failure, deadlock, lock not available: somebody else was in the way.
_CONTENTION = frozenset({"40001", "40P01", "55P03"})
#: Classes of connection trouble and of a server that shuts down.
_SILENCE = frozenset({"08", "57"})
#: Rows that an audit fetches at a time.
_PAGE = 1000
#: Above every sequence.
_BEYOND = 2**62


class SqlBooks:
    """`swath_quota.domain.ports.Books` over an engine of `swath_quota.store.engine.connect`, already migrated."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite makes waiting writers poll; within one process they queue here instead, which is fair and faster.
        self._gate: Any = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    def run(self, work: Callable[[Unit], T]) -> T:
        for attempt in range(_ATTEMPTS):
            try:
                with self._gate, self.engine.begin() as connection:
                    return work(_SqlUnit(connection))
            except DBAPIError as error:
                if not _passing(error):
                    raise
                if isinstance(error, IntegrityError) and attempt >= _TAKEN_ATTEMPTS:
                    # Nobody was faster: the same work stores the same id twice.
                    raise
                # Every piece of work is idempotent, so this also holds when the answer to a COMMIT was lost.
                why = type(error.orig).__name__
                log.info("attempt %d: %s", attempt + 1, why)
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - spreads retries, guards nothing
        raise _unavailable(why)

    def read(self, work: Callable[[Reader], T]) -> T:
        options: dict[str, Any] = {WRITES: False}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        try:
            with self.engine.connect().execution_options(**options) as connection, connection.begin():
                return work(_SqlUnit(connection))
        except DBAPIError as error:
            if not _passing(error):
                raise
            raise _unavailable(type(error.orig).__name__) from error

    def answers(self) -> bool:
        try:
            return self.read(lambda reader: reader.account("") is None)
        except Unavailable:
            return False

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


class _SqlUnit:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def account(self, account_id: str) -> Account | None:
        row = self._first(statements.ACCOUNT, {"the_id": account_id})
        return rows.account_of(row) if row else None

    def hold(self, hold_id: str) -> Hold | None:
        row = self._first(statements.HOLD, {"the_id": hold_id})
        return rows.hold_of(row) if row else None

    def grant(self, grant_id: str) -> Grant | None:
        row = self._first(statements.GRANT, {"the_id": grant_id})
        return rows.grant_of(row) if row else None

    def entries(self, account_id: str, *, limit: int, before: int | None = None) -> tuple[LedgerEntry, ...]:
        values = {"the_account": account_id, "before": before or _BEYOND, "most": limit}
        return tuple(map(rows.entry_of, self._all(statements.ENTRIES_OF_ACCOUNT, values)))

    def overdue(self, now: datetime, *, limit: int, account: str | None = None) -> tuple[Hold, ...]:
        values: dict[str, Any] = {"now": now, "most": limit}
        if account is None:
            found = self._all(statements.OVERDUE, values)
        else:
            found = self._all(statements.OVERDUE_OF_ACCOUNT, {**values, "the_account": wallet_id(account)})
        return tuple(map(rows.hold_of, found))

    def tiers_in_use(self) -> frozenset[str]:
        return frozenset(self._connection.scalars(statements.TIERS))

    def all_accounts(self) -> Iterator[Account]:
        return map(rows.account_of, self._stream(statements.ALL_ACCOUNTS))

    def all_entries(self) -> Iterator[LedgerEntry]:
        return map(rows.entry_of, self._stream(statements.ALL_ENTRIES))

    def all_holds(self) -> Iterator[Hold]:
        return map(rows.hold_of, self._stream(statements.ALL_HOLDS))

    def all_grants(self) -> Iterator[Grant]:
        return map(rows.grant_of, self._stream(statements.ALL_GRANTS))

    def all_draws(self) -> Iterator[Draw]:
        return map(rows.draw_of, self._stream(statements.ALL_DRAWS))

    def open_accounts(self, accounts: Iterable[Account]) -> None:
        # In the order of their ids: two that open the same wait for each other, and must not wait crosswise.
        values = sorted((rows.account_values(account) for account in accounts), key=lambda value: str(value["id"]))
        self._connection.execute(statements.open_accounts(self._connection.dialect.name), values)

    def lock(self, account_ids: Iterable[str]) -> dict[str, Account]:
        found = self._all(statements.LOCK, {"the_ids": sorted(set(account_ids))})
        return {row.id: rows.account_of(row) for row in found}

    def save_account(self, account: Account) -> None:
        self._change(statements.SAVE_ACCOUNT, account.id, rows.account_changes(account))

    def add_hold(self, hold: Hold) -> None:
        self._connection.execute(statements.ADD_HOLD, rows.hold_values(hold))

    def save_hold(self, hold: Hold) -> None:
        self._change(statements.SAVE_HOLD, hold.id, rows.hold_changes(hold))

    def live_grants(self, account: str) -> tuple[Grant, ...]:
        return tuple(map(rows.grant_of, self._all(statements.LIVE_GRANTS, {"the_account": wallet_id(account)})))

    def allowance_given(self, account: str, *, period: str) -> int:
        values = {"the_account": wallet_id(account), "the_period": period}
        return int(self._connection.scalar(statements.ALLOWANCE_GIVEN, values) or 0)

    def add_grant(self, grant: Grant) -> None:
        self._connection.execute(statements.ADD_GRANT, rows.grant_values(grant))

    def save_grant(self, grant: Grant) -> None:
        self._change(statements.SAVE_GRANT, grant.id, {"remaining": grant.remaining})

    def add_draws(self, draws: Iterable[Draw]) -> None:
        values = list(map(rows.draw_values, draws))
        if values:
            self._connection.execute(statements.ADD_DRAWS, values)

    def add_posting(self, posting: Posting) -> None:
        self._connection.execute(statements.ADD_TRANSACTION, rows.transaction_values(posting.transaction))
        self._connection.execute(statements.ADD_ENTRIES, list(map(rows.entry_values, posting.entries)))
        for account in posting.accounts:
            self.save_account(account)

    def _first(self, query: Select[Any], values: dict[str, Any]) -> Row[Any] | None:
        return self._connection.execute(query, values).one_or_none()

    def _all(self, query: Select[Any], values: dict[str, Any]) -> Sequence[Row[Any]]:
        return self._connection.execute(query, values).all()

    def _change(self, statement: Any, row_id: str, values: dict[str, Any]) -> None:
        changed = self._connection.execute(statement, {"the_id": row_id, **values}).rowcount
        if changed != 1:
            raise RuntimeError(f"{row_id} was to be changed and is not there ({changed} rows)")

    def _stream(self, query: Select[Any]) -> Iterator[Row[Any]]:
        return iter(self._connection.execution_options(yield_per=_PAGE).execute(query))


def _passing(error: DBAPIError) -> bool:
    """Whether the same work may succeed when done again."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if isinstance(error, IntegrityError):
        # Somebody stored the same id first; the next attempt finds it and judges it. A broken constraint stays broken.
        return state == "23505" or "UNIQUE constraint failed" in str(error.orig)
    if error.connection_invalidated or state in _CONTENTION or state[:2] in _SILENCE:
        return True
    # SQLite, and connections that were never made, have no state.
    told = str(error.orig).lower()
    return not state and isinstance(error, OperationalError) and ("locked" in told or "connect" in told)


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        code="ledger-unavailable", message=f"the ledger's database does not answer ({why})", mend="repeat the same call"
    )
