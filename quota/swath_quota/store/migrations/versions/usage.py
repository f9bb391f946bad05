"""Usage: the append-only stream of events, and the meters that sum it up."""

import sqlalchemy as sa
from alembic import op
from swath_quota.store.tables import Moment

revision = "usage"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _events()
    _meters()
    if op.get_context().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, Moment(), nullable=False)


def _events() -> None:
    op.create_table(
        "usage_events",
        *map(_text, ("id", "meter", "hold_id", "account", "kind")),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("usage", sa.JSON(), nullable=False),
        _flag("final"),
        _text("fault"),
        _flag("late"),
        _moment("at"),
        _moment("received_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["hold_id"], ["holds.id"], name="usage_events_hold"),
        sa.CheckConstraint("sequence > 0", name="usage_events_number"),
        sa.CheckConstraint("kind IN ('run', 'lab', 'dask')", name="usage_events_kind"),
        sa.CheckConstraint(
            "fault IN ('none', 'user', 'platform') AND (final OR fault = 'none')", name="usage_events_fault"
        ),
    )
    op.create_index("usage_events_sequence", "usage_events", ["meter", "sequence"], unique=True)
    op.create_index("usage_events_by_hold", "usage_events", ["hold_id"])


def _meters() -> None:
    op.create_table(
        "meters",
        *map(_text, ("id", "hold_id", "account", "kind", "reference")),
        sa.Column("usage", sa.JSON(), nullable=False),
        _flag("final"),
        _text("fault"),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        _text("status"),
        _moment("first_seen_at"),
        _moment("last_seen_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["hold_id"], ["holds.id"], name="meters_hold"),
        sa.CheckConstraint("kind IN ('run', 'lab', 'dask')", name="meters_kind"),
        sa.CheckConstraint("fault IN ('none', 'user', 'platform')", name="meters_fault"),
        sa.CheckConstraint("status IN ('open', 'closed', 'settled')", name="meters_status"),
    )
    op.create_index("meters_of_hold", "meters", ["hold_id"], unique=True)
    op.create_index("meters_by_account", "meters", ["account", "first_seen_at", "id"])
    unsettled = sa.text("status = 'closed' OR (final AND status = 'open')")
    op.create_index("meters_unsettled", "meters", ["last_seen_at"], sqlite_where=unsettled, postgresql_where=unsettled)


#: A meter stays what it is, never opens again, and once closed counts nothing more.
_METER_FIXED = (
    "OLD.id <> NEW.id OR OLD.hold_id <> NEW.hold_id OR OLD.account <> NEW.account OR OLD.kind <> NEW.kind "
    "OR OLD.status = 'settled' OR (OLD.status = 'closed' AND (NEW.status = 'open' OR OLD.sequence <> NEW.sequence))"
)


def _sqlite_triggers() -> None:
    op.execute(
        "CREATE TRIGGER usage_events_append_only BEFORE UPDATE ON usage_events "
        "BEGIN SELECT RAISE(ABORT, 'usage_events is append-only'); END"
    )
    for table in ("usage_events", "meters"):
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: nothing goes'); END"
        )
    op.execute(
        f"CREATE TRIGGER meters_final BEFORE UPDATE ON meters WHEN {_METER_FIXED} "
        "BEGIN SELECT RAISE(ABORT, 'what is closed in meters is final'); END"
    )


def _postgresql_triggers() -> None:
    # The function comes with the ledger's first migration.
    op.execute(
        "CREATE TRIGGER usage_events_append_only BEFORE UPDATE ON usage_events "
        "FOR EACH ROW EXECUTE FUNCTION quota_refuse()"
    )
    for table in ("usage_events", "meters"):
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION quota_refuse()"
        )
    op.execute(
        f"CREATE TRIGGER meters_final BEFORE UPDATE ON meters FOR EACH ROW WHEN ({_METER_FIXED}) "
        "EXECUTE FUNCTION quota_refuse()"
    )
