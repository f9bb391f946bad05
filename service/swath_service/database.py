"""One way to a database, SQLite in a file or PostgreSQL: its transactions, its write-ahead log, its migrations."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

#: Execution option of a connection: whether its transactions write. Where it is not given, the engine's default holds.
WRITES = "swath_writes"
#: How long a writer waits for the others: far longer than any piece of work takes.
_BUSY_SECONDS = 30
_WAL_ATTEMPTS = 100


class DatabaseUnfit(RuntimeError):
    """The database is of a kind or version that cannot be worked with, or its file cannot be made."""


def connect(url: str, *, keeps: str, create: bool = True, durable: bool = True, writes: bool = False) -> Engine:
    """An engine for ``sqlite:////path`` or ``postgresql+psycopg://…``; a new SQLite file belongs to its owner alone.

    On SQLite a transaction that writes takes the write lock at once (``BEGIN IMMEDIATE``): what it reads stays true
    until it ends, and it waits for another writer instead of failing half-way.

    Parameters
    ----------
    keeps
        What is kept there, for errors: ``ledger``.
    create
        Whether a SQLite file that is not there may be made.
    durable
        Whether what was committed must survive a power cut; otherwise it can be made again from elsewhere.
    writes
        Whether transactions write where the connection's option `WRITES` does not say.

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
        return _sqlite(parsed, keeps=keeps, create=create, durable=durable, writes=writes)
    if parsed.drivername == "postgresql+psycopg":
        return create_engine(parsed, pool_size=16, max_overflow=16, pool_recycle=1800, pool_pre_ping=not durable)
    raise DatabaseUnfit(
        f"no {keeps} is kept on {parsed.drivername!r}: use sqlite:////path/of/file or postgresql+psycopg://host/database"
    )


def _sqlite(url: URL, *, keeps: str, create: bool, durable: bool, writes: bool) -> Engine:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise DatabaseUnfit(f"no {keeps} is kept in memory: name a file, sqlite:////path/of/file.sqlite")
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
    engine = create_engine(url, pool_size=16, max_overflow=48, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        # The driver's own BEGIN comes late and is never IMMEDIATE; `_begin` says it instead.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get(WRITES, writes)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def take_turn(connection: Connection, key: int) -> None:
    """Hold `key` until the transaction ends. On SQLite the one who writes holds everything already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def alembic_config(scripts: str) -> Config:
    """Alembic's configuration for ``package:folder``; there is no file of it to get lost."""
    made = Config()
    made.set_main_option("script_location", scripts)
    made.set_main_option("path_separator", "os")
    return made


def upgrade(engine: Engine, *, scripts: str, key: int) -> None:
    """Bring the database to the newest revision, all of it or nothing; who comes second waits and finds nothing to do.

    Parameters
    ----------
    scripts
        Alembic's scripts as ``package:folder``; their ``env.py`` takes ``config.attributes["connection"]``.
    key
        A number that nobody else locks by in the same PostgreSQL database.

    Raises
    ------
    DatabaseUnfit
        The database was written by a newer Swath.
    """
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    config = alembic_config(scripts)
    with (
        engine.connect().execution_options(**{WRITES: True}) as connection,
        _references_set_aside(connection),
        connection.begin(),
    ):
        take_turn(connection, key)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseUnfit(f"the database is of another version of Swath than this one: {error}") from error
        if engine.dialect.name == "sqlite":
            dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if dangling:
                raise DatabaseUnfit(f"rows of {dangling[0][0]} refer to what is not there; nothing was changed")


@contextmanager
def _references_set_aside(connection: Connection) -> Iterator[None]:
    """SQLite changes a constraint by making its table anew, which foreign keys would forbid; elsewhere nothing is done.

    The statement has no effect within a transaction, so it goes to the driver before there is one.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


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
