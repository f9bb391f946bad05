"""Every statement of the store, built once: building one anew costs more than running it.

Values go in by name; those that rows are found by begin with ``the_``. What is written stands in `writing`, and what
many pieces of work share in `loading`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Insert, Select, Table, bindparam, exists, func, select
from sqlalchemy.dialects import postgresql, sqlite

from swath_quota.domain.grants import GrantKind
from swath_quota.domain.holds import HoldStatus
from swath_quota.store.tables import AccountRow, DrawRow, EntryRow, GrantRow, HoldRow, MemberRow, TransactionRow


def _table(row: Any) -> Table:
    table = row.__table__
    assert isinstance(table, Table)
    return table


ACCOUNTS, HOLDS, GRANTS = _table(AccountRow), _table(HoldRow), _table(GrantRow)
ENTRIES, TRANSACTIONS, DRAWS, MEMBERS = (_table(row) for row in (EntryRow, TransactionRow, DrawRow, MemberRow))
_OPEN = HOLDS.c.status == HoldStatus.HELD

ACCOUNT = select(ACCOUNTS).where(ACCOUNTS.c.id == bindparam("the_id"))
#: Rows are locked as they are found, which is in the order of their ids. SQLite leaves out FOR UPDATE: its writer is
#: alone.
LOCK = (
    select(ACCOUNTS).where(ACCOUNTS.c.id.in_(bindparam("the_ids", expanding=True))).order_by(ACCOUNTS.c.id)
).with_for_update()
ALL_ACCOUNTS = select(ACCOUNTS).order_by(ACCOUNTS.c.id)
TIERS = select(ACCOUNTS.c.tier).where(ACCOUNTS.c.tier.is_not(None)).distinct()
_OPEN_ACCOUNTS: dict[str, Insert] = {
    "sqlite": sqlite.insert(ACCOUNTS).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(ACCOUNTS).on_conflict_do_nothing(),
}

HOLD_IN = select(HOLDS).where(HOLDS.c.id.in_(bindparam("the_ids", expanding=True)))
OVERDUE = (
    select(HOLDS)
    .where(_OPEN, HOLDS.c.expires_at <= bindparam("now"))
    .order_by(HOLDS.c.expires_at, HOLDS.c.id)
    .limit(bindparam("most"))
)
OVERDUE_OF_ACCOUNT = OVERDUE.where(HOLDS.c.account_id == bindparam("the_account"))
ALL_HOLDS = select(HOLDS)

GRANT = select(GRANTS).where(GRANTS.c.id == bindparam("the_id"))
LIVE_GRANTS = select(GRANTS).where(
    GRANTS.c.account_id.in_(bindparam("the_accounts", expanding=True)), GRANTS.c.remaining > 0
)
GRANTS_OF_ACCOUNT = (
    select(GRANTS).where(GRANTS.c.account_id == bindparam("the_account")).order_by(GRANTS.c.created_at, GRANTS.c.id)
)
ALLOWANCE_GIVEN = select(func.coalesce(func.sum(GRANTS.c.amount), 0)).where(
    GRANTS.c.account_id == bindparam("the_account"),
    GRANTS.c.kind == GrantKind.ALLOWANCE,
    GRANTS.c.period == bindparam("the_period"),
)
ALL_GRANTS = select(GRANTS)
ALL_DRAWS = select(DRAWS)

_MEMBERS = select(MEMBERS).order_by(MEMBERS.c.organisation_id, MEMBERS.c.member)
MEMBERS_OF = _MEMBERS.where(MEMBERS.c.organisation_id.in_(bindparam("the_organisations", expanding=True)))
MEMBER = select(MEMBERS).where(
    MEMBERS.c.organisation_id == bindparam("the_organisation"), MEMBERS.c.member == bindparam("the_member")
)
MEMBERSHIPS_OF = _MEMBERS.where(MEMBERS.c.member.in_(bindparam("the_members", expanding=True)))
ALL_MEMBERS = _MEMBERS
PAYERS = select(MEMBERS.c.member, MEMBERS.c.organisation_id).where(
    MEMBERS.c.member.in_(bindparam("the_members", expanding=True)), MEMBERS.c.is_default
)
POSTED = select(exists().where(TRANSACTIONS.c.id == bindparam("the_id")))
_ENTRIES: Select[Any] = select(
    ENTRIES, TRANSACTIONS.c.kind, TRANSACTIONS.c.reference, TRANSACTIONS.c.description, TRANSACTIONS.c.at
).join(TRANSACTIONS, TRANSACTIONS.c.id == ENTRIES.c.transaction_id)
ENTRIES_OF_ACCOUNT = (
    _ENTRIES.where(ENTRIES.c.account_id == bindparam("the_account"), ENTRIES.c.sequence < bindparam("before"))
    .order_by(ENTRIES.c.sequence.desc())
    .limit(bindparam("most"))
)
ENTRY = _ENTRIES.where(
    ENTRIES.c.account_id == bindparam("the_account"), ENTRIES.c.transaction_id == bindparam("the_transaction")
)
ALL_ENTRIES = _ENTRIES.order_by(ENTRIES.c.account_id, ENTRIES.c.sequence)


def open_accounts(dialect: str) -> Insert:
    """Insert accounts that are not there."""
    return _OPEN_ACCOUNTS[dialect]
