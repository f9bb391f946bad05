"""Do a piece of work on a database again when somebody else was in the way. Work that is done so is idempotent."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from swath_service.errors import Unavailable

from swath_quota.store.engine import WRITES

log = logging.getLogger(__name__)
T = TypeVar("T")
_ATTEMPTS = 8
#: How often an id that is taken is looked at anew.
_TAKEN_ATTEMPTS = 3
#: Serialisation failure, deadlock, lock not available; then the classes of connection trouble and of a shutdown.
_CONTENTION = frozenset({"40001", "40P01", "55P03"})
_SILENCE = frozenset({"08", "57"})


class Transactions:
    """Transactions over one engine, each repeated while the database says that it may succeed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite makes waiting writers poll; within one process they queue here instead, which is fair and faster.
        self._gate: Any = threading.Lock() if engine.dialect.name == "sqlite" else nullcontext()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction that is stored whole or not at all.

        Raises
        ------
        Unavailable
        """
        why = ""
        for attempt in range(_ATTEMPTS):
            try:
                options = {WRITES: True}
                with self._gate, self.engine.connect().execution_options(**options) as connection, connection.begin():
                    return work(connection)
            except DBAPIError as error:
                if not _passing(error) or (isinstance(error, IntegrityError) and attempt >= _TAKEN_ATTEMPTS):
                    raise
                why = type(error.orig).__name__
                log.info("attempt %d: %s", attempt + 1, why)
            time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - spreads retries, guards nothing
        raise _unavailable(why)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do `work`, which only reads, on one consistent view.

        Raises
        ------
        Unavailable
        """
        options: dict[str, Any] = {WRITES: False}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        try:
            with self.engine.connect().execution_options(**options) as connection, connection.begin():
                return work(connection)
        except DBAPIError as error:
            if not _passing(error):
                raise
            raise _unavailable(type(error.orig).__name__) from error


def _passing(error: DBAPIError) -> bool:
    """Whether the same work may succeed when done again."""
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if isinstance(error, IntegrityError):
        # Somebody stored the same id first; the next attempt finds it and judges it. A broken constraint stays broken.
        return state == "23505" or "UNIQUE constraint failed" in str(error.orig)
    if error.connection_invalidated or state in _CONTENTION or state[:2] in _SILENCE:
        return True
    told = str(error.orig).lower()
    return not state and isinstance(error, OperationalError) and ("locked" in told or "connect" in told)


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        code="ledger-unavailable", message=f"quota's database does not answer ({why})", mend="repeat the same call"
    )
