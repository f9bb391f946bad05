"""Receipts, the log that they stand in, and the keys they are signed with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "receipts"
down_revision = "inputs"
branch_labels = None
depends_on = None

_TABLES = (
    "installation",
    "signing_key_events",
    "receipts",
    "receipt_outputs",
    "receipt_nodes",
    "receipt_checkpoints",
)


def upgrade() -> None:
    """Make the tables; runs from before get their receipts from the sweep."""
    op.create_table(
        "installation",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.CheckConstraint("number = 1", name="ck_installation_one"),
    )
    op.create_table(
        "signing_key_events",
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.CheckConstraint("sequence > 0", name="ck_signing_key_events_sequence"),
    )
    op.create_table(
        "receipts",
        sa.Column("log_index", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.String(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("leaf_sha256", sa.String(), nullable=False),
        sa.UniqueConstraint("run_id", "sequence", name="uq_receipts_run"),
        sa.CheckConstraint("log_index >= 0 AND sequence > 0", name="ck_receipts_numbers"),
        sa.CheckConstraint("length(leaf_sha256) = 64", name="ck_receipts_leaf"),
    )
    op.create_index("ix_receipts_key", "receipts", ["key_id"])
    op.create_index("ix_receipts_leaf", "receipts", ["leaf_sha256"])
    op.create_table(
        "receipt_outputs",
        sa.Column("sha256", sa.String(), primary_key=True),
        sa.Column("log_index", sa.Integer(), sa.ForeignKey("receipts.log_index"), primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
    )
    op.create_table(
        "receipt_nodes",
        sa.Column("level", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name="ck_receipt_nodes_hash"),
    )
    op.create_table(
        "receipt_checkpoints",
        sa.Column("size", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.CheckConstraint("size > 0", name="ck_receipt_checkpoints_size"),
    )
    _append_only()


def _append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in _TABLES:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION receipts_never_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'this table is append-only'; END $$"
    )
    for table in _TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION receipts_never_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} EXECUTE FUNCTION receipts_never_change()"
        )


def downgrade() -> None:
    """Take them out again."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION receipts_never_change()")
