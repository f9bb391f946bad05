"""Bring a database to the schema of this code, at every start, beside others that do the same."""

from __future__ import annotations

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from swath_service import database

from swath_quota.store import usage_tables  # noqa: F401 - its tables belong to the schema
from swath_quota.store.engine import WRITES, DatabaseUnfit

#: Alembic's own table; named so that a database may be shared with other services' schemas.
VERSION_TABLE = "quota_schema"
#: Any number that no other user of the same database locks by: "quota" in ASCII.
_LOCK = 0x71756F7461
_SCRIPTS = "swath_quota.store:migrations"


def config() -> Config:
    """Alembic's configuration of the ledger."""
    return database.alembic_config(_SCRIPTS)


def head() -> str:
    """The newest revision that this code knows."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    assert revision is not None
    return revision


def migrate(engine: Engine) -> None:
    """Upgrade to `head`, all of it or nothing; whoever comes second waits and finds nothing to do.

    Raises
    ------
    DatabaseUnfit
        The database was written by a newer Swath.
    """
    database.upgrade(engine, scripts=_SCRIPTS, key=_LOCK)


def check_schema(engine: Engine) -> None:
    """Only look whether the database is at `head`.

    Raises
    ------
    DatabaseUnfit
        It is not, or holds no ledger.
    """
    with engine.connect().execution_options(**{WRITES: False}) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        found = context.get_current_revision()
    if found != head():
        raise DatabaseUnfit(f"the database is at revision {found or 'none'}, this Swath's ledger is at {head()}")
