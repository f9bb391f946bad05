"""What the service functions work with, chosen once by the bootstrap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime

from swath_quota.domain.added_value import Splits
from swath_quota.domain.limit_ports import LimitStore
from swath_quota.domain.meters import MeterStore
from swath_quota.domain.ports import Books
from swath_quota.domain.prices import PriceLists
from swath_quota.domain.quote_ports import QuoteStore
from swath_quota.domain.report_ports import ReportStore
from swath_quota.domain.tiers import Tiers
from swath_quota.services.estimating import Estimators
from swath_quota.store.limits_memory import MemoryLimits
from swath_quota.store.quote_memory import MemoryQuotes
from swath_quota.store.reports_books import BooksReports
from swath_quota.store.usage_memory import MemoryMeters


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


def _shipped_splits() -> Splits:
    # Not at the top: the services stand on no reader of files.
    from swath_quota.catalogue import shipped_splits

    return shipped_splits()


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """Books, tiers, prices and the time."""

    books: Books
    tiers: Tiers
    prices: PriceLists
    clock: Callable[[], datetime] = utc_now
    meters: MeterStore = field(default_factory=MemoryMeters)
    limits: LimitStore = field(default_factory=MemoryLimits)
    reports_over: InitVar[ReportStore | None] = None
    """The store of the reports; by default they are made by reading all of `books`, as those in memory allow."""
    reports: ReportStore = field(init=False)

    def __post_init__(self, reports_over: ReportStore | None) -> None:
        object.__setattr__(self, "reports", reports_over or BooksReports(self.books))

    quotes: QuoteStore = field(default_factory=MemoryQuotes)
    splits: Splits = field(default_factory=_shipped_splits)
    estimators: Estimators = field(default_factory=Estimators)
