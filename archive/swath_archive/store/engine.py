"""Connections to SQLite and PostgreSQL for the index."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

#: Execution option of a connection that writes.
WRITING = "swath_writing"
_BUSY_SECONDS = 30


class DatabaseUnfit(RuntimeError):
    """The database URL is of a kind that the index is not kept on, or the file cannot be made."""


def connect(url: str) -> Engine:
    """An engine for ``sqlite:////path`` or ``postgresql+psycopg://…``.

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
        return _sqlite(parsed)
    if parsed.drivername == "postgresql+psycopg":
        return create_engine(parsed, pool_size=8, max_overflow=24, pool_recycle=1800, pool_pre_ping=True)
    raise DatabaseUnfit(
        f"no index is kept on {parsed.drivername!r}: use sqlite:////path/of/file or postgresql+psycopg://host/database"
    )


def _sqlite(url: URL) -> Engine:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise DatabaseUnfit("the index is not kept in memory: name a file, sqlite:////path/of/index.sqlite")
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise DatabaseUnfit(f"the database file cannot be made or opened: {error.strerror}") from error
    engine = create_engine(url, pool_size=8, max_overflow=56, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _: Any) -> None:
    # The driver's own BEGIN comes late and is never IMMEDIATE; `_on_begin` says it instead.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA foreign_keys = ON")
    # What a power cut takes away is made again from the catalogue.
    connection.execute("PRAGMA synchronous = NORMAL")


def _on_begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
