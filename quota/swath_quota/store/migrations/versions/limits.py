"""Limits: counters, hourly buckets, takes, overrides and their revocations."""

import sqlalchemy as sa
from alembic import op
from swath_quota.store.tables import Moment

revision = "limits"
down_revision = "usage"
branch_labels = None
depends_on = None

_STANDING = sa.text("status = 'standing'")
_FOREVER = ("limit_overrides", "limit_revocations")


def upgrade() -> None:
    _counters()
    _takes()
    _overrides()
    for table in _FOREVER:
        if op.get_context().dialect.name == "sqlite":
            _sqlite_trigger(table)
        else:
            _postgresql_trigger(table)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _integer(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, Moment(), nullable=nullable)


def _counters() -> None:
    op.create_table(
        "limit_counters",
        _text("account"),
        _text("limit_name"),
        _moment("seen_at"),
        _text("period"),
        _integer("used"),
        sa.PrimaryKeyConstraint("account", "limit_name"),
        sa.CheckConstraint("used >= 0", name="limit_counters_used"),
    )
    op.create_table(
        "limit_buckets",
        _text("account"),
        _text("limit_name"),
        _moment("hour"),
        _integer("amount"),
        sa.PrimaryKeyConstraint("account", "limit_name", "hour"),
        sa.CheckConstraint("amount >= 0", name="limit_buckets_amount"),
    )


def _takes() -> None:
    op.create_table(
        "limit_takes",
        _text("id"),
        _text("account"),
        _text("limit_name"),
        _integer("amount"),
        sa.Column("degraded", sa.Boolean(), nullable=False),
        _text("status"),
        _moment("created_at"),
        _moment("expires_at", nullable=True),
        _moment("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("amount > 0", name="limit_takes_amount"),
        sa.CheckConstraint("status IN ('counted', 'standing', 'given_back', 'expired')", name="limit_takes_status"),
        sa.CheckConstraint("(status IN ('counted', 'standing')) = (ended_at IS NULL)", name="limit_takes_ended"),
    )
    op.create_index("limit_takes_by_account", "limit_takes", ["account", "limit_name", "created_at"])
    op.create_index(
        "limit_takes_standing",
        "limit_takes",
        ["account", "limit_name"],
        sqlite_where=_STANDING,
        postgresql_where=_STANDING,
    )


def _overrides() -> None:
    op.create_table(
        "limit_overrides",
        _text("id"),
        _text("subject"),
        _text("limit_name", nullable=True),
        _text("tier", nullable=True),
        _integer("hard", nullable=True),
        _integer("soft", nullable=True),
        _text("reason"),
        _text("author"),
        _moment("created_at"),
        _moment("starts_at"),
        _moment("ends_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("(limit_name IS NULL) <> (tier IS NULL)", name="limit_overrides_what"),
        sa.CheckConstraint("starts_at < ends_at", name="limit_overrides_time"),
        sa.CheckConstraint("reason <> '' AND author <> ''", name="limit_overrides_why"),
    )
    op.create_index("limit_overrides_by_subject", "limit_overrides", ["subject", "created_at"])
    op.create_table(
        "limit_revocations",
        _text("override_id"),
        _text("reason"),
        _text("author"),
        _moment("at"),
        sa.PrimaryKeyConstraint("override_id"),
        sa.ForeignKeyConstraint(["override_id"], ["limit_overrides.id"], name="limit_revocations_override"),
    )


def _sqlite_trigger(table: str) -> None:
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_{event.lower()} BEFORE {event} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _postgresql_trigger(table: str) -> None:
    op.execute(
        f"CREATE FUNCTION {table}_forever() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_forever BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_forever()"
    )
