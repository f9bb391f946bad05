"""Tables of what assessments found and of what reviewers said. Triggers of the migration make both append-only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.domain.assessments import Cause
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.reviews import LEAST_CHARACTERS, ReviewKind, ReviewVerdict
from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of


def _one_of(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


class AssessmentRow(Base, table=True):
    """What every criterion said of a version at one time."""

    __tablename__ = "assessments"
    __table_args__ = (
        sa.CheckConstraint("sequence > 0", name="ck_assessments_sequence"),
        sa.CheckConstraint(_one_of("cause", Cause), name="ck_assessments_cause"),
        sa.CheckConstraint(_one_of("met", MaturityLevel), name="ck_assessments_met"),
    )

    algorithm_id: str = Field(primary_key=True, foreign_key="algorithms.id")
    version_digest: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    dossier_digest: str | None = None
    environment_lock_sha256: str
    criteria_version: str
    criteria_sha256: str
    cause: str
    met: str
    """Follows from the results; stands here so that the assessment before a fall is found without reading all."""
    results: list[Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    fresh_days: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    green_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


class ReviewRow(Base, table=True):
    """What somebody said of a version."""

    __tablename__ = "reviews"
    __table_args__ = (
        sa.CheckConstraint("sequence > 0", name="ck_reviews_sequence"),
        sa.CheckConstraint(_one_of("kind", ReviewKind), name="ck_reviews_kind"),
        sa.CheckConstraint(_one_of("verdict", ReviewVerdict), name="ck_reviews_verdict"),
        sa.CheckConstraint(f"length(text) >= {LEAST_CHARACTERS}", name="ck_reviews_text"),
    )

    algorithm_id: str = Field(primary_key=True, foreign_key="algorithms.id")
    digest: str = Field(primary_key=True)
    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str
    verdict: str
    text: str
    reviewer: str
    counts: bool
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


assessments = table_of(AssessmentRow)
reviews = table_of(ReviewRow)
