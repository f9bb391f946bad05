"""Tables of reports, of the acts that may answer them, and of replies to reviews. Triggers keep what was said."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.domain.moderation import ActKind
from swath_marketplace.domain.reports import ReportKind, ReportState
from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of


def _one_of(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


class ReportRow(Base, table=True):
    """What somebody says is wrong with an algorithm, a version or a review, and the answer."""

    __tablename__ = "reports"
    __table_args__ = (
        sa.CheckConstraint(_one_of("kind", ReportKind), name="ck_reports_kind"),
        sa.CheckConstraint(_one_of("state", ReportState), name="ck_reports_state"),
        sa.CheckConstraint(
            "(state = 'open') = (answer IS NULL) AND (state = 'open') = (answered_by IS NULL) "
            "AND (state = 'open') = (answered_at IS NULL)",
            name="ck_reports_answered",
        ),
        sa.CheckConstraint(
            "(version IS NULL) = (digest IS NULL) AND (review IS NULL OR digest IS NOT NULL)", name="ck_reports_subject"
        ),
        sa.Index("ix_reports_state", "state", "at"),
        sa.Index("ix_reports_reporter", "reporter", "at"),
        sa.Index("ix_reports_about", "about", "at"),
    )

    id: str = Field(primary_key=True)
    kind: str
    algorithm_id: str = Field(foreign_key="algorithms.id")
    owner: str
    name: str
    version: str | None = None
    digest: str | None = None
    review: int | None = None
    about: str
    text: str
    reporter: str
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    state: str
    answer: str | None = None
    answered_by: str | None = None
    answered_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))


class ActRow(Base, table=True):
    """An act of moderation."""

    __tablename__ = "moderation_acts"
    __table_args__ = (
        sa.CheckConstraint("sequence > 0", name="ck_moderation_acts_sequence"),
        sa.CheckConstraint(_one_of("kind", ActKind), name="ck_moderation_acts_kind"),
        sa.CheckConstraint("kind <> 'revoke' OR digest IS NOT NULL", name="ck_moderation_acts_revoke"),
        sa.CheckConstraint("kind <> 'withhold' OR review IS NOT NULL", name="ck_moderation_acts_withhold"),
        sa.Index("ix_moderation_acts_algorithm", "algorithm_id", "sequence"),
        sa.Index("ix_moderation_acts_report", "report_id"),
    )

    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str
    algorithm_id: str = Field(foreign_key="algorithms.id")
    owner: str
    name: str
    version: str | None = None
    digest: str | None = None
    review: int | None = None
    reason: str
    by: str
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    report_id: str | None = Field(default=None, foreign_key="reports.id")


class ReplyRow(Base, table=True):
    """What an author replies to a review."""

    __tablename__ = "review_replies"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["algorithm_id", "digest", "review"], ["reviews.algorithm_id", "reviews.digest", "reviews.sequence"]
        ),
        sa.CheckConstraint("sequence > 0", name="ck_review_replies_sequence"),
    )

    algorithm_id: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    review: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    text: str
    by: str
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


reports = table_of(ReportRow)
acts = table_of(ActRow)
replies = table_of(ReplyRow)
