"""One database, SQLite or PostgreSQL: its transactions and its migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from swath_service.database import WRITES, connect, take_turn, upgrade

#: Any number that nobody else uses: PostgreSQL's name for "one process migrates this room's tables at a time".
_MIGRATION_LOCK = 7_201_113
#: The same for "one process gives out slots at a time".
ADMISSION_LOCK = 7_201_114


class Database:
    """Transactions on one database.

    Parameters
    ----------
    url
        ``sqlite:////path`` or ``postgresql+psycopg://…``.

    Raises
    ------
    DatabaseUnfit
        It is neither, or its file cannot be made.
    """

    def __init__(self, url: str) -> None:
        # Durable: a run that was accepted, and the handle of one that was started, survive a power cut.
        self._engine = connect(url, keeps="book of runs", durable=True)
        self._writing = self._engine.execution_options(**{WRITES: True})

    @property
    def is_sqlite(self) -> bool:
        """Whether writers exclude each other for the whole database."""
        return self._engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads; it sees one state throughout."""
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes: committed at the end, rolled back on any error.

        On SQLite it takes the write lock at once: what is read inside stays true until the end.
        """
        with self._writing.begin() as connection:
            yield connection

    def lock(self, connection: sa.Connection, key: int) -> None:
        """Hold `key` until the transaction ends; SQLite's writer holds everything already."""
        take_turn(connection, key)

    def migrate(self) -> None:
        """Bring the tables to this program's version; safe from several processes at once, a no-op when they are."""
        upgrade(self._engine, scripts="swath_marketplace.store:migrations", key=_MIGRATION_LOCK)

    def dispose(self) -> None:
        """Close every connection."""
        self._engine.dispose()
