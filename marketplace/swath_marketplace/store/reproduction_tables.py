"""Reproductions. Triggers of the migration keep one that has ended as it is, and refuse every deletion."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.domain.reproductions import Outcome, Stage
from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of


def _one_of(column: str, values: type[Stage | Outcome]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


class ReproductionRow(Base, table=True):
    """One attempt."""

    __tablename__ = "reproductions"
    __table_args__ = (
        sa.UniqueConstraint("asked_by", "idempotency_key", name="uq_reproductions_idempotency_key"),
        sa.CheckConstraint(_one_of("stage", Stage), name="ck_reproductions_stage"),
        sa.CheckConstraint(f"outcome IS NULL OR {_one_of('outcome', Outcome)}", name="ck_reproductions_outcome"),
        sa.CheckConstraint("(stage = 'ended') = (outcome IS NOT NULL)", name="ck_reproductions_ended"),
        sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ck_reproductions_ended_at"),
        sa.CheckConstraint("stage NOT IN ('running', 'comparing') OR run_id IS NOT NULL", name="ck_reproductions_run"),
        sa.Index("ix_reproductions_origin", "origin_run_id", "asked_at"),
        sa.Index("ix_reproductions_asked_by", "asked_by", "asked_at"),
        sa.Index("ix_reproductions_stage", "stage"),
    )

    id: str = Field(primary_key=True)
    origin_run_id: str
    origin: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    asked_by: str
    asked_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    idempotency_key: str | None = None
    request_sha256: str
    tolerances: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    tolerances_from: str
    sees_original: bool
    budget_millicredits: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger))
    stage: str
    run_id: str | None = None
    causes: list[Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    outcome: str | None = None
    comparisons: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    message: str
    ended_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    lease_holder: str | None = None
    lease_until: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))


reproductions = table_of(ReproductionRow)
