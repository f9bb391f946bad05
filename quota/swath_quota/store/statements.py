"""Every statement of the store, built once: building one anew costs more than running it.

Values go in by name. Those of a row that is changed are called as their columns; those it is found by begin with
``the_``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Insert, Select, Table, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from swath_quota.domain.grants import GrantKind
from swath_quota.domain.holds import HoldStatus
from swath_quota.store.tables import AccountRow, DrawRow, EntryRow, GrantRow, HoldRow, TransactionRow


def _table(row: Any) -> Table:
    table = row.__table__
    assert isinstance(table, Table)
    return table


def _changes(table: Table, *names: str) -> Any:
    """An update of one row, found by ``the_id``."""
    return update(table).where(table.c.id == bindparam("the_id")).values({name: bindparam(name) for name in names})


ACCOUNTS, HOLDS, GRANTS = _table(AccountRow), _table(HoldRow), _table(GrantRow)
ENTRIES, TRANSACTIONS, DRAWS = _table(EntryRow), _table(TransactionRow), _table(DrawRow)
_OPEN = HOLDS.c.status == HoldStatus.HELD

ACCOUNT = select(ACCOUNTS).where(ACCOUNTS.c.id == bindparam("the_id"))
#: Rows are locked as they are found, which is in the order of their ids. SQLite leaves out FOR UPDATE: its writer is
#: alone.
LOCK = (
    select(ACCOUNTS).where(ACCOUNTS.c.id.in_(bindparam("the_ids", expanding=True))).order_by(ACCOUNTS.c.id)
).with_for_update()
SAVE_ACCOUNT = _changes(ACCOUNTS, "tier", "balance", "held", "sequence", "refresh_at")
ALL_ACCOUNTS = select(ACCOUNTS).order_by(ACCOUNTS.c.id)
TIERS = select(ACCOUNTS.c.tier).where(ACCOUNTS.c.tier.is_not(None)).distinct()
_OPEN_ACCOUNTS: dict[str, Insert] = {
    "sqlite": sqlite.insert(ACCOUNTS).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(ACCOUNTS).on_conflict_do_nothing(),
}

HOLD = select(HOLDS).where(HOLDS.c.id == bindparam("the_id"))
ADD_HOLD = insert(HOLDS)
SAVE_HOLD = _changes(HOLDS, "status", "captured", "usage", "reason", "expires_at", "resolved_at")
OVERDUE = (
    select(HOLDS)
    .where(_OPEN, HOLDS.c.expires_at <= bindparam("now"))
    .order_by(HOLDS.c.expires_at, HOLDS.c.id)
    .limit(bindparam("most"))
)
OVERDUE_OF_ACCOUNT = OVERDUE.where(HOLDS.c.account_id == bindparam("the_account"))
ALL_HOLDS = select(HOLDS)

GRANT = select(GRANTS).where(GRANTS.c.id == bindparam("the_id"))
ADD_GRANT = insert(GRANTS)
SAVE_GRANT = _changes(GRANTS, "remaining")
LIVE_GRANTS = select(GRANTS).where(GRANTS.c.account_id == bindparam("the_account"), GRANTS.c.remaining > 0)
ALLOWANCE_GIVEN = select(func.coalesce(func.sum(GRANTS.c.amount), 0)).where(
    GRANTS.c.account_id == bindparam("the_account"),
    GRANTS.c.kind == GrantKind.ALLOWANCE,
    GRANTS.c.period == bindparam("the_period"),
)
ALL_GRANTS = select(GRANTS)
ADD_DRAWS = insert(DRAWS)
ALL_DRAWS = select(DRAWS)

ADD_TRANSACTION = insert(TRANSACTIONS)
ADD_ENTRIES = insert(ENTRIES)
_ENTRIES: Select[Any] = select(
    ENTRIES, TRANSACTIONS.c.kind, TRANSACTIONS.c.reference, TRANSACTIONS.c.description, TRANSACTIONS.c.at
).join(TRANSACTIONS, TRANSACTIONS.c.id == ENTRIES.c.transaction_id)
ENTRIES_OF_ACCOUNT = (
    _ENTRIES.where(ENTRIES.c.account_id == bindparam("the_account"), ENTRIES.c.sequence < bindparam("before"))
    .order_by(ENTRIES.c.sequence.desc())
    .limit(bindparam("most"))
)
ALL_ENTRIES = _ENTRIES.order_by(ENTRIES.c.account_id, ENTRIES.c.sequence)


def open_accounts(dialect: str) -> Insert:
    """Insert accounts that are not there."""
    return _OPEN_ACCOUNTS[dialect]
