"""What callers took of the machine; budgets and checkpoints of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "shares"
down_revision = "quotes"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table and the columns; what ran before has its start for the moment of its slot.

    The table stays empty: the service computes it from the runs when it starts.
    """
    op.create_table(
        "shares",
        sa.Column("caller", sa.String(), primary_key=True),
        sa.Column("cpu_seconds", sa.Double(), nullable=False),
        sa.Column("memory_mb_seconds", sa.Double(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.CheckConstraint("cpu_seconds >= 0 AND memory_mb_seconds >= 0", name="ck_shares_usage"),
    )
    op.add_column("runs", sa.Column("checkpoint", sa.JSON()))
    op.add_column("runs", sa.Column("admitted_at", _TIME))
    op.add_column("run_events", sa.Column("detail", sa.JSON()))
    op.execute(
        "UPDATE runs SET admitted_at = COALESCE(started_at, queued_at) "
        "WHERE started_at IS NOT NULL OR stage IN ('starting', 'running', 'collecting')"
    )


def downgrade() -> None:
    """Take them out again."""
    op.drop_column("run_events", "detail")
    for column in ("admitted_at", "checkpoint"):
        op.drop_column("runs", column)
    op.drop_table("shares")
