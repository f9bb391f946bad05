"""What a run was foretold to cost, what that stands on, and the most that its caller lets it cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "quotes"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; runs from before have none of it."""
    op.add_column("runs", sa.Column("estimate", sa.JSON()))
    op.add_column("runs", sa.Column("features", sa.JSON()))
    op.add_column("runs", sa.Column("budget_millicredits", sa.BigInteger()))
    op.add_column("runs", sa.Column("ceiling_millicredits", sa.BigInteger()))


def downgrade() -> None:
    """Remove them."""
    for column in ("ceiling_millicredits", "budget_millicredits", "features", "estimate"):
        op.drop_column("runs", column)
