"""Exports and imports of accounts, and what imports brought."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.domain.account_work import WorkKind, WorkStage
from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of


def _one_of(column: str, values: type[WorkKind | WorkStage]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


_OPEN = sa.text("stage IN ('asked', 'working')")


class AccountWorkRow(Base, table=True):
    """One export or import; of each a user has at most one that is open."""

    __tablename__ = "account_work"
    __table_args__ = (
        sa.CheckConstraint(_one_of("kind", WorkKind), name="ck_account_work_kind"),
        sa.CheckConstraint(_one_of("stage", WorkStage), name="ck_account_work_stage"),
        sa.CheckConstraint("(stage IN ('asked', 'working')) = (ended_at IS NULL)", name="ck_account_work_ended"),
        sa.CheckConstraint("fraction >= 0 AND fraction <= 1", name="ck_account_work_fraction"),
        sa.Index("uq_account_work_open", "owner", "kind", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        sa.Index("ix_account_work_owner", "owner", "asked_at"),
        sa.Index("ix_account_work_stage", "stage"),
    )

    id: str = Field(primary_key=True)
    kind: str
    owner: str
    asked_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    stage: str
    doing: str
    fraction: float
    archive_sha256: str | None = None
    archive_bytes: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger))
    findings: list[Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    report: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    message: str
    ended_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    expires_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    lease_holder: str | None = None
    lease_until: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))


class ForeignVersionRow(Base, table=True):
    """Where a version came from, and what was said of it there."""

    __tablename__ = "foreign_versions"

    algorithm_id: str = Field(primary_key=True, foreign_key="algorithms.id")
    digest: str = Field(primary_key=True)
    origin: str = Field(primary_key=True)
    path: str
    version: str
    published_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    imported_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    imported_by: str
    evidence: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))


class ForeignRunRow(Base, table=True):
    """A run of elsewhere. Triggers of the migration refuse every change."""

    __tablename__ = "foreign_runs"
    __table_args__ = (
        sa.UniqueConstraint("importer", "origin", "origin_run_id", name="uq_foreign_runs_origin"),
        sa.Index("ix_foreign_runs_importer", "importer", "created_at"),
    )

    id: str = Field(primary_key=True)
    importer: str
    origin: str
    origin_run_id: str
    document: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    receipt: str | None = Field(default=None, sa_column=sa.Column(sa.Text))
    created_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    imported_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


class ForeignKeysRow(Base, table=True):
    """The keys of an origin, as one user brought them; a later chain has to follow from the one before."""

    __tablename__ = "foreign_keys"

    importer: str = Field(primary_key=True)
    origin: str = Field(primary_key=True)
    document: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    pinned_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


account_work = table_of(AccountWorkRow)
foreign_versions = table_of(ForeignVersionRow)
foreign_runs = table_of(ForeignRunRow)
foreign_keys = table_of(ForeignKeysRow)
