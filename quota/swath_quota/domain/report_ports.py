"""What reports ask of a store. They only read, beside the ledger that others write."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from swath_quota.domain.grants import Grant
from swath_quota.domain.holds import Hold
from swath_quota.domain.reports import Cursor, DayChange, Settled, Spending, SpendingBy, Window


class ReportStore(Protocol):
    """Questions about one wallet, by the id of its account; each is answered as of one instant.

    A time span runs from `start`, inclusive, to `end`, exclusive. What is not there is answered with nothing, not with
    an error. `member` narrows an answer to what one member spent.
    """

    def window(self, account_id: str, *, start: datetime, end: datetime) -> Window:
        """The entries of a span, and the balances before and after it."""
        ...

    def days(self, account_id: str, *, start: datetime, end: datetime) -> tuple[int, tuple[DayChange, ...]]:
        """The balance before a span, and what each kind of transaction changed on each day of it."""
        ...

    def settled(
        self,
        account_id: str,
        *,
        start: datetime,
        end: datetime,
        limit: int,
        after: Cursor | None = None,
        member: str | None = None,
    ) -> tuple[Settled, ...]:
        """At most `limit` holds that ended in a span, newest first, beyond `after`."""
        ...

    def open_holds(self, account_id: str, *, limit: int, member: str | None = None) -> tuple[Hold, ...]:
        """At most `limit` open holds, the oldest first."""
        ...

    def grants(self, account_id: str, *, limit: int, live: bool = False) -> tuple[Grant, ...]:
        """At most `limit` grants, the newest first; with `live` those alone of which something is left."""
        ...

    def spending(
        self, account_id: str, *, start: datetime, end: datetime, by: SpendingBy, member: str | None = None
    ) -> tuple[Spending, ...]:
        """Sums over the holds that were captured in a span, the largest first."""
        ...

    def opened_at(self, account_id: str) -> datetime | None:
        """When the account was opened; ``None`` when it was not."""
        ...
