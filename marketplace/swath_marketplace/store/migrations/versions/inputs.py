"""What a run ran in, and how what it read was observed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "inputs"
down_revision = "dossiers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; of runs from before nobody knows."""
    op.add_column("runs", sa.Column("observation", sa.JSON()))
    op.add_column("runs", sa.Column("environment", sa.JSON()))


def downgrade() -> None:
    """Remove them."""
    for column in ("environment", "observation"):
        op.drop_column("runs", column)
