"""What authors ask, how mature versions are, and what of it each run agreed to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "value"
down_revision = "shares"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_APPEND_ONLY = ("added_value_prices", "maturity_marks")


def upgrade() -> None:
    """Make the tables and the column; runs from before have no added value."""
    op.create_table(
        "added_value_prices",
        sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), primary_key=True),
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("per", sa.String()),
        sa.Column("millicredits", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("set_at", _TIME, nullable=False),
        sa.Column("effective_at", _TIME, nullable=False),
        sa.CheckConstraint("per IS NULL OR per IN ('run', 'km2', 'cpu_hour')", name="ck_added_value_prices_per"),
        sa.CheckConstraint("(per IS NULL) = (millicredits = 0)", name="ck_added_value_prices_none"),
        sa.CheckConstraint("millicredits >= 0 AND sequence > 0", name="ck_added_value_prices_amount"),
    )
    op.create_table(
        "maturity_marks",
        sa.Column("algorithm_id", sa.String(), sa.ForeignKey("algorithms.id"), primary_key=True),
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.CheckConstraint(
            "level IN ('prototype', 'incubating', 'verified', 'validated', 'operational')",
            name="ck_maturity_marks_level",
        ),
        sa.CheckConstraint("sequence > 0", name="ck_maturity_marks_sequence"),
    )
    op.add_column("runs", sa.Column("added_value", sa.JSON()))
    _append_only()


def _append_only() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in _APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION value_never_changes() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'this table is append-only'; END $$"
    )
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION value_never_changes()"
        )


def downgrade() -> None:
    """Take them out again."""
    op.drop_column("runs", "added_value")
    for table in reversed(_APPEND_ONLY):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION value_never_changes()")
