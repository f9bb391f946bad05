"""Find the settled holds of a wallet, newest first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "reports"
down_revision = "quotes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    settled = sa.text("resolved_at IS NOT NULL")
    op.create_index(
        "holds_settled",
        "holds",
        ["account_id", "resolved_at", "id"],
        sqlite_where=settled,
        postgresql_where=settled,
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_index("holds_settled", "holds")
