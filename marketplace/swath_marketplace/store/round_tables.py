"""Tables of benchmarks. Triggers of the migration keep what has ended as it is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from swath_marketplace.domain.benchmarks import RoundState, Trigger
from swath_marketplace.store.columns import UtcDateTime
from swath_marketplace.store.tables import Base, table_of

_OPEN = sa.text("state <> 'ended'")
_RUNNING = sa.text("state = 'running'")
_UNMENDED = sa.text("closed_at IS NULL")


def _one_of(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


class RoundRow(Base, table=True):
    """A round, from when it was asked for. One at a time runs, and of a dossier one at a time is open."""

    __tablename__ = "rounds"
    __table_args__ = (
        sa.UniqueConstraint("algorithm_id", "version_digest", "number", name="uq_rounds_number"),
        sa.CheckConstraint(_one_of("trigger", Trigger), name="ck_rounds_trigger"),
        sa.CheckConstraint(_one_of("state", RoundState), name="ck_rounds_state"),
        sa.CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ck_rounds_ended"),
        sa.CheckConstraint("(state = 'waiting') = (started_at IS NULL)", name="ck_rounds_started"),
        sa.CheckConstraint("number > 0", name="ck_rounds_number"),
        sa.Index(
            "uq_rounds_open",
            "algorithm_id",
            "version_digest",
            "dossier_digest",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        sa.Index("uq_rounds_running", "state", unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING),
        sa.Index("ix_rounds_state", "state", "told_at"),
    )

    id: str = Field(primary_key=True)
    algorithm_id: str = Field(foreign_key="algorithms.id")
    owner: str
    name: str
    version: str
    version_digest: str
    dossier_digest: str
    environment_lock_sha256: str
    trigger: str
    asked_by: str
    asked_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    number: int
    state: str
    started_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    ended_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    told_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    """When everybody who listens had been told of its end."""


class RoundRunRow(Base, table=True):
    """One of the runs of a round: made, or why it could not be."""

    __tablename__ = "round_runs"
    __table_args__ = (
        sa.CheckConstraint("(run_id IS NULL) <> (failure IS NULL)", name="ck_round_runs_one"),
        sa.CheckConstraint("ordinal IN (0, 1)", name="ck_round_runs_ordinal"),
    )

    round_id: str = Field(primary_key=True, foreign_key="rounds.id")
    scenario: str = Field(primary_key=True)
    ordinal: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    run_id: str | None = Field(default=None, foreign_key="runs.id", unique=True)
    failure: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))


class RoundResultRow(Base, table=True):
    """What came of a scenario of a round."""

    __tablename__ = "round_results"

    round_id: str = Field(primary_key=True, foreign_key="rounds.id")
    scenario: str = Field(primary_key=True)
    result: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    judged_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


class BreakRow(Base, table=True):
    """A scenario that went red; of a scenario one at a time is open."""

    __tablename__ = "breaks"
    __table_args__ = (
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (closed_why IS NULL)",
            name="ck_breaks_closed",
        ),
        sa.CheckConstraint("closed_why IS NULL OR closed_why IN ('green', 'withdrawn')", name="ck_breaks_why"),
        sa.Index(
            "uq_breaks_open",
            "algorithm_id",
            "version_digest",
            "scenario",
            unique=True,
            sqlite_where=_UNMENDED,
            postgresql_where=_UNMENDED,
        ),
        sa.Index("ix_breaks_opened", "opened_at"),
    )

    id: str = Field(primary_key=True)
    algorithm_id: str = Field(foreign_key="algorithms.id")
    owner: str
    name: str
    version: str
    version_digest: str
    scenario: str
    round_id: str = Field(foreign_key="rounds.id")
    opened_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    result: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    closed_by: str | None = Field(default=None, foreign_key="rounds.id")
    closed_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    closed_why: str | None = None


class NoticeRow(Base, table=True):
    """Something that a user ought to know."""

    __tablename__ = "notices"
    __table_args__ = (
        sa.CheckConstraint("kind <> ''", name="ck_notices_kind"),
        sa.Index("ix_notices_user", "user", "at"),
    )

    id: str = Field(primary_key=True)
    user: str
    kind: str
    text: str
    link: str
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    read_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))


class RoundLeaseRow(Base, table=True):
    """Who works on rounds: one of several processes."""

    __tablename__ = "round_lease"
    __table_args__ = (sa.CheckConstraint("id = 1", name="ck_round_lease_one"),)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    holder: str
    until: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


rounds = table_of(RoundRow)
round_runs = table_of(RoundRunRow)
round_results = table_of(RoundResultRow)
breaks = table_of(BreakRow)
notices = table_of(NoticeRow)
round_lease = table_of(RoundLeaseRow)
