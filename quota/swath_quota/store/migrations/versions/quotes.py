"""Quotes, and observations of what things used: both append-only."""

import sqlalchemy as sa
from alembic import op
from swath_quota.store.tables import Moment

revision = "quotes"
down_revision = "limits"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("quotes", "observations")


def upgrade() -> None:
    _quotes()
    _observations()
    for table in _APPEND_ONLY:
        if op.get_context().dialect.name == "sqlite":
            _keep_on_sqlite(table)
        else:
            _keep_on_postgresql(table)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _json(name: str) -> sa.Column[dict[str, float]]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, Moment(), nullable=False)


def _quotes() -> None:
    op.create_table(
        "quotes",
        _text("id"),
        _text("kind"),
        _text("subject"),
        _json("reserved"),
        _json("features"),
        *(_integer(name) for name in ("p50", "p95", "upper_bound", "hold", "ceiling")),
        sa.Column("p50_seconds", sa.Float(), nullable=False),
        sa.Column("p95_seconds", sa.Float(), nullable=False),
        _text("basis"),
        _integer("observations"),
        _text("explanation"),
        _text("price_version"),
        _moment("created_at"),
        _moment("valid_until"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("kind IN ('run', 'lab', 'dask')", name="quotes_kind"),
        sa.CheckConstraint("basis IN ('history', 'benchmark', 'cold-start')", name="quotes_basis"),
        sa.CheckConstraint(
            "0 <= p50 AND p50 <= p95 AND p95 <= upper_bound AND upper_bound <= hold AND hold <= ceiling",
            name="quotes_amounts",
        ),
    )


def _observations() -> None:
    op.create_table(
        "observations",
        _text("id"),
        _text("kind"),
        _text("subject"),
        _text("source"),
        _json("features"),
        _json("usage"),
        sa.Column("finished", sa.Boolean(), nullable=False),
        _text("quote_id"),
        _moment("at"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("kind IN ('run', 'lab', 'dask')", name="observations_kind"),
        sa.CheckConstraint("source IN ('use', 'benchmark')", name="observations_source"),
    )
    op.create_index("observations_by_subject", "observations", ["kind", "subject", "at"])
    quoted = sa.text("quote_id <> ''")
    op.create_index("observations_quoted", "observations", ["at"], sqlite_where=quoted, postgresql_where=quoted)


def _keep_on_sqlite(table: str) -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _keep_on_postgresql(table: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION quota_refuse()"
    )
