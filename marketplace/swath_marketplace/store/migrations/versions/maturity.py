"""What assessments found, and what reviewers said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "maturity"
down_revision = "receipts"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_APPEND_ONLY = ("assessments", "reviews")
_LEVELS = "'prototype', 'incubating', 'verified', 'validated', 'operational'"


def upgrade() -> None:
    """Make the tables; versions from before are assessed when their time comes."""
    op.create_table(
        "assessments",
        sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), primary_key=True),
        sa.Column("version_digest", sa.String(), primary_key=True),
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("dossier_digest", sa.String()),
        sa.Column("environment_lock_sha256", sa.String(), nullable=False),
        sa.Column("criteria_version", sa.String(), nullable=False),
        sa.Column("criteria_sha256", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("met", sa.String(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("fresh_days", sa.JSON(), nullable=False),
        sa.Column("green_at", _TIME),
        sa.Column("at", _TIME, nullable=False),
        sa.CheckConstraint("sequence > 0", name="ck_assessments_sequence"),
        sa.CheckConstraint(
            "cause IN ('publish', 'dossier', 'round', 'review', 'criteria', 'clock')", name="ck_assessments_cause"
        ),
        sa.CheckConstraint(f"met IN ({_LEVELS})", name="ck_assessments_met"),
    )
    op.create_table(
        "reviews",
        sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), primary_key=True),
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.CheckConstraint("sequence > 0", name="ck_reviews_sequence"),
        sa.CheckConstraint("kind IN ('technical', 'functional')", name="ck_reviews_kind"),
        sa.CheckConstraint("verdict IN ('approve', 'reject')", name="ck_reviews_verdict"),
        sa.CheckConstraint("length(text) >= 40", name="ck_reviews_text"),
    )
    op.create_index("ix_runs_version_ended", "runs", ["algorithm_id", "digest", "ended_at"])
    _append_only()


def _append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in _APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    # The function is the one that the tables of added value have.
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION value_never_changes()"
        )


def downgrade() -> None:
    """Take them out again."""
    op.drop_index("ix_runs_version_ended", "runs")
    for table in reversed(_APPEND_ONLY):
        op.drop_table(table)
