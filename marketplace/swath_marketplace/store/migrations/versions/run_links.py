"""Links by which a run's maker lets others look at it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "run_links"
down_revision = "card"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "run_links",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.UniqueConstraint("secret_sha256", name="uq_run_links_secret"),
        sa.CheckConstraint("expires_at > created_at", name="ck_run_links_times"),
    )
    op.create_index("ix_run_links_run", "run_links", ["run_id"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("run_links")
