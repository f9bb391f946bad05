"""The triggers that make the ledger append-only and a settled hold final, as of revision 0002."""

from collections.abc import Iterable

from alembic import op

_APPEND_ONLY = ("transactions", "entries", "draws")
_KEPT = ("accounts", "holds", "grants")
#: What of a hold never changes, and what of it is final: everything, once it is settled. An open one may grow.
_HOLD_FIXED = (
    "OLD.status <> 'held' OR NEW.amount < OLD.amount OR OLD.asked <> NEW.asked OR OLD.account_id <> NEW.account_id"
    " OR OLD.member <> NEW.member OR OLD.price_version <> NEW.price_version OR OLD.id <> NEW.id"
)
_GRANT_FIXED = "OLD.amount <> NEW.amount OR OLD.account_id <> NEW.account_id OR NEW.remaining > OLD.remaining"
_FINAL = (("holds", _HOLD_FIXED), ("grants", _GRANT_FIXED))


def drop_triggers(tables: Iterable[str]) -> None:
    """Let a migration change what is otherwise final."""
    on_table = "" if op.get_context().dialect.name == "sqlite" else " ON {table}"
    for table in tables:
        for name in ("append_only", "kept", "final"):
            op.execute(f"DROP TRIGGER IF EXISTS {table}_{name}" + on_table.format(table=table))


def make_triggers() -> None:
    """Make it final again."""
    if op.get_context().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgresql()


def _sqlite() -> None:
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    for table in (*_APPEND_ONLY, *_KEPT):
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table}: nothing goes'); END"
        )
    for table, fixed in _FINAL:
        op.execute(
            f"CREATE TRIGGER {table}_final BEFORE UPDATE ON {table} WHEN {fixed} "
            f"BEGIN SELECT RAISE(ABORT, 'what is settled in {table} is final'); END"
        )


def _postgresql() -> None:
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION quota_refuse()"
        )
    for table in (*_APPEND_ONLY, *_KEPT):
        op.execute(
            f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION quota_refuse()"
        )
    for table, fixed in _FINAL:
        op.execute(
            f"CREATE TRIGGER {table}_final BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({fixed}) "
            "EXECUTE FUNCTION quota_refuse()"
        )
