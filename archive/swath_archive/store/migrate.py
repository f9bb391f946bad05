"""Bring the index's database to the schema of this code, at every start, beside others that do the same."""

from __future__ import annotations

from sqlalchemy import Connection, Engine
from swath_service import database

#: Alembic's own table; named so that a database may be shared with other services' schemas.
VERSION_TABLE = "archive_schema"
#: Any number that no other user of the same database locks by: "archive" in ASCII.
_LOCK = 0x61726368697665


def take_turn(connection: Connection) -> None:
    """Wait until no other transaction writes to the index."""
    database.take_turn(connection, _LOCK)


def migrate(engine: Engine) -> None:
    """Upgrade to the newest revision, all of it or nothing; whoever comes second waits and finds nothing to do.

    Raises
    ------
    DatabaseUnfit
        The database was written by a newer Swath.
    """
    database.upgrade(engine, scripts="swath_archive.store:migrations", key=_LOCK)
