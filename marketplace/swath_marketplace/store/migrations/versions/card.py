"""Favourites, follows, entries of other platforms; notices of more kinds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "card"
down_revision = "hooks"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_LEVELS = "'prototype', 'incubating', 'verified', 'validated', 'operational'"
_OLD_KINDS = "'benchmark-broken', 'benchmark-mended', 'benchmark-slower', 'benchmark-dearer'"


def upgrade() -> None:
    """Make the tables, and let a notice be of any kind that the domain names."""
    for name in ("favourites", "follows"):
        op.create_table(
            name,
            sa.Column("user", sa.String(), primary_key=True),
            sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), primary_key=True),
            sa.Column("at", _TIME, nullable=False),
        )
    op.create_index("ix_follows_algorithm", "follows", ["algorithm_id"])
    op.create_table(
        "followed_versions",
        sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), primary_key=True),
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.CheckConstraint(f"level IN ({_LEVELS})", name="ck_followed_versions_level"),
    )
    op.create_table(
        "external_entries",
        sa.Column("source", sa.String(), primary_key=True),
        sa.Column("record_id", sa.String(), primary_key=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("record_sha256", sa.String(), nullable=False),
        sa.Column("imported_at", _TIME, nullable=False),
        sa.CheckConstraint("length(source) > 0 AND length(record_id) > 0", name="ck_external_entries_named"),
        sa.CheckConstraint("length(record_sha256) = 64", name="ck_external_entries_sha256"),
    )
    _kinds("kind <> ''")


def _kinds(condition: str) -> None:
    """Kinds come with each part of the service: which there are stands in the domain; SQL keeps that there is one."""
    with op.batch_alter_table("notices") as notices:
        notices.drop_constraint("ck_notices_kind", type_="check")
        notices.create_check_constraint("ck_notices_kind", condition)


def downgrade() -> None:
    """Take them out again, and the notices that were not known before."""
    op.execute("DELETE FROM notices WHERE kind NOT LIKE 'benchmark-%'")
    _kinds(f"kind IN ({_OLD_KINDS})")
    for name in ("external_entries", "followed_versions", "follows", "favourites"):
        op.drop_table(name)
