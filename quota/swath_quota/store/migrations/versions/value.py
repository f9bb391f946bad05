"""What authors earn: added value in holds, how a capture was divided, payouts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from swath_quota.store.migrations.triggers import drop_triggers, make_triggers

revision = "value"
down_revision = "reports"
branch_labels = None
depends_on = None

_TABLES = ("transactions", "entries", "draws", "accounts", "holds", "grants")
_KINDS = "'allowance', 'grant', 'capture', 'lapse', 'refund'"


def upgrade() -> None:
    """Add the columns, empty for what is there, and a kind of transaction."""
    op.add_column("holds", sa.Column("added_value", sa.JSON()))
    op.add_column("holds", sa.Column("shares", sa.JSON()))
    _kinds(f"{_KINDS}, 'payout'")


def downgrade() -> None:
    """Take them away; fails where anything was paid out."""
    _kinds(_KINDS)
    drop_triggers(_TABLES)
    op.drop_column("holds", "shares")
    op.drop_column("holds", "added_value")
    make_triggers()


def _kinds(names: str) -> None:
    drop_triggers(_TABLES)
    with op.batch_alter_table("transactions") as batch:
        batch.drop_constraint("transactions_kind", type_="check")
        batch.create_check_constraint("transactions_kind", sa.text(f"kind IN ({names})"))
    make_triggers()
