"""Quotes and observations in memory: the same promises as the SQL store but for surviving the process."""

from __future__ import annotations

import threading

from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.quotes import Observation, Quote


class MemoryQuotes:
    """`swath_quota.domain.quote_ports.QuoteStore` under one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._quotes: dict[str, Quote] = {}
        self._observations: dict[str, Observation] = {}

    def add_quote(self, quote: Quote) -> Quote:
        with self._lock:
            return self._quotes.setdefault(quote.id, quote)

    def quote(self, quote_id: str) -> Quote | None:
        with self._lock:
            return self._quotes.get(quote_id)

    def add_observation(self, observation: Observation) -> Observation:
        with self._lock:
            return self._observations.setdefault(observation.id, observation)

    def revision(self, kind: PurposeKind, subject: str) -> int:
        return len(self._finished(kind, subject))

    def observations(self, kind: PurposeKind, subject: str, *, limit: int) -> tuple[Observation, ...]:
        found = sorted(self._finished(kind, subject), key=lambda seen: (seen.at, seen.id))
        return tuple(found[-limit:])

    def settled(self, *, subject: str | None = None, limit: int) -> tuple[tuple[Quote, Observation], ...]:
        with self._lock:
            pairs = [
                (self._quotes[seen.quote_id], seen)
                for seen in self._observations.values()
                if seen.quote_id in self._quotes and subject in (None, seen.subject)
            ]
        return tuple(sorted(pairs, key=lambda pair: (pair[1].at, pair[1].id), reverse=True)[:limit])

    def _finished(self, kind: PurposeKind, subject: str) -> list[Observation]:
        with self._lock:
            every = list(self._observations.values())
        return [seen for seen in every if (seen.kind, seen.subject) == (kind, subject) and seen.finished]
