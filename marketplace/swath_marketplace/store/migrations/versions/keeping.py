"""Until when the files of a run are kept, and what pins them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "keeping"
down_revision = "run_links"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_COLUMNS = ("kept_until", "results_expired_at", "results_cleared_at")


def upgrade() -> None:
    """Add the columns; of runs from before nothing is known yet."""
    for name in _COLUMNS:
        op.add_column("runs", sa.Column(name, _TIME))
    op.create_index("ix_runs_kept_until", "runs", ["stage", "results_expired_at", "kept_until"])
    op.create_index("ix_runs_expired", "runs", ["results_cleared_at", "results_expired_at"])
    op.create_table(
        "result_pins",
        sa.Column("run_id", sa.String(), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("reason", sa.String(), primary_key=True),
        sa.Column("pinned_by", sa.String(), nullable=False),
        sa.Column("pinned_at", _TIME, nullable=False),
        sa.CheckConstraint("reason <> ''", name="ck_result_pins_reason"),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("result_pins")
    op.drop_index("ix_runs_expired", "runs")
    op.drop_index("ix_runs_kept_until", "runs")
    for name in reversed(_COLUMNS):
        op.drop_column("runs", name)
