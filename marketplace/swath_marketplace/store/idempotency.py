"""Idempotency keys in SQL: who works on a request, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from swath_marketplace.store.database import Database
from swath_marketplace.store.hook_tables import idempotency


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A request that came before."""

    request_sha256: str
    answer: bytes | None
    """Sealed; ``None`` while it is worked on."""


class IdempotencyStore:
    """Promises: of all who come with one id, one at a time works; what was answered stands until it expires."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, key_id: str, *, request_sha256: str, claim: str, now: datetime, until: datetime, expires_at: datetime
    ) -> Known | None:
        """Become the one who works on it, and get ``None``; or learn what came before.

        A claim that ended without an answer is taken over by the same request: its holder died.
        """
        values = {
            "id": key_id,
            "request_sha256": request_sha256,
            "claim": claim,
            "claimed_until": until,
            "expires_at": expires_at,
        }
        row = idempotency.c.id == key_id
        with self._database.write() as connection:
            connection.execute(idempotency.delete().where(idempotency.c.expires_at < now))
            insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
            made = insert(idempotency).values(values).on_conflict_do_nothing().returning(idempotency.c.id)
            if connection.execute(made).first() is not None:
                return None
            known = connection.execute(sa.select(idempotency).where(row).with_for_update()).one()
            if known.answer is None and known.claimed_until < now and known.request_sha256 == request_sha256:
                connection.execute(idempotency.update().where(row).values(values))
                return None
        return Known(request_sha256=known.request_sha256, answer=known.answer)

    def answer(self, key_id: str, *, claim: str, answer: bytes, at: datetime) -> bool:
        """Keep what was answered; false when somebody took over."""
        mine = (idempotency.c.id == key_id, idempotency.c.claim == claim)
        with self._database.write() as connection:
            done = connection.execute(idempotency.update().where(*mine).values(answer=answer, answered_at=at))
        return bool(done.rowcount)

    def release(self, key_id: str, *, claim: str) -> None:
        """Nothing was made: the key is free again."""
        mine = (idempotency.c.id == key_id, idempotency.c.claim == claim, idempotency.c.answer.is_(None))
        with self._database.write() as connection:
            connection.execute(idempotency.delete().where(*mine))
