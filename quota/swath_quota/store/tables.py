"""Tables, as SQLModel sees them. Rows are turned into domain objects at once; no row leaves the store.

The constraints that stand in the domain stand here too, because SQLModel does not validate what it stores. Triggers
(see the migrations) make the ledger append-only and a settled hold final.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, DateTime, ForeignKeyConstraint, Index, String, Text, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import registry
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel


class Moment(TypeDecorator[datetime]):
    """An aware time in UTC: ``timestamptz`` on PostgreSQL, sortable text on SQLite, which has no such type."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(32))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone is never stored")
        value = value.astimezone(UTC)
        return value.isoformat(timespec="microseconds") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value) if dialect.name == "sqlite" else value.astimezone(UTC)


class _Row(SQLModel, registry=registry()):
    """Base with a registry of its own: other services in the same process have tables too."""


class AccountRow(_Row, table=True):
    """An account as it stands: the one mutable summary of its entries and open holds."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("kind IN ('user', 'organisation', 'author', 'platform', 'issuer')", name="accounts_kind"),
        CheckConstraint("id = kind || ':' || name", name="accounts_id"),
        CheckConstraint("held >= 0", name="accounts_held"),
        CheckConstraint("kind = 'issuer' OR balance >= held", name="accounts_overdraft"),
        CheckConstraint("sequence >= 0", name="accounts_sequence"),
        CheckConstraint("(kind IN ('user', 'organisation')) = (tier IS NOT NULL)", name="accounts_tier"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    tier: str | None = Field(default=None, sa_type=Text)
    title: str = Field(sa_type=Text)
    balance: int = Field(sa_type=BigInteger)
    held: int = Field(sa_type=BigInteger)
    sequence: int = Field(sa_type=BigInteger)
    head: str = Field(sa_type=Text)
    refresh_at: datetime | None = Field(default=None, sa_type=Moment)
    created_at: datetime = Field(sa_type=Moment)


class TransactionRow(_Row, table=True):
    """A posted transaction."""

    __tablename__ = "transactions"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('allowance', 'grant', 'capture', 'lapse', 'refund', 'payout')", name="transactions_kind"
        ),
        Index("transactions_reference", "reference"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    usage: dict[str, float] = Field(sa_type=JSON)
    at: datetime = Field(sa_type=Moment)


class EntryRow(_Row, table=True):
    """One side of a transaction. The key forks no account's chain, whatever the code does."""

    __tablename__ = "entries"
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["accounts.id"], name="entries_account"),
        ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name="entries_transaction"),
        CheckConstraint("direction IN ('debit', 'credit')", name="entries_direction"),
        CheckConstraint("amount > 0", name="entries_amount"),
        CheckConstraint("sequence > 0", name="entries_sequence"),
        CheckConstraint(
            "current_balance = previous_balance + CASE direction WHEN 'credit' THEN amount ELSE -amount END",
            name="entries_balance",
        ),
        Index("entries_once", "transaction_id", "account_id", unique=True),
    )

    account_id: str = Field(primary_key=True, sa_type=Text)
    sequence: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    transaction_id: str = Field(sa_type=Text)
    direction: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    previous_balance: int = Field(sa_type=BigInteger)
    current_balance: int = Field(sa_type=BigInteger)
    previous_hash: str = Field(sa_type=Text)
    hash: str = Field(sa_type=Text)


class HoldRow(_Row, table=True):
    """A hold."""

    __tablename__ = "holds"
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["accounts.id"], name="holds_account"),
        CheckConstraint("amount >= 0", name="holds_amount"),
        CheckConstraint("status IN ('held', 'captured', 'released', 'expired')", name="holds_status"),
        CheckConstraint(
            "captured >= 0 AND captured <= amount AND (captured = 0 OR status = 'captured')", name="holds_captured"
        ),
        CheckConstraint("(status = 'held') = (resolved_at IS NULL)", name="holds_resolved"),
        CheckConstraint("purpose_kind IN ('run', 'lab', 'dask')", name="holds_purpose"),
        Index(
            "holds_open",
            "expires_at",
            sqlite_where=text("status = 'held'"),
            postgresql_where=text("status = 'held'"),
        ),
        Index(
            "holds_open_by_account",
            "account_id",
            "expires_at",
            sqlite_where=text("status = 'held'"),
            postgresql_where=text("status = 'held'"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    account_id: str = Field(sa_type=Text)
    member: str = Field(sa_type=Text)
    asked: int = Field(sa_type=BigInteger)
    amount: int = Field(sa_type=BigInteger)
    allocations: list[Any] = Field(sa_type=JSON)
    price_version: str = Field(sa_type=Text)
    algorithm: str = Field(sa_type=Text)
    purpose_kind: str = Field(sa_type=Text)
    purpose_reference: str = Field(sa_type=Text)
    purpose_description: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    captured: int = Field(sa_type=BigInteger)
    usage: dict[str, float] = Field(sa_type=JSON)
    reason: str = Field(sa_type=Text)
    added_value: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    shares: dict[str, int] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    created_at: datetime = Field(sa_type=Moment)
    expires_at: datetime = Field(sa_type=Moment)
    resolved_at: datetime | None = Field(default=None, sa_type=Moment)


class GrantRow(_Row, table=True):
    """Credits given, and what remains of them."""

    __tablename__ = "grants"
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["accounts.id"], name="grants_account"),
        CheckConstraint("kind IN ('allowance', 'gift')", name="grants_kind"),
        CheckConstraint("category IN ('promotional', 'research', 'compensation', 'paid')", name="grants_category"),
        CheckConstraint(
            "amount > 0 AND held >= 0 AND remaining >= held AND remaining <= amount", name="grants_remaining"
        ),
        CheckConstraint("(kind = 'allowance') = (period <> '')", name="grants_period"),
        Index("grants_by_account", "account_id", "period"),
        Index(
            "grants_live",
            "account_id",
            sqlite_where=text("remaining > 0"),
            postgresql_where=text("remaining > 0"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    account_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    category: str = Field(sa_type=Text)
    remaining: int = Field(sa_type=BigInteger)
    held: int = Field(sa_type=BigInteger)
    priority: int = Field(sa_type=BigInteger)
    period: str = Field(sa_type=Text)
    scope: dict[str, Any] = Field(sa_type=JSON)
    description: str = Field(sa_type=Text)
    granted_by: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Moment)
    effective_at: datetime = Field(sa_type=Moment)
    expires_at: datetime | None = Field(default=None, sa_type=Moment)


class DrawRow(_Row, table=True):
    """What one transaction took from one grant."""

    __tablename__ = "draws"
    __table_args__ = (
        ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name="draws_transaction"),
        ForeignKeyConstraint(["grant_id"], ["grants.id"], name="draws_grant"),
        CheckConstraint("amount > 0", name="draws_amount"),
        Index("draws_by_grant", "grant_id"),
    )

    transaction_id: str = Field(primary_key=True, sa_type=Text)
    grant_id: str = Field(primary_key=True, sa_type=Text)
    amount: int = Field(sa_type=BigInteger)


class MemberRow(_Row, table=True):
    """A user's part in an organisation's wallet."""

    __tablename__ = "members"
    __table_args__ = (
        ForeignKeyConstraint(["organisation_id"], ["accounts.id"], name="members_organisation"),
        CheckConstraint("role IN ('member', 'owner')", name="members_role"),
        CheckConstraint("held >= 0 AND spent >= 0 AND (ceiling IS NULL OR ceiling >= 0)", name="members_amounts"),
        CheckConstraint("removed_at IS NULL OR NOT is_default", name="members_default"),
        Index("members_by_user", "member"),
    )

    organisation_id: str = Field(primary_key=True, sa_type=Text)
    member: str = Field(primary_key=True, sa_type=Text)
    role: str = Field(sa_type=Text)
    ceiling: int | None = Field(default=None, sa_type=BigInteger)
    is_default: bool
    period: str = Field(sa_type=Text)
    spent: int = Field(sa_type=BigInteger)
    held: int = Field(sa_type=BigInteger)
    added_by: str = Field(sa_type=Text)
    added_at: datetime = Field(sa_type=Moment)
    removed_at: datetime | None = Field(default=None, sa_type=Moment)


metadata = _Row.metadata
