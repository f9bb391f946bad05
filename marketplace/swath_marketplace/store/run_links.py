"""Links to runs in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain.run_links import RunLink
from swath_marketplace.store.database import Database
from swath_marketplace.store.run_link_tables import run_links


class RunLinkStore:
    """Links. Promises: a link is taken back once, and the first time stands; none is ever deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, link: RunLink, *, secret_sha256: str) -> None:
        """Keep a new link."""
        values = {
            "id": link.id,
            "secret_sha256": secret_sha256,
            "run_id": link.run_id,
            "made_by": link.made_by,
            "created_at": link.created_at,
            "expires_at": link.expires_at,
        }
        with self._database.write() as connection:
            connection.execute(sa.insert(run_links).values(**values))

    def by_secret(self, secret_sha256: str) -> RunLink | None:
        """The link of that secret, whether it holds or not."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(run_links).where(run_links.c.secret_sha256 == secret_sha256)).first()
        return _link(row) if row else None

    def of_run(self, run_id: str, *, now: datetime) -> Sequence[RunLink]:
        """The links of a run that hold at `now`, newest first."""
        query = sa.select(run_links).where(
            run_links.c.run_id == run_id, run_links.c.revoked_at.is_(None), run_links.c.expires_at > now
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(run_links.c.created_at.desc(), run_links.c.id)).all()
        return [_link(row) for row in rows]

    def revoke(self, run_id: str, link_id: str, *, at: datetime) -> bool:
        """Take a link back; whether the run has one of that id."""
        own = sa.and_(run_links.c.run_id == run_id, run_links.c.id == link_id)
        with self._database.write() as connection:
            connection.execute(sa.update(run_links).where(own, run_links.c.revoked_at.is_(None)).values(revoked_at=at))
            return connection.execute(sa.select(run_links.c.id).where(own)).first() is not None


def _link(row: sa.Row[Any]) -> RunLink:
    return RunLink(
        id=row.id,
        run_id=row.run_id,
        made_by=row.made_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
