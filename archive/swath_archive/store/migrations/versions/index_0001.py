"""The index: the catalogue's digest, collections and items."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archive_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("id = 1", name="archive_state_single"),
    )
    op.create_table(
        "archive_collections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "archive_items",
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("at_us", "starts_us", "ends_us")),
        *(sa.Column(name, sa.Float(), nullable=False) for name in ("west", "south", "east", "north")),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("collection", "id"),
        sa.ForeignKeyConstraint(["collection"], ["archive_collections.id"], ondelete="CASCADE"),
        sa.CheckConstraint("starts_us <= ends_us", name="archive_items_interval"),
        sa.CheckConstraint("south <= north", name="archive_items_latitudes"),
    )
    op.create_index("archive_items_order", "archive_items", ["at_us", "collection", "id"])
