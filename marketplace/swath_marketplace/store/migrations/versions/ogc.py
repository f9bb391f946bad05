"""How runs that came through the door of OGC API - Processes are answered, and packages deployed there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ogc"
down_revision = "exit"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables; a run from before has no row and is answered as a document."""
    op.create_table(
        "ogc_executions",
        sa.Column("run_id", sa.String(), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("response", sa.String(), nullable=False),
        sa.Column("outputs", sa.JSON(), nullable=False),
        sa.Column("origin", sa.String()),
        sa.Column("dismissed_at", _TIME),
        sa.CheckConstraint("response IN ('raw', 'document')", name="ck_ogc_executions_response"),
    )
    op.create_table(
        "ogc_packages",
        sa.Column("algorithm_id", sa.String(), primary_key=True),
        sa.Column("version", sa.String(), primary_key=True),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("stored_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["algorithm_id", "version"], ["versions.algorithm_id", "versions.version"]),
    )


def downgrade() -> None:
    """Forget both."""
    op.drop_table("ogc_packages")
    op.drop_table("ogc_executions")
