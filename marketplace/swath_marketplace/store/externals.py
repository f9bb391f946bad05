"""Entries of other platforms in SQL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from swath_service.cursors import Place

from swath_marketplace.domain.externals import ExternalEntry, ListedEntry, catalogue_entry
from swath_marketplace.domain.searching import Entry, EntryKind
from swath_marketplace.store import paging
from swath_marketplace.store.card_tables import external_entries
from swath_marketplace.store.database import Database
from swath_marketplace.store.search import SearchStore


class ExternalStore:
    """What other platforms offer.

    Promises: an entry of one source and id is there once; the same record again changes nothing; what is added, changed
    or removed is found, or not, by the very next search.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._search = SearchStore(database)

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
            changed = done.first() is not None
            if changed:
                self._search.note(EntryKind.EXTERNAL, [entry.key], connection=connection)
        return changed

    def drop_others(self, source: str, kept: Collection[str]) -> Sequence[str]:
        """Remove entries of a source that are not among `kept`; answers their ids."""
        mine = external_entries.c.source == source
        with self._database.write() as connection:
            there = connection.execute(sa.select(external_entries.c.record_id).where(mine)).scalars().all()
            gone = sorted(set(there) - set(kept))
            for record_id in gone:
                connection.execute(external_entries.delete().where(mine, external_entries.c.record_id == record_id))
            self._search.note(EntryKind.EXTERNAL, [f"{source}/{one}" for one in gone], connection=connection)
        return gone

    def keys(self) -> Sequence[str]:
        """The key of every entry."""
        table = external_entries
        with self._database.read() as connection:
            rows = connection.execute(sa.select(table.c.source, table.c.record_id)).all()
        return [f"{row.source}/{row.record_id}" for row in rows]

    def entries(self, keys: Sequence[str], now: datetime) -> Mapping[str, Entry]:  # noqa: ARG002 - a source's signature
        """Lines of the catalogue: a `swath_marketplace.services.search_index.EntrySource`."""
        found = (self.get(*key.split("/", 1)) for key in keys if "/" in key)
        return {one.entry.key: catalogue_entry(one) for one in found if one}

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
