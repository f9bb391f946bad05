"""Tables of limits. Triggers (see the migration) keep overrides and revocations as they were written."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, Text, text
from sqlmodel import Field

from swath_quota.store.tables import Moment, _Row

_STANDING = text("status = 'standing'")


class CounterRow(_Row, table=True):
    """One account and limit: the row that is locked."""

    __tablename__ = "limit_counters"
    __table_args__ = (CheckConstraint("used >= 0", name="limit_counters_used"),)

    account: str = Field(primary_key=True, sa_type=Text)
    limit_name: str = Field(primary_key=True, sa_type=Text)
    seen_at: datetime = Field(sa_type=Moment)
    period: str = Field(sa_type=Text)
    used: int = Field(sa_type=BigInteger)


class BucketRow(_Row, table=True):
    """What was taken within one hour."""

    __tablename__ = "limit_buckets"
    __table_args__ = (CheckConstraint("amount >= 0", name="limit_buckets_amount"),)

    account: str = Field(primary_key=True, sa_type=Text)
    limit_name: str = Field(primary_key=True, sa_type=Text)
    hour: datetime = Field(primary_key=True, sa_type=Moment)
    amount: int = Field(sa_type=BigInteger)


class TakeRow(_Row, table=True):
    """A take."""

    __tablename__ = "limit_takes"
    __table_args__ = (
        CheckConstraint("amount > 0", name="limit_takes_amount"),
        CheckConstraint("status IN ('counted', 'standing', 'given_back', 'expired')", name="limit_takes_status"),
        CheckConstraint("(status IN ('counted', 'standing')) = (ended_at IS NULL)", name="limit_takes_ended"),
        Index("limit_takes_by_account", "account", "limit_name", "created_at"),
        Index("limit_takes_standing", "account", "limit_name", sqlite_where=_STANDING, postgresql_where=_STANDING),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    account: str = Field(sa_type=Text)
    limit_name: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    degraded: bool
    status: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Moment)
    expires_at: datetime | None = Field(default=None, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)


class OverrideRow(_Row, table=True):
    """An override, as it was made."""

    __tablename__ = "limit_overrides"
    __table_args__ = (
        CheckConstraint("(limit_name IS NULL) <> (tier IS NULL)", name="limit_overrides_what"),
        CheckConstraint("starts_at < ends_at", name="limit_overrides_time"),
        CheckConstraint("reason <> '' AND author <> ''", name="limit_overrides_why"),
        Index("limit_overrides_by_subject", "subject", "created_at"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    subject: str = Field(sa_type=Text)
    limit_name: str | None = Field(default=None, sa_type=Text)
    tier: str | None = Field(default=None, sa_type=Text)
    hard: int | None = Field(default=None, sa_type=BigInteger)
    soft: int | None = Field(default=None, sa_type=BigInteger)
    reason: str = Field(sa_type=Text)
    author: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Moment)
    starts_at: datetime = Field(sa_type=Moment)
    ends_at: datetime = Field(sa_type=Moment)


class RevocationRow(_Row, table=True):
    """That an override was ended before its time."""

    __tablename__ = "limit_revocations"
    __table_args__ = (ForeignKeyConstraint(["override_id"], ["limit_overrides.id"], name="limit_revocations_override"),)

    override_id: str = Field(primary_key=True, sa_type=Text)
    reason: str = Field(sa_type=Text)
    author: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Moment)
