"""Entries of other platforms in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from swath_service.cursors import Place

from swath_marketplace.domain.externals import ExternalEntry, ListedEntry
from swath_marketplace.store import paging
from swath_marketplace.store.card_tables import external_entries
from swath_marketplace.store.database import Database


class ExternalStore:
    """What other platforms offer.

    Promises: an entry of one source and id is there once; the same record again changes nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, entry: ExternalEntry, *, sha256: str, at: datetime) -> bool:
        """Add or replace an entry; whether that changed anything."""
        values = {"title": entry.title, "record": entry.as_dict(), "record_sha256": sha256, "imported_at": at}
        key = {"source": entry.source, "record_id": entry.record_id}
        insert = (sqlite.insert if self._database.is_sqlite else postgresql.insert)(external_entries)
        other = external_entries.c.record_sha256 != insert.excluded.record_sha256
        with self._database.write() as connection:
            done = connection.execute(
                insert.values({**key, **values})
                .on_conflict_do_update(index_elements=list(key), set_=values, where=other)
                .returning(external_entries.c.record_id)
            )
            return done.first() is not None

    def drop_others(self, source: str, kept: Collection[str]) -> Sequence[str]:
        """Remove entries of a source that are not among `kept`; answers their ids."""
        mine = external_entries.c.source == source
        with self._database.write() as connection:
            there = connection.execute(sa.select(external_entries.c.record_id).where(mine)).scalars().all()
            gone = sorted(set(there) - set(kept))
            for record_id in gone:
                connection.execute(external_entries.delete().where(mine, external_entries.c.record_id == record_id))
        return gone

    def get(self, source: str, record_id: str) -> ListedEntry | None:
        """One entry."""
        wanted = (external_entries.c.source == source, external_entries.c.record_id == record_id)
        with self._database.read() as connection:
            row = connection.execute(sa.select(external_entries).where(*wanted)).one_or_none()
        return None if row is None else _listed(row)

    def list(self, *, limit: int, offset: int = 0, after: Place | None = None) -> tuple[Sequence[ListedEntry], int]:
        """A page of entries by title, and how many there are in all."""
        table = external_entries
        order = (table.c.title, table.c.source, table.c.record_id)
        query = sa.select(table).order_by(*order)
        if after is not None:
            query = query.where(paging.after(after, order, descending=(False, False, False)))
        with self._database.read() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            rows = connection.execute(query.limit(limit).offset(offset)).all()
        return [_listed(row) for row in rows], total


def _listed(row: sa.Row[Any]) -> ListedEntry:
    return ListedEntry(
        entry=ExternalEntry.from_dict(row.record), record_sha256=row.record_sha256, imported_at=row.imported_at
    )
