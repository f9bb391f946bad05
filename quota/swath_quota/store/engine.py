"""Connections to SQLite and PostgreSQL, set up so that a ledger may rely on them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

#: Execution option of a connection that only reads.
READING = "swath_reading"
#: How long a writer waits for the others: far longer than any piece of work takes.
_BUSY_SECONDS = 30


class DatabaseUnfit(RuntimeError):
    """The database URL is of a kind that the ledger is not kept on, or the file cannot be made."""


def connect(url: str, *, create: bool = True) -> Engine:
    """An engine for ``sqlite:////path`` or ``postgresql+psycopg://…``; a new SQLite file belongs to its owner alone.

    Parameters
    ----------
    create
        Whether a SQLite file that is not there may be made.

    Raises
    ------
    DatabaseUnfit
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        # Not echoed: it may carry a password.
        raise DatabaseUnfit("the database URL is not one") from None
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        return _sqlite(parsed, create=create)
    if parsed.drivername == "postgresql+psycopg":
        return create_engine(parsed, pool_size=16, max_overflow=16, pool_recycle=1800)
    raise DatabaseUnfit(
        f"no ledger is kept on {parsed.drivername!r}: use sqlite:////path/of/file or postgresql+psycopg://host/database"
    )


def _sqlite(url: URL, *, create: bool) -> Engine:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise DatabaseUnfit("a ledger is not kept in memory: name a file, sqlite:////path/of/quota.sqlite")
    path = Path(url.database)
    if not create and not path.is_file():
        raise DatabaseUnfit("there is no database file at that place")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made before SQLite would make it under the umask; -wal and -shm take over its mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise DatabaseUnfit(f"the database file cannot be made or opened: {error.strerror}") from error
    engine = create_engine(url, pool_size=16, max_overflow=32, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _: Any) -> None:
    # The driver's own BEGIN comes late and is never IMMEDIATE; `_on_begin` says it instead.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    # FULL: what was answered survives a power cut. A ledger that forgets a capture is worse than a slow one.
    connection.execute("PRAGMA synchronous = FULL")


def _on_begin(connection: Connection) -> None:
    # A transaction that reads and then writes would otherwise fail when another wrote in between, whatever it waits.
    reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
