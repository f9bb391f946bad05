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
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, Table, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from swath_service.errors import Unavailable

from swath_quota.domain.accounts import Account, wallet_id
from swath_quota.domain.grants import Draw, Grant, GrantKind
from swath_quota.domain.holds import Hold, HoldStatus
from swath_quota.domain.ledger import LedgerEntry, Posting
from swath_quota.domain.ports import Reader, Unit
from swath_quota.store import rows
from swath_quota.store.engine import READING
from swath_quota.store.tables import AccountRow, DrawRow, EntryRow, GrantRow, HoldRow, TransactionRow

log = logging.getLogger(__name__)
T = TypeVar("T")


def _table(row: Any) -> Table:
    table = row.__table__
    assert isinstance(table, Table)
    return table


ACCOUNTS, HOLDS, GRANTS = _table(AccountRow), _table(HoldRow), _table(GrantRow)
ENTRIES, TRANSACTIONS, DRAWS = _table(EntryRow), _table(TransactionRow), _table(DrawRow)

_ATTEMPTS = 8
#: Serialisation failure, deadlock, lock not available: somebody else was in the way.
_CONTENTION = frozenset({"40001", "40P01", "55P03"})
#: Classes of connection trouble and of a server that shuts down.
_SILENCE = frozenset({"08", "57"})
#: Rows that an audit fetches at a time.
_PAGE = 1000


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
                # Every piece of work is idempotent, so this also holds when the answer to a COMMIT was lost.
                why = type(error.orig).__name__
                log.info("attempt %d: %s", attempt + 1, why)
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - spreads retries, guards nothing
        raise _unavailable(why)

    def read(self, work: Callable[[Reader], T]) -> T:
        options: dict[str, Any] = {READING: True}
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
        row = self._connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.id == account_id)).one_or_none()
        return rows.account_of(row) if row else None

    def hold(self, hold_id: str) -> Hold | None:
        row = self._connection.execute(select(HOLDS).where(HOLDS.c.id == hold_id)).one_or_none()
        return rows.hold_of(row) if row else None

    def grant(self, grant_id: str) -> Grant | None:
        row = self._connection.execute(select(GRANTS).where(GRANTS.c.id == grant_id)).one_or_none()
        return rows.grant_of(row) if row else None

    def entries(self, account_id: str, *, limit: int, before: int | None = None) -> tuple[LedgerEntry, ...]:
        query = _entries().where(ENTRIES.c.account_id == account_id)
        if before is not None:
            query = query.where(ENTRIES.c.sequence < before)
        query = query.order_by(ENTRIES.c.sequence.desc()).limit(limit)
        return tuple(rows.entry_of(row) for row in self._connection.execute(query))

    def overdue(self, now: datetime, *, limit: int, account: str | None = None) -> tuple[Hold, ...]:
        query = select(HOLDS).where(HOLDS.c.status == HoldStatus.HELD, HOLDS.c.expires_at <= now)
        if account is not None:
            query = query.where(HOLDS.c.account_id == wallet_id(account))
        query = query.order_by(HOLDS.c.expires_at, HOLDS.c.id).limit(limit)
        return tuple(rows.hold_of(row) for row in self._connection.execute(query))

    def tiers_in_use(self) -> frozenset[str]:
        query = select(ACCOUNTS.c.tier).where(ACCOUNTS.c.tier.is_not(None)).distinct()
        return frozenset(self._connection.scalars(query))

    def all_accounts(self) -> Iterator[Account]:
        return map(rows.account_of, self._stream(select(ACCOUNTS).order_by(ACCOUNTS.c.id)))

    def all_entries(self) -> Iterator[LedgerEntry]:
        query = _entries().order_by(ENTRIES.c.account_id, ENTRIES.c.sequence)
        return map(rows.entry_of, self._stream(query))

    def all_holds(self) -> Iterator[Hold]:
        return map(rows.hold_of, self._stream(select(HOLDS)))

    def all_grants(self) -> Iterator[Grant]:
        return map(rows.grant_of, self._stream(select(GRANTS)))

    def all_draws(self) -> Iterator[Draw]:
        return map(rows.draw_of, self._stream(select(DRAWS)))

    def open_accounts(self, accounts: Iterable[Account]) -> None:
        # In the order of their ids: two that open the same wait for each other, and must not wait crosswise.
        values = sorted((rows.account_values(account) for account in accounts), key=lambda value: str(value["id"]))
        dialect = sqlite if self._connection.dialect.name == "sqlite" else postgresql
        self._connection.execute(dialect.insert(ACCOUNTS).on_conflict_do_nothing(), values)

    def lock(self, account_ids: Iterable[str]) -> dict[str, Account]:
        # SQLite leaves out FOR UPDATE: the writer there is alone.
        query = select(ACCOUNTS).where(ACCOUNTS.c.id.in_(sorted(set(account_ids)))).order_by(ACCOUNTS.c.id)
        found = self._connection.execute(query.with_for_update())
        return {row.id: rows.account_of(row) for row in found}

    def save_account(self, account: Account) -> None:
        values = rows.account_values(account)
        self._one(update(ACCOUNTS).where(ACCOUNTS.c.id == values.pop("id")).values(values))

    def add_hold(self, hold: Hold) -> None:
        self._connection.execute(insert(HOLDS), rows.hold_values(hold))

    def save_hold(self, hold: Hold) -> None:
        self._one(update(HOLDS).where(HOLDS.c.id == hold.id).values(rows.hold_changes(hold)))

    def live_grants(self, account: str) -> tuple[Grant, ...]:
        query = select(GRANTS).where(GRANTS.c.account_id == wallet_id(account), GRANTS.c.remaining > 0)
        return tuple(rows.grant_of(row) for row in self._connection.execute(query))

    def allowance_given(self, account: str, *, period: str) -> int:
        query = select(func.coalesce(func.sum(GRANTS.c.amount), 0)).where(
            GRANTS.c.account_id == wallet_id(account),
            GRANTS.c.kind == GrantKind.ALLOWANCE,
            GRANTS.c.period == period,
        )
        return int(self._connection.scalar(query) or 0)

    def add_grant(self, grant: Grant) -> None:
        self._connection.execute(insert(GRANTS), rows.grant_values(grant))

    def save_grant(self, grant: Grant) -> None:
        self._one(update(GRANTS).where(GRANTS.c.id == grant.id).values(remaining=grant.remaining))

    def add_draws(self, draws: Iterable[Draw]) -> None:
        values = [
            {"transaction_id": draw.transaction_id, "grant_id": draw.grant_id, "amount": draw.amount} for draw in draws
        ]
        if values:
            self._connection.execute(insert(DRAWS), values)

    def add_posting(self, posting: Posting) -> None:
        self._connection.execute(insert(TRANSACTIONS), rows.transaction_values(posting.transaction))
        self._connection.execute(insert(ENTRIES), [rows.entry_values(entry) for entry in posting.entries])
        for account in posting.accounts:
            self.save_account(account)

    def _one(self, statement: Any) -> None:
        changed = self._connection.execute(statement).rowcount
        if changed != 1:
            raise RuntimeError(f"a row that was to be changed is not there ({changed} changed)")

    def _stream(self, query: Select[Any]) -> Iterator[Any]:
        return iter(self._connection.execution_options(yield_per=_PAGE).execute(query))


def _entries() -> Select[Any]:
    wanted = (TRANSACTIONS.c.kind, TRANSACTIONS.c.reference, TRANSACTIONS.c.description, TRANSACTIONS.c.at)
    return select(ENTRIES, *wanted).join(TRANSACTIONS, TRANSACTIONS.c.id == ENTRIES.c.transaction_id)


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
