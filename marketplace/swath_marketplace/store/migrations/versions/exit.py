"""Exports and imports of accounts, and what imports brought."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "exit"
down_revision = "search"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_TEXT = sa.String()
_TOLD = "a run of elsewhere does not change"


def upgrade() -> None:
    """Make the tables."""
    _work()
    _foreign()
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER foreign_runs_no_{verb.lower()} BEFORE {verb} ON foreign_runs "
                f"BEGIN SELECT RAISE(ABORT, '{_TOLD}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION foreign_runs_never_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_TOLD}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER foreign_runs_append_only BEFORE UPDATE OR DELETE ON foreign_runs FOR EACH ROW "
        "EXECUTE FUNCTION foreign_runs_never_change()"
    )


def _work() -> None:
    op.create_table(
        "account_work",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("stage", _TEXT, nullable=False),
        sa.Column("doing", _TEXT, nullable=False),
        sa.Column("fraction", sa.Float(), nullable=False),
        sa.Column("archive_sha256", _TEXT),
        sa.Column("archive_bytes", sa.BigInteger()),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("message", _TEXT, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("expires_at", _TIME),
        sa.Column("lease_holder", _TEXT),
        sa.Column("lease_until", _TIME),
        sa.CheckConstraint("kind IN ('export', 'import')", name="ck_account_work_kind"),
        sa.CheckConstraint(
            "stage IN ('asked', 'working', 'done', 'refused', 'failed', 'expired')", name="ck_account_work_stage"
        ),
        sa.CheckConstraint("(stage IN ('asked', 'working')) = (ended_at IS NULL)", name="ck_account_work_ended"),
        sa.CheckConstraint("fraction >= 0 AND fraction <= 1", name="ck_account_work_fraction"),
    )
    going = sa.text("stage IN ('asked', 'working')")
    op.create_index(
        "uq_account_work_open",
        "account_work",
        ["owner", "kind"],
        unique=True,
        sqlite_where=going,
        postgresql_where=going,
    )
    op.create_index("ix_account_work_owner", "account_work", ["owner", "asked_at"])
    op.create_index("ix_account_work_stage", "account_work", ["stage"])


def _foreign() -> None:
    op.create_table(
        "foreign_versions",
        sa.Column("algorithm_id", _TEXT, sa.ForeignKey("algorithms.id"), primary_key=True),
        sa.Column("digest", _TEXT, primary_key=True),
        sa.Column("origin", _TEXT, primary_key=True),
        sa.Column("path", _TEXT, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("published_at", _TIME, nullable=False),
        sa.Column("imported_at", _TIME, nullable=False),
        sa.Column("imported_by", _TEXT, nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
    )
    op.create_table(
        "foreign_runs",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("importer", _TEXT, nullable=False),
        sa.Column("origin", _TEXT, nullable=False),
        sa.Column("origin_run_id", _TEXT, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("receipt", sa.Text()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("imported_at", _TIME, nullable=False),
        sa.UniqueConstraint("importer", "origin", "origin_run_id", name="uq_foreign_runs_origin"),
    )
    op.create_index("ix_foreign_runs_importer", "foreign_runs", ["importer", "created_at"])
    op.create_table(
        "foreign_keys",
        sa.Column("importer", _TEXT, primary_key=True),
        sa.Column("origin", _TEXT, primary_key=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("pinned_at", _TIME, nullable=False),
    )


def downgrade() -> None:
    """Take them out again."""
    for table in ("foreign_keys", "foreign_runs", "foreign_versions", "account_work"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION foreign_runs_never_change()")
