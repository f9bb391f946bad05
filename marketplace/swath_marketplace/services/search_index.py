"""Keeping the search index: folding what changed, when somebody searches and as time goes by."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from swath_service.loops import Loop

from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.searching import Entry, EntryKind
from swath_marketplace.store.search import SearchStore

log = logging.getLogger(__name__)

#: Rises when folds come out otherwise than before: every entry is then made anew.
_FOLD_VERSION = 1
_BATCH = 100
_PAUSE_SECONDS = 5.0


class EntrySource(Protocol):
    """Where the entries of one kind come from.

    Promises: `entries` is a pure function of what is stored and of the time, and writes nothing; it reads through
    connections of its own, and sees everything that was committed before it is called.
    """

    def keys(self) -> Sequence[str]:
        """The key of everything that there may be an entry of."""
        ...

    def entries(self, keys: Sequence[str], now: datetime) -> Mapping[str, Entry]:
        """The entry of each of `keys`, of those that are offered."""
        ...


class SearchIndex:
    """The index and what it is folded from.

    Whatever an entry follows from notes its change in the transaction that makes it: triggers do so for algorithms,
    `note` for others. Before a search everything is folded that was noted, and whatever is due by now, because its
    level expired or its price began; so a search never answers less than what was committed before it.

    Parameters
    ----------
    settings
        What of the operator's settings folds depend on: another value makes every entry anew.
    """

    def __init__(self, *, store: SearchStore, clock: Clock, settings: str = "") -> None:
        self._store = store
        self._clock = clock
        self._fingerprint = f"{_FOLD_VERSION}:{settings}"
        self._sources: dict[EntryKind, EntrySource] = {}
        self._caught_up = False

    def add_source(self, kind: EntryKind, source: EntrySource) -> None:
        """Fold entries of `kind` from `source`; entries of a kind without one stay as they were put."""
        self._sources[kind] = source

    def index_entry(self, entry: Entry, *, connection: sa.Connection | None = None) -> None:
        """Put one entry, or replace it, by its kind and key; within a transaction of the caller's, where one is given.

        Idempotent. For entries whose kind has a source `note` is the better way: they are then made anew with the
        others. One without a source changes by itself never: its `due_at` is not kept.
        """
        kept = entry if entry.kind in self._sources else replace(entry, due_at=None)
        self._store.put(kept, connection=connection)

    def remove_entry(self, kind: EntryKind, key: str, *, connection: sa.Connection | None = None) -> None:
        """Have an entry found no more; a no-op where there is none."""
        self._store.unlist(kind, [key], connection=connection)

    def note(self, kind: EntryKind, key: str, *, connection: sa.Connection | None = None) -> None:
        """Say that something changed which the entry `key` follows from."""
        self._store.note(kind, [key], connection=connection)

    def rebuild(self) -> int:
        """Make every entry anew that has a source; searches go on meanwhile. Answers how many were looked at."""
        self._caught_up = True
        for kind, source in self._sources.items():
            self._store.begin_anew(kind, source.keys(), fingerprint=self._fingerprint)
        return self.refresh(urgent=False)

    def refresh(self, *, urgent: bool = True) -> int:
        """Fold what was noted or is due, by default only if there is something that a search must see.

        The first time everything is made anew, if folds come out otherwise than when the entries were made.
        """
        folded = 0
        if not self._caught_up:
            self._caught_up = True
            if self._store.fingerprint() != self._fingerprint:
                return self.rebuild()
        while self._store.is_stale(now := self._clock(), urgent=urgent):
            looked = self._store.fold(now, make=lambda kind, keys: self._make(kind, keys, now), most=_BATCH)
            folded += looked
            if not looked:
                break
        return folded

    def _make(self, kind: EntryKind, keys: Sequence[str], now: datetime) -> Mapping[str, Entry] | None:
        source = self._sources.get(kind)
        if source is None:
            log.warning("nothing knows how to fold entries of the kind %s; they stay as they are", kind.value)
            return None
        try:
            return source.entries(keys, now)
        except Exception:
            if len(keys) == 1:
                # One that cannot be folded must not keep the others from being found.
                log.exception("the entry %s cannot be folded, and is not found", keys[0])
                return {}
        made: dict[str, Entry] = {}
        for key in keys:
            made.update(self._make(kind, [key], now) or {})
        return made


class IndexKeeper:
    """Folds every few seconds, in a thread of its own, what no search waits for: how often things were used."""

    def __init__(self, index: SearchIndex) -> None:
        self._index = index
        self._loop = Loop("search-index", self._step, every_seconds=_PAUSE_SECONDS)

    def start(self) -> None:
        """Begin to fold."""
        self._loop.start()

    def stop(self) -> None:
        """Fold no more; waits for what is being folded."""
        self._loop.stop(within_seconds=10)

    def _step(self) -> None:
        self._index.refresh(urgent=False)
