"""Tables of usage: the append-only stream of events, and the meters that sum it up."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, ForeignKeyConstraint, Index, Text, text
from sqlmodel import Field

from swath_quota.store.tables import Moment, _Row

_UNSETTLED = "status = 'closed' OR (final AND status = 'open')"


class UsageEventRow(_Row, table=True):
    """An event, as it was received."""

    __tablename__ = "usage_events"
    __table_args__ = (
        ForeignKeyConstraint(["hold_id"], ["holds.id"], name="usage_events_hold"),
        CheckConstraint("sequence > 0", name="usage_events_number"),
        CheckConstraint("kind IN ('run', 'lab', 'dask')", name="usage_events_kind"),
        CheckConstraint(
            "fault IN ('none', 'user', 'platform') AND (final OR fault = 'none')", name="usage_events_fault"
        ),
        Index("usage_events_sequence", "meter", "sequence", unique=True),
        Index("usage_events_by_hold", "hold_id"),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    meter: str = Field(sa_type=Text)
    hold_id: str = Field(sa_type=Text)
    account: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    sequence: int = Field(sa_type=BigInteger)
    usage: dict[str, float] = Field(sa_type=JSON)
    final: bool = Field(sa_type=Boolean)
    fault: str = Field(sa_type=Text)
    late: bool = Field(sa_type=Boolean)
    at: datetime = Field(sa_type=Moment)
    received_at: datetime = Field(sa_type=Moment)


class MeterRow(_Row, table=True):
    """A meter: the fold of its events, kept beside them because a heartbeat must not read them all."""

    __tablename__ = "meters"
    __table_args__ = (
        ForeignKeyConstraint(["hold_id"], ["holds.id"], name="meters_hold"),
        CheckConstraint("kind IN ('run', 'lab', 'dask')", name="meters_kind"),
        CheckConstraint("fault IN ('none', 'user', 'platform')", name="meters_fault"),
        CheckConstraint("status IN ('open', 'closed', 'settled')", name="meters_status"),
        Index("meters_of_hold", "hold_id", unique=True),
        Index("meters_by_account", "account", "first_seen_at", "id"),
        Index("meters_unsettled", "last_seen_at", sqlite_where=text(_UNSETTLED), postgresql_where=text(_UNSETTLED)),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    hold_id: str = Field(sa_type=Text)
    account: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    usage: dict[str, float] = Field(sa_type=JSON)
    final: bool = Field(sa_type=Boolean)
    fault: str = Field(sa_type=Text)
    sequence: int = Field(sa_type=BigInteger)
    status: str = Field(sa_type=Text)
    first_seen_at: datetime = Field(sa_type=Moment)
    last_seen_at: datetime = Field(sa_type=Moment)
