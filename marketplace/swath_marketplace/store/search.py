"""The search index in SQL: entries, what changed since they were folded, and which words they are found by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain.facets import FacetSets, Line
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.searching import Entry, EntryKind, Facet
from swath_marketplace.store.database import Database
from swath_marketplace.store.search_tables import changes, entries, state
from swath_marketplace.store.search_text import Asked, WordsTable

#: PostgreSQL's name for "one process folds at a time".
_FOLD_LOCK = 7_201_115
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Given a kind and keys, the entry of each that is offered now; keys that are missing are not. ``None``: leave them.
Make = Callable[[EntryKind, Sequence[str]], Mapping[str, Entry] | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """The facets of all entries at one state of the index."""

    generation: int
    sets: FacetSets


#: Before anything was read.
NOTHING = Snapshot(generation=-1, sets=FacetSets())


class SearchStore:
    """Promises: folding is in turn, whoever folds; a change that is committed while others fold is folded after them.

    Everything here can be made anew from the other tables, with other numbers.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._words = WordsTable(sqlite=database.is_sqlite)

    def fingerprint(self) -> str:
        """What the entries were folded with."""
        with self._database.read() as connection:
            return str(connection.execute(sa.select(state.c.fingerprint)).scalar_one())

    def is_stale(self, now: datetime, *, urgent: bool) -> bool:
        """Whether there is anything to fold; with `urgent` anything that the next search must see."""
        noted = sa.exists().where(changes.c.urgent.is_(True)) if urgent else sa.exists().where(changes.c.id > 0)
        due = sa.exists().where(entries.c.due_at <= now, entries.c.listed.is_(True))
        with self._database.read() as connection:
            return bool(connection.execute(sa.select(sa.or_(noted, due))).scalar_one())

    def fold(self, now: datetime, *, make: Make, most: int) -> int:
        """Fold entries anew of which something changed, or which are due; answers how many were looked at."""
        with self._database.write() as connection:
            self._database.lock(connection, _FOLD_LOCK)
            noted = connection.execute(
                # What a search waits for first; a run's end comes with it when it is of the same entry.
                sa.select(changes.c.id, changes.c.kind, changes.c.key)
                .order_by(changes.c.urgent.desc(), changes.c.id)
                .limit(most)
            ).all()
            due = connection.execute(
                sa.select(entries.c.kind, entries.c.key)
                .where(entries.c.due_at <= now, entries.c.listed.is_(True))
                .limit(most)
            ).all()
            keys = dict.fromkeys([(kind, key) for _, kind, key in noted] + [(kind, key) for kind, key in due])
            for kind in EntryKind:
                mine = [key for of, key in keys if of == kind.value]
                made = make(kind, mine) if mine else None
                if made is not None:
                    self._put(connection, list(made.values()))
                    self._unlist(connection, kind, [key for key in mine if key not in made])
            if noted:
                connection.execute(changes.delete().where(changes.c.id.in_([row.id for row in noted])))
        return len(keys)

    def note(self, kind: EntryKind, keys: Sequence[str], *, connection: sa.Connection | None = None) -> None:
        """Have the next search fold entries anew: within the transaction that changes what they follow from."""
        with self._writing(connection) as writing:
            if keys:
                rows = [{"kind": kind.value, "key": key, "urgent": True} for key in keys]
                writing.execute(changes.insert(), rows)

    def put(self, entry: Entry, *, connection: sa.Connection | None = None) -> None:
        """Store one entry as it is."""
        with self._writing(connection) as writing:
            self._database.lock(writing, _FOLD_LOCK)
            self._put(writing, [entry])

    def unlist(self, kind: EntryKind, keys: Sequence[str], *, connection: sa.Connection | None = None) -> None:
        """Have entries found no more."""
        with self._writing(connection) as writing:
            self._database.lock(writing, _FOLD_LOCK)
            self._unlist(writing, kind, keys)

    def begin_anew(self, kind: EntryKind, keys: Sequence[str], *, fingerprint: str) -> None:
        """Note every entry of a kind: those in `keys`, and those that are listed though they are not among them."""
        with self._database.write() as connection:
            self._database.lock(connection, _FOLD_LOCK)
            listed = sa.select(entries.c.key).where(entries.c.kind == kind.value, entries.c.listed.is_(True))
            known = connection.execute(listed).scalars()
            connection.execute(changes.delete().where(changes.c.kind == kind.value))
            self.note(kind, list(dict.fromkeys([*keys, *known])), connection=connection)
            connection.execute(state.update().values(fingerprint=fingerprint))

    def read(self, before: Snapshot, asked: Sequence[Asked] = ()) -> tuple[Snapshot, Sequence[Sequence[int]]]:
        """The facets now, read on from `before`, and the entries that each of `asked` is true of."""
        with self._database.read() as connection:
            generation = connection.execute(sa.select(state.c.generation)).scalar_one()
            now = before if generation == before.generation else self._snapshot(connection, before, generation)
            return now, self._words.matches(connection, asked)

    def entries(self, numbers: Sequence[int]) -> Sequence[Entry]:
        """Entries by their numbers, in that order; those that are gone meanwhile are left out."""
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(entries).where(entries.c.number.in_(numbers), entries.c.listed.is_(True))
            )
            found = {row.number: _entry(row) for row in rows}
        return [found[number] for number in numbers if number in found]

    def vocabulary(self) -> Sequence[str]:
        """Titles and keywords of everything that anybody may find: where a mistyped word is looked for."""
        query = sa.select(entries.c.title, entries.c.keywords).where(
            entries.c.listed.is_(True), entries.c.hidden.is_(False)
        )
        with self._database.read() as connection:
            return [" ".join([title, *map(str, keywords)]) for title, keywords in connection.execute(query)]

    @contextmanager
    def _writing(self, connection: sa.Connection | None) -> Any:
        if connection is not None:
            yield connection
            return
        with self._database.write() as made:
            yield made

    def _snapshot(self, connection: sa.Connection, before: Snapshot, generation: int) -> Snapshot:
        columns = ("number", "kind", "listed", "hidden", "facets", "use", "published_at")
        query = sa.select(*(entries.c[name] for name in columns)).where(entries.c.generation > before.generation)
        lines = {row.number: _line(row) if row.listed else None for row in connection.execute(query)}
        if before is NOTHING or before.generation > generation:
            sets = FacetSets.of({number: line for number, line in lines.items() if line is not None})
        else:
            sets = before.sets.changed(lines)
        return Snapshot(generation=generation, sets=sets)

    def _put(self, connection: sa.Connection, made: Sequence[Entry]) -> None:
        if not made:
            return
        numbers = self._numbers(connection, [(entry.kind, entry.key) for entry in made])
        generation = self._next(connection)
        words: dict[int, Entry] = {}
        for entry in made:
            values = {**_values(entry), "generation": generation}
            number = numbers.get((entry.kind, entry.key))
            if number is None:
                number = connection.execute(entries.insert().values(values)).inserted_primary_key[0]  # type: ignore[index]
            else:
                connection.execute(entries.update().where(entries.c.number == number).values(values))
            words[number] = entry
        self._words.put(connection, words)

    def _unlist(self, connection: sa.Connection, kind: EntryKind, keys: Sequence[str]) -> None:
        numbers = list(self._numbers(connection, [(kind, key) for key in keys]).values())
        if numbers:
            gone = entries.update().where(entries.c.number.in_(numbers))
            connection.execute(gone.values(listed=False, due_at=None, generation=self._next(connection)))
            self._words.remove(connection, numbers)

    def _numbers(
        self, connection: sa.Connection, keys: Sequence[tuple[EntryKind, str]]
    ) -> dict[tuple[EntryKind, str], int]:
        query = sa.select(entries.c.kind, entries.c.key, entries.c.number).where(
            entries.c.key.in_([key for _, key in keys])
        )
        found = {(EntryKind(kind), key): number for kind, key, number in connection.execute(query)}
        return {key: found[key] for key in keys if key in found}

    def _next(self, connection: sa.Connection) -> int:
        connection.execute(state.update().values(generation=state.c.generation + 1))
        return int(connection.execute(sa.select(state.c.generation)).scalar_one())


def _values(entry: Entry) -> dict[str, Any]:
    names = ("key", "path", "href", "title", "summary", "use", "published_at", "hidden", "due_at")
    return {
        **{name: getattr(entry, name) for name in names},
        "kind": entry.kind.value,
        "listed": True,
        "keywords": list(entry.keywords),
        "facets": {facet.value: list(values) for facet, values in entry.facets.items()},
        "card": dict(entry.card),
    }


def _entry(row: sa.Row[Any]) -> Entry:
    names = ("key", "path", "href", "title", "summary", "use", "published_at", "hidden", "due_at", "card")
    return Entry(
        **{name: row._mapping[name] for name in names},
        kind=EntryKind(row.kind),
        keywords=tuple(row.keywords),
        facets=_facets(row.facets),
    )


def _facets(told: Mapping[str, Sequence[str]]) -> dict[Facet, tuple[str, ...]]:
    return {Facet(name): tuple(values) for name, values in told.items()}


def _line(row: sa.Row[Any]) -> Line:
    facets = _facets(row.facets)
    level = facets.get(Facet.LEVEL)
    return Line(
        kind=EntryKind(row.kind),
        facets=facets,
        rank=MaturityLevel(level[0]).rank if level else -1,
        use=row.use,
        published_us=round((row.published_at - _EPOCH).total_seconds() * 1e6),
        hidden=row.hidden,
    )
