"""One database, SQLite or PostgreSQL: its transactions and its migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

_BUSY_SECONDS = 30
#: Any number that nobody else uses: PostgreSQL's name for "one process migrates this room's tables at a time".
_MIGRATION_LOCK = 7_201_113
#: The same for "one process gives out slots at a time".
ADMISSION_LOCK = 7_201_114


class Database:
    """Transactions on one database.

    Parameters
    ----------
    url
        SQLAlchemy URL: ``sqlite:///…`` or ``postgresql+psycopg://…``.
    """

    def __init__(self, url: str) -> None:
        self._sqlite = url.startswith("sqlite")
        if self._sqlite:
            path = sa.make_url(url).database
            if path and path != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._engine = sa.create_engine(url, connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False})
            _prepare_sqlite(self._engine)
        else:
            self._engine = sa.create_engine(url, pool_size=10, pool_pre_ping=True)
        self._writing = self._engine.execution_options(swath_write=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether writers exclude each other for the whole database."""
        return self._sqlite

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads; it sees one state throughout."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes: committed at the end, rolled back on any error.

        SQLite takes its write lock at once (``BEGIN IMMEDIATE``): what is read inside stays true until the end, and
        a writer waits for another instead of failing half-way.
        """
        with self._writing.begin() as connection:
            yield connection

    def lock(self, connection: sa.Connection, key: int) -> None:
        """Hold `key` until the transaction ends; SQLite's writer holds everything already."""
        if not self._sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

    def migrate(self) -> None:
        """Bring the tables to this program's version; safe from several processes at once, a no-op when they are."""
        config = Config()
        config.set_main_option("script_location", str(files("swath_marketplace.store") / "migrations"))
        with self.write() as connection:
            self.lock(connection, _MIGRATION_LOCK)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def dispose(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _prepare_sqlite(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        # The driver's own transactions begin late and not IMMEDIATE; `_begin` below begins ours.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writing = connection.get_execution_options().get("swath_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
