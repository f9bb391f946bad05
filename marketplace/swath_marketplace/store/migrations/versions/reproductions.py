"""Runs that were run again, and the verdicts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "reproductions"
down_revision = "lineage"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table; what has ended stays as it is."""
    op.create_table(
        "reproductions",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("origin_run_id", sa.String(), nullable=False),
        sa.Column("origin", sa.JSON(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("idempotency_key", sa.String()),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("tolerances", sa.JSON(), nullable=False),
        sa.Column("tolerances_from", sa.String(), nullable=False),
        sa.Column("sees_original", sa.Boolean(), nullable=False),
        sa.Column("budget_millicredits", sa.BigInteger()),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("run_id", sa.String()),
        sa.Column("causes", sa.JSON(), nullable=False),
        sa.Column("outcome", sa.String()),
        sa.Column("comparisons", sa.JSON(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("lease_holder", sa.String()),
        sa.Column("lease_until", _TIME),
        sa.UniqueConstraint("asked_by", "idempotency_key", name="uq_reproductions_idempotency_key"),
        sa.CheckConstraint("stage IN ('asked', 'running', 'comparing', 'ended')", name="ck_reproductions_stage"),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('identical', 'within-tolerance', 'differs', 'cannot')",
            name="ck_reproductions_outcome",
        ),
        sa.CheckConstraint("(stage = 'ended') = (outcome IS NOT NULL)", name="ck_reproductions_ended"),
        sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ck_reproductions_ended_at"),
        sa.CheckConstraint("stage NOT IN ('running', 'comparing') OR run_id IS NOT NULL", name="ck_reproductions_run"),
    )
    op.create_index("ix_reproductions_origin", "reproductions", ["origin_run_id", "asked_at"])
    op.create_index("ix_reproductions_asked_by", "reproductions", ["asked_by", "asked_at"])
    op.create_index("ix_reproductions_stage", "reproductions", ["stage"])
    _keep_what_ended()


def _keep_what_ended() -> None:
    told = "a reproduction that has ended does not change"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER reproductions_keep BEFORE UPDATE ON reproductions WHEN OLD.stage = 'ended' "
            f"BEGIN SELECT RAISE(ABORT, '{told}'); END"
        )
        op.execute(
            "CREATE TRIGGER reproductions_no_delete BEFORE DELETE ON reproductions "
            f"BEGIN SELECT RAISE(ABORT, '{told}'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION reproductions_never_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF TG_OP = 'DELETE' OR OLD.stage = 'ended' THEN RAISE EXCEPTION '{told}'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER reproductions_keep BEFORE UPDATE OR DELETE ON reproductions FOR EACH ROW "
        "EXECUTE FUNCTION reproductions_never_change()"
    )


def downgrade() -> None:
    """Take it out again."""
    op.drop_table("reproductions")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION reproductions_never_change()")
