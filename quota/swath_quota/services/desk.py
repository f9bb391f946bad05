"""What the service functions work with, chosen once by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from swath_quota.domain.ports import Books
from swath_quota.domain.prices import PriceLists
from swath_quota.domain.quote_ports import QuoteStore
from swath_quota.domain.tiers import Tiers
from swath_quota.services.estimating import Estimators
from swath_quota.store.quote_memory import MemoryQuotes


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Books, tiers, prices and the time."""

    books: Books
    tiers: Tiers
    prices: PriceLists
    clock: Callable[[], datetime] = utc_now
    quotes: QuoteStore = field(default_factory=MemoryQuotes)
    estimators: Estimators = field(default_factory=Estimators)
