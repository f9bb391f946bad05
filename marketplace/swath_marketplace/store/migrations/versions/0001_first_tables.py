"""Algorithms, versions that never change, runs and the changes of their status."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_TEXT = sa.String()
_STAGES = "stage IN ('created', 'held', 'starting', 'running', 'collecting', 'settling', 'terminal')"
_STATUSES = "outcome IN ('created', 'queued', 'running', 'canceled', 'finished', 'error')"
_FIXED = (
    "algorithm_id",
    "version",
    "digest",
    "notebook_sha256",
    "interface",
    "metadata",
    "environment",
    "environment_lock_sha256",
    "resources",
    "published_at",
)


def upgrade() -> None:
    """Make the tables and the triggers."""
    _algorithms()
    _versions()
    _runs()
    if op.get_bind().dialect.name == "sqlite":
        _immutable_on_sqlite()
    else:
        _immutable_on_postgresql()


def _algorithms() -> None:
    op.create_table(
        "algorithms",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("title", _TEXT, nullable=False),
        sa.Column("summary", _TEXT, nullable=False),
        sa.Column("keywords", sa.JSON(), nullable=False),
        sa.Column("search_text", _TEXT, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.UniqueConstraint("owner", "name", name="uq_algorithms_owner_name"),
    )


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("algorithm_id", _TEXT, sa.ForeignKey("algorithms.id"), primary_key=True),
        sa.Column("version", _TEXT, primary_key=True),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("notebook_sha256", _TEXT, nullable=False),
        sa.Column("interface", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("environment", _TEXT, nullable=False),
        sa.Column("environment_lock_sha256", _TEXT, nullable=False),
        sa.Column("resources", sa.JSON(), nullable=False),
        sa.Column("published_at", _TIME, nullable=False),
        sa.Column("yanked_at", _TIME),
        sa.Column("yank_reason", _TEXT),
        sa.UniqueConstraint("algorithm_id", "digest", name="uq_versions_digest"),
        sa.CheckConstraint("(yanked_at IS NULL) = (yank_reason IS NULL)", name="ck_versions_yank"),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("algorithm_id", _TEXT, sa.ForeignKey("algorithms.id"), nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("caller", _TEXT, nullable=False),
        sa.Column("idempotency_key", _TEXT),
        sa.Column("request_sha256", _TEXT, nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("resources", sa.JSON(), nullable=False),
        sa.Column("quote_millicredits", sa.BigInteger(), nullable=False),
        sa.Column("stage", _TEXT, nullable=False),
        sa.Column("desired", _TEXT, nullable=False),
        sa.Column("outcome", _TEXT),
        sa.Column("settlement", _TEXT),
        sa.Column("handles", sa.JSON(), nullable=False),
        sa.Column("error", sa.JSON()),
        sa.Column("refusal", sa.JSON()),
        sa.Column("platform_fault", sa.Boolean(), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("usage", sa.JSON()),
        sa.Column("cost_millicredits", sa.BigInteger()),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("queued_at", _TIME),
        sa.Column("started_at", _TIME),
        sa.Column("ended_at", _TIME),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("lease_holder", _TEXT),
        sa.Column("lease_until", _TIME),
        sa.UniqueConstraint("caller", "idempotency_key", name="uq_runs_idempotency_key"),
        sa.CheckConstraint(_STAGES, name="ck_runs_stage"),
        sa.CheckConstraint("desired IN ('finished', 'canceled')", name="ck_runs_desired"),
        sa.CheckConstraint(f"outcome IS NULL OR {_STATUSES}", name="ck_runs_outcome"),
        sa.CheckConstraint(
            "settlement IS NULL OR settlement IN ('refused', 'captured', 'released')", name="ck_runs_settlement"
        ),
        sa.CheckConstraint("(stage = 'terminal') = (settlement IS NOT NULL)", name="ck_runs_terminal_is_settled"),
        sa.CheckConstraint("stage <> 'terminal' OR outcome IS NOT NULL", name="ck_runs_terminal_has_outcome"),
        sa.CheckConstraint("quote_millicredits >= 0", name="ck_runs_quote"),
        sa.CheckConstraint(
            "cost_millicredits IS NULL OR (cost_millicredits >= 0 AND cost_millicredits <= quote_millicredits)",
            name="ck_runs_cost",
        ),
    )
    op.create_index("ix_runs_stage_lease", "runs", ["stage", "lease_until"])
    op.create_index("ix_runs_caller_created", "runs", ["caller", "created_at"])
    op.create_index("ix_runs_caller_started", "runs", ["caller", "started_at"])
    op.create_index("ix_runs_algorithm", "runs", ["algorithm_id"])
    op.create_table(
        "run_events",
        sa.Column("run_id", _TEXT, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
    )


def _immutable_on_sqlite() -> None:
    raised = "BEGIN SELECT RAISE(ABORT, 'a published version never changes'); END"
    op.execute(f"CREATE TRIGGER versions_no_update BEFORE UPDATE OF {', '.join(_FIXED)} ON versions {raised}")
    op.execute(f"CREATE TRIGGER versions_no_delete BEFORE DELETE ON versions {raised}")
    # A yank is for good, too.
    op.execute(f"CREATE TRIGGER versions_no_unyank BEFORE UPDATE ON versions WHEN OLD.yanked_at IS NOT NULL {raised}")


def _immutable_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION versions_never_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a published version never changes'; END $$"
    )
    call = "FOR EACH ROW EXECUTE FUNCTION versions_never_change()"
    op.execute(
        f"CREATE TRIGGER versions_no_update BEFORE UPDATE OF {', '.join(_FIXED)} ON versions FOR EACH ROW "
        "EXECUTE FUNCTION versions_never_change()"
    )
    op.execute(f"CREATE TRIGGER versions_no_delete BEFORE DELETE ON versions {call}")
    op.execute(
        "CREATE TRIGGER versions_no_unyank BEFORE UPDATE ON versions FOR EACH ROW WHEN (OLD.yanked_at IS NOT NULL) "
        "EXECUTE FUNCTION versions_never_change()"
    )


def downgrade() -> None:
    """Remove everything."""
    for table in ("run_events", "runs", "versions", "algorithms"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION versions_never_change()")
