"""The tables. What the domain forbids, SQL forbids too: a table row is not validated when it is made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from swath_marketplace.domain.runs import Desired, RunPurpose, RunStatus, SettlementKind, Stage
from swath_marketplace.store.columns import UtcDateTime


class Base(SQLModel, registry=registry()):
    """Tables of this room; another room's may live in the same process under the same names."""


def _one_of(column: str, values: type[Stage | RunStatus | Desired | SettlementKind | RunPurpose]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


class AlgorithmRow(Base, table=True):
    """An author's name for a thing; its words follow the latest version."""

    __tablename__ = "algorithms"
    __table_args__ = (
        sa.UniqueConstraint("owner", "name", name="uq_algorithms_owner_name"),
        sa.CheckConstraint("(hidden_at IS NULL) = (hidden_reason IS NULL)", name="ck_algorithms_hidden"),
    )

    id: str = Field(primary_key=True)
    owner: str
    name: str
    title: str
    summary: str
    keywords: list[Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    search_text: str
    created_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    hidden_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    hidden_reason: str | None = None


class VersionRow(Base, table=True):
    """A version. Triggers refuse every update but a yank and a revocation, each once, and every deletion."""

    __tablename__ = "versions"
    __table_args__ = (
        sa.UniqueConstraint("algorithm_id", "digest", name="uq_versions_digest"),
        sa.CheckConstraint("(yanked_at IS NULL) = (yank_reason IS NULL)", name="ck_versions_yank"),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoked_reason IS NULL) AND (revoked_at IS NULL OR yanked_at IS NOT NULL)",
            name="ck_versions_revoked",
        ),
    )

    algorithm_id: str = Field(primary_key=True, foreign_key="algorithms.id")
    version: str = Field(primary_key=True)
    digest: str
    notebook_sha256: str
    interface: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    meta: dict[str, Any] = Field(sa_column=sa.Column("metadata", sa.JSON, nullable=False))
    environment: str
    environment_lock_sha256: str
    resources: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    published_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    yanked_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    yank_reason: str | None = None
    revoked_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    revoked_reason: str | None = None


class RunRow(Base, table=True):
    """A run: what was asked, what is wanted, what was observed."""

    __tablename__ = "runs"
    __table_args__ = (
        sa.UniqueConstraint("caller", "idempotency_key", name="uq_runs_idempotency_key"),
        sa.CheckConstraint(_one_of("stage", Stage), name="ck_runs_stage"),
        sa.CheckConstraint(_one_of("desired", Desired), name="ck_runs_desired"),
        sa.CheckConstraint(f"outcome IS NULL OR {_one_of('outcome', RunStatus)}", name="ck_runs_outcome"),
        sa.CheckConstraint(f"settlement IS NULL OR {_one_of('settlement', SettlementKind)}", name="ck_runs_settlement"),
        sa.CheckConstraint("(stage = 'terminal') = (settlement IS NOT NULL)", name="ck_runs_terminal_is_settled"),
        sa.CheckConstraint("stage <> 'terminal' OR outcome IS NOT NULL", name="ck_runs_terminal_has_outcome"),
        sa.CheckConstraint(_one_of("purpose", RunPurpose), name="ck_runs_purpose"),
        sa.CheckConstraint("quote_millicredits >= 0", name="ck_runs_quote"),
        sa.CheckConstraint(
            "cost_millicredits IS NULL OR (cost_millicredits >= 0 AND cost_millicredits <= quote_millicredits)",
            name="ck_runs_cost",
        ),
        sa.Index("ix_runs_stage_lease", "stage", "lease_until"),
        sa.Index("ix_runs_caller_created", "caller", "created_at"),
        sa.Index("ix_runs_caller_started", "caller", "started_at"),
        sa.Index("ix_runs_algorithm", "algorithm_id"),
        sa.Index("ix_runs_version_ended", "algorithm_id", "digest", "ended_at"),
        sa.Index("ix_runs_kept_until", "stage", "results_expired_at", "kept_until"),
        sa.Index("ix_runs_expired", "results_cleared_at", "results_expired_at"),
        # Dashboards read these alone, without the rows.
        sa.Index(
            "ix_runs_use",
            "algorithm_id",
            "created_at",
            "caller",
            "purpose",
            "version",
            "outcome",
            "platform_fault",
            "settlement",
        ),
        sa.Index(
            "ix_runs_ended",
            "ended_at",
            "algorithm_id",
            "version",
            "outcome",
            "platform_fault",
            "settlement",
            "purpose",
            "cost_millicredits",
        ),
        sa.Index(
            "ix_runs_open",
            "stage",
            "caller",
            "queued_at",
            sqlite_where=sa.text("stage <> 'terminal'"),
            postgresql_where=sa.text("stage <> 'terminal'"),
        ),
        sa.Index(
            "ix_runs_failed",
            "algorithm_id",
            "ended_at",
            sqlite_where=sa.text("outcome = 'error'"),
            postgresql_where=sa.text("outcome = 'error'"),
        ),
        sa.Index(
            "ix_runs_paid",
            "algorithm_id",
            "ended_at",
            sqlite_where=sa.text("added_value IS NOT NULL"),
            postgresql_where=sa.text("added_value IS NOT NULL"),
        ),
    )

    id: str = Field(primary_key=True)
    algorithm_id: str = Field(foreign_key="algorithms.id")
    owner: str
    name: str
    version: str
    digest: str
    caller: str
    idempotency_key: str | None = None
    request_sha256: str
    parameters: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    resources: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    quote_millicredits: int = Field(sa_column=sa.Column(sa.BigInteger, nullable=False))
    stage: str
    desired: str
    stopped_for: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    outcome: str | None = None
    settlement: str | None = None
    handles: dict[str, Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    error: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    refusal: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    platform_fault: bool = False
    progress: float = 0.0
    usage: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    cost_millicredits: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger))
    outputs: list[Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    inputs: list[Any] = Field(sa_column=sa.Column(sa.JSON, nullable=False))
    observation: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    environment: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    created_at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    queued_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    started_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    ended_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    estimate: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    features: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    budget_millicredits: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger))
    added_value: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    ceiling_millicredits: int | None = Field(default=None, sa_column=sa.Column(sa.BigInteger))
    checkpoint: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    admitted_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    purpose: str = Field(
        default=RunPurpose.CALL.value, sa_column=sa.Column(sa.String, nullable=False, server_default="call")
    )
    kept_until: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    results_expired_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    results_cleared_at: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))
    """When its files were removed, which is after they were said to have expired."""
    generation: int = 0
    lease_holder: str | None = None
    lease_until: datetime | None = Field(default=None, sa_column=sa.Column(UtcDateTime))


class RunEventRow(Base, table=True):
    """Each change that a caller sees, written in the transaction that made it: the stream's backbone."""

    __tablename__ = "run_events"

    run_id: str = Field(primary_key=True, foreign_key="runs.id")
    seq: int = Field(primary_key=True)
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))
    status: str
    detail: dict[str, Any] | None = Field(default=None, sa_column=sa.Column(sa.JSON(none_as_null=True)))
    """What happened, when it was no change of the status."""


class ShareRow(Base, table=True):
    """What a caller took of the machine, as it counted when the caller last got a slot."""

    __tablename__ = "shares"
    __table_args__ = (sa.CheckConstraint("cpu_seconds >= 0 AND memory_mb_seconds >= 0", name="ck_shares_usage"),)

    caller: str = Field(primary_key=True)
    cpu_seconds: float = Field(sa_column=sa.Column(sa.Double, nullable=False))
    memory_mb_seconds: float = Field(sa_column=sa.Column(sa.Double, nullable=False))
    at: datetime = Field(sa_column=sa.Column(UtcDateTime, nullable=False))


def table_of(model: type[SQLModel]) -> sa.Table:
    """The SQLAlchemy table of `model`."""
    table = model.__dict__["__table__"]
    assert isinstance(table, sa.Table)
    return table


algorithms = table_of(AlgorithmRow)
versions = table_of(VersionRow)
runs = table_of(RunRow)
run_events = table_of(RunEventRow)
shares = table_of(ShareRow)
