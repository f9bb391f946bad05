"""Tables of quotes and observations. Both are append-only: triggers of the migration refuse every change."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, CheckConstraint, Index, Text, text
from sqlmodel import Field

from swath_quota.store.tables import Moment, _Row


class QuoteRow(_Row, table=True):
    """A quote as it was given."""

    __tablename__ = "quotes"
    __table_args__ = (
        CheckConstraint("kind IN ('run', 'lab', 'dask')", name="quotes_kind"),
        CheckConstraint("basis IN ('history', 'benchmark', 'cold-start')", name="quotes_basis"),
        CheckConstraint(
            "0 <= p50 AND p50 <= p95 AND p95 <= upper_bound AND upper_bound <= hold AND hold <= ceiling",
            name="quotes_amounts",
        ),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    reserved: dict[str, float] = Field(sa_type=JSON)
    features: dict[str, float] = Field(sa_type=JSON)
    p50: int = Field(sa_type=BigInteger)
    p95: int = Field(sa_type=BigInteger)
    upper_bound: int = Field(sa_type=BigInteger)
    hold: int = Field(sa_type=BigInteger)
    ceiling: int = Field(sa_type=BigInteger)
    p50_seconds: float
    p95_seconds: float
    basis: str = Field(sa_type=Text)
    observations: int = Field(sa_type=BigInteger)
    explanation: str = Field(sa_type=Text)
    price_version: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=Moment)
    valid_until: datetime = Field(sa_type=Moment)


class ObservationRow(_Row, table=True):
    """What something used."""

    __tablename__ = "observations"
    __table_args__ = (
        CheckConstraint("kind IN ('run', 'lab', 'dask')", name="observations_kind"),
        CheckConstraint("source IN ('use', 'benchmark')", name="observations_source"),
        Index("observations_by_subject", "kind", "subject", "at"),
        Index(
            "observations_quoted",
            "at",
            sqlite_where=text("quote_id <> ''"),
            postgresql_where=text("quote_id <> ''"),
        ),
    )

    id: str = Field(primary_key=True, sa_type=Text)
    kind: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    features: dict[str, float] = Field(sa_type=JSON)
    usage: dict[str, float] = Field(sa_type=JSON)
    finished: bool
    quote_id: str = Field(sa_type=Text)
    at: datetime = Field(sa_type=Moment)
