"""Books on SQLite and PostgreSQL.

SQLModel describes the tables; the statements are SQLAlchemy's core, each one visible, because which row is locked when
is what a ledger is about. PostgreSQL locks account rows in the order of their ids (READ COMMITTED: what is read after
the lock is what the last holder of the lock left). SQLite lets one writer in at a time from the first statement on.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from swath_service.errors import Unavailable

from swath_quota.domain.ports import Needs, Reader, Unit
from swath_quota.store.batching import Batcher, Piece
from swath_quota.store.engine import WRITES
from swath_quota.store.unit import SqlUnit

log = logging.getLogger(__name__)
T = TypeVar("T")

_ATTEMPTS = 8
#: How often an id that is taken is looked at anew.
_TAKEN_ATTEMPTS = 3
#: Serialisation failure, deadlock, lock not available: somebody else was in the way.
_CONTENTION = frozenset({"40001", "40P01", "55P03"})
#: Classes of connection trouble and of a server that shuts down.
_SILENCE = frozenset({"08", "57"})
#: Transactions that one process has under way at a time. One: a second would share the interpreter with the first, take
#: half of those who wait, and in settlements meet it on the few accounts that earn. Measured with one, two and more.
_WRITING = 1
#: Views get into nobody's way: while the database answers one, the next is asked for.
_VIEWING = {"sqlite": 1, "postgresql": 2}


class SqlBooks:
    """`swath_quota.domain.ports.Books` over an engine of `swath_quota.store.engine.connect`, already migrated."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite makes waiting writers poll; within one process they queue here instead, which is fair and faster.
        self._gate: Any = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()
        self._batcher = Batcher(self._together, lanes=_WRITING)
        self._viewers = Batcher(self._viewed_together, lanes=_VIEWING[engine.dialect.name])

    def run(self, work: Callable[[Unit], T], *, needs: Needs | None = None) -> T:
        if needs is not None:
            piece = self._batcher.do(Piece(work=work, needs=needs))
            if piece.error is not None:
                raise piece.error
            if piece.done:
                result: T = piece.result
                return result
        return self._alone(work)

    def _together(self, pieces: list[Piece]) -> None:
        """Do `pieces` in one transaction; when it does not come to its end none is done, and each is done alone."""
        try:
            with self._gate, self.engine.begin() as connection:
                unit = SqlUnit(connection)
                unit.prepare(piece.needs for piece in pieces)
                results = [piece.attempt(unit) for piece in pieces]
                unit.flush()
        except DBAPIError as error:
            log.info("a transaction of %d pieces failed: %s", len(pieces), type(error.orig).__name__)
            return
        except Exception:
            # One piece made what cannot be stored. Each is done alone, so it is that piece's caller who is told.
            log.warning("a transaction of %d pieces failed", len(pieces), exc_info=True)
            return
        for piece, (result, wrong) in zip(pieces, results, strict=True):
            piece.settle(result, wrong)

    def _alone(self, work: Callable[[Unit], T]) -> T:
        for attempt in range(_ATTEMPTS):
            try:
                with self._gate, self.engine.begin() as connection:
                    unit = SqlUnit(connection)
                    result = work(unit)
                    unit.flush()
                return result
            except DBAPIError as error:
                if not _passing(error):
                    raise
                if isinstance(error, IntegrityError) and attempt >= _TAKEN_ATTEMPTS:
                    # Nobody was faster: the same work stores the same id twice.
                    raise
                # Every piece of work is idempotent, so this also holds when the answer to a COMMIT was lost.
                why = type(error.orig).__name__
                log.info("attempt %d: %s", attempt + 1, why)
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - spreads retries, guards nothing
        raise _unavailable(why)

    def read(self, work: Callable[[Reader], T], *, needs: Needs | None = None) -> T:
        if needs is not None:
            piece = self._viewers.do(Piece(work=work, needs=needs))
            if piece.error is not None:
                raise piece.error
            if piece.done:
                result: T = piece.result
                return result
        try:
            with self._view() as connection:
                return work(SqlUnit(connection))
        except DBAPIError as error:
            if not _passing(error):
                raise
            raise _unavailable(type(error.orig).__name__) from error

    def _viewed_together(self, pieces: list[Piece]) -> None:
        """Do `pieces`, which only read, on one view; when that fails none is done, and each is done alone."""
        try:
            with self._view() as connection:
                unit = SqlUnit(connection)
                unit.prepare((piece.needs for piece in pieces), locks=False)
                results = [piece.attempt(unit) for piece in pieces]
        except DBAPIError as error:
            log.info("a view for %d pieces failed: %s", len(pieces), type(error.orig).__name__)
            return
        except Exception:
            log.warning("a view for %d pieces failed", len(pieces), exc_info=True)
            return
        for piece, (result, wrong) in zip(pieces, results, strict=True):
            piece.settle(result, wrong)

    @contextmanager
    def _view(self) -> Iterator[Connection]:
        options: dict[str, Any] = {WRITES: False}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    def answers(self) -> bool:
        try:
            return self.read(lambda reader: reader.account("") is None)
        except Unavailable:
            return False

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def _passing(error: DBAPIError) -> bool:
    """Whether the same work may succeed when done again."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if isinstance(error, IntegrityError):
        # Somebody stored the same id first; the next attempt finds it and judges it. A broken constraint stays broken.
        return state == "23505" or "UNIQUE constraint failed" in str(error.orig)
    if error.connection_invalidated or state in _CONTENTION or state[:2] in _SILENCE:
        return True
    # SQLite, and connections that were never made, have no state.
    told = str(error.orig).lower()
    return not state and isinstance(error, OperationalError) and ("locked" in told or "connect" in told)


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        code="ledger-unavailable", message=f"the ledger's database does not answer ({why})", mend="repeat the same call"
    )
