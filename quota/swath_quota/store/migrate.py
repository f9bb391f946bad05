"""Bring a database to the schema of this code, at every start, beside others that do the same."""

from __future__ import annotations

import time

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Engine, text

from swath_quota.store.engine import READING, DatabaseUnfit

#: Alembic's own table; named so that a database may be shared with other services' schemas.
VERSION_TABLE = "quota_schema"
#: Any number that no other user of the same database locks by: "quota" in ASCII.
_LOCK = 0x71756F7461
_WAL_ATTEMPTS = 100


def config() -> Config:
    """Alembic's configuration; there is no file of it to get lost."""
    made = Config()
    made.set_main_option("script_location", "swath_quota.store:migrations")
    made.set_main_option("path_separator", "os")
    return made


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
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    settings = config()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # On SQLite, BEGIN IMMEDIATE is that lock.
        settings.attributes["connection"] = connection
        try:
            command.upgrade(settings, "head")
        except CommandError as error:
            raise DatabaseUnfit(f"the database is of another version of Swath than this one: {error}") from error


def _use_wal(engine: Engine) -> None:
    """Write-ahead log: readers and the writer do not wait for each other. The file remembers it."""
    for attempt in range(_WAL_ATTEMPTS):
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode = WAL")
            return
        except Exception as error:
            # SQLite does not wait here: two first starts meet.
            if "locked" not in str(error) or attempt == _WAL_ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        finally:
            connection.close()


def check_schema(engine: Engine) -> None:
    """Only look whether the database is at `head`.

    Raises
    ------
    DatabaseUnfit
        It is not, or holds no ledger.
    """
    with engine.connect().execution_options(**{READING: True}) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        found = context.get_current_revision()
    if found != head():
        raise DatabaseUnfit(f"the database is at revision {found or 'none'}, this Swath's ledger is at {head()}")
