"""Bring the index's database to the schema of this code, at every start, beside others that do the same."""

from __future__ import annotations

import time

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, text

from swath_archive.store.engine import WRITING, DatabaseUnfit

#: Alembic's own table; named so that a database may be shared with other services' schemas.
VERSION_TABLE = "archive_schema"
#: Any number that no other user of the same database locks by: "archive" in ASCII.
_LOCK = 0x61726368697665
_WAL_ATTEMPTS = 100


def take_turn(connection: Connection) -> None:
    """Wait until no other transaction writes to the index. On SQLite, BEGIN IMMEDIATE has done it already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def migrate(engine: Engine) -> None:
    """Upgrade to the newest revision, all of it or nothing; whoever comes second waits and finds nothing to do.

    Raises
    ------
    DatabaseUnfit
        The database was written by a newer Swath.
    """
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    settings = Config()
    settings.set_main_option("script_location", "swath_archive.store:migrations")
    settings.set_main_option("path_separator", "os")
    with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        take_turn(connection)
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
