"""What quotes and observations need of a store."""

from __future__ import annotations

from typing import Protocol

from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.quotes import Observation, Quote


class QuoteStore(Protocol):
    """Quotes and observations, both append-only; safe to use from many threads and processes at once."""

    def add_quote(self, quote: Quote) -> Quote:
        """Store `quote`, and answer what is stored under its id: an earlier one when there was one."""
        ...

    def quote(self, quote_id: str) -> Quote | None: ...

    def add_observation(self, observation: Observation) -> Observation:
        """Store `observation`, and answer what is stored under its id: an earlier one when there was one."""
        ...

    def revision(self, kind: PurposeKind, subject: str) -> int:
        """How many finished observations there are of a subject; it grows with each."""
        ...

    def observations(self, kind: PurposeKind, subject: str, *, limit: int) -> tuple[Observation, ...]:
        """The newest finished observations of a subject, oldest first."""
        ...

    def settled(self, *, subject: str | None = None, limit: int) -> tuple[tuple[Quote, Observation], ...]:
        """The newest quotes of which what followed has ended, each with its observation; newest first."""
        ...
