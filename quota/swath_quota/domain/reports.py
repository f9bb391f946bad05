"""What became of a wallet's credits, as its owner wants to see it: by day, by what spent them, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from swath_quota.domain.explanations import Explanation, explain
from swath_quota.domain.holds import Hold, HoldStatus, PurposeKind
from swath_quota.domain.ledger import LedgerEntry, TransactionKind
from swath_quota.domain.prices import PriceLists, Prices

#: What raises and lowers a balance by spending: a refund takes a charge back.
SPENDING = frozenset({TransactionKind.CAPTURE, TransactionKind.REFUND})


class SpendingBy(StrEnum):
    """What spending is summed up by."""

    KIND = "kind"
    """Lab servers, Dask clusters and runs."""
    ALGORITHM = "algorithm"
    """Each algorithm; what runs none stands under its kind."""
    MEMBER = "member"
    """Each member of an organisation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DayChange:
    """What one kind of transaction changed on one day (UTC)."""

    day: date
    kind: TransactionKind
    change: int
    """Millicredits; below zero when the balance fell."""
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceDay:
    """A day (UTC) and the balance that it closed with, in millicredits."""

    day: date
    closing: int
    given: int
    """Allowances and grants of the day."""
    spent: int
    """Charges of the day less its refunds; below zero when more was refunded than charged."""
    lapsed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What was spent under one name, in millicredits."""

    name: str
    """A kind, an algorithm or a member, as was asked for."""
    charged: int
    refunded: int
    """Of these charges, whenever it was given back."""
    count: int
    """How many charges."""

    @property
    def net(self) -> int:
        """Charged less refunded."""
        return self.charged - self.refunded


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """A hold that ended, and what of it was given back since."""

    hold: Hold
    refunded: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """Where a page of charges ended."""

    at: datetime
    hold_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A wallet's entries of some time, and the balances around them; all of one instant."""

    opening: int
    """Sum of the entries before."""
    entries: tuple[LedgerEntry, ...]
    """In the order of their numbers."""
    closing: int
    """Sum of all entries up to the end, summed apart from `entries`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """The line of one run, Lab server or cluster: what was set aside, what it cost and why."""

    id: str
    """Of its hold."""
    at: datetime
    """When it was settled."""
    started_at: datetime
    """When its credits were set aside."""
    kind: PurposeKind
    reference: str
    """The holder's own id: of the run, the server, the cluster."""
    description: str
    algorithm: str
    """``owner/name``; empty where no algorithm ran."""
    member: str
    """Who spent."""
    status: HoldStatus
    held: int
    """Millicredits set aside: the most it could cost."""
    charged: int
    refunded: int
    usage: Mapping[str, float]
    price_version: str
    """Version of the price list that was frozen into the hold."""
    reason: str
    """Why nothing was charged; empty when something was."""
    explanation: Explanation


def charge_of(settled: Settled, prices: PriceLists) -> Charge:
    """The line of a hold that ended.

    Raises
    ------
    ValueError
        The hold is open.
    """
    hold = settled.hold
    if hold.resolved_at is None:
        raise ValueError(f"hold {hold.id} is open")
    used = prices_of(hold, prices)
    return Charge(
        id=hold.id,
        at=hold.resolved_at,
        started_at=hold.created_at,
        kind=hold.purpose.kind,
        reference=hold.purpose.reference,
        description=hold.purpose.description,
        algorithm=hold.purpose.algorithm,
        member=hold.member,
        status=hold.status,
        held=hold.amount,
        charged=hold.captured,
        refunded=settled.refunded,
        usage=dict(hold.usage),
        price_version=hold.price_version or used.version,
        reason=hold.reason,
        explanation=explain(used, kind=hold.purpose.kind, usage=hold.usage, charged=hold.captured, held=hold.amount),
    )


def prices_of(hold: Hold, prices: PriceLists) -> Prices:
    """The prices frozen into `hold`; where that list is gone, those of the day it was placed."""
    named = [one for one in prices.lists if one.version == hold.price_version]
    return named[0] if named else prices.on(hold.created_at.date())


def balance_by_day(opening: int, changes: Iterable[DayChange], *, first: date, last: date) -> tuple[BalanceDay, ...]:
    """Each day from `first` to `last` with the balance it closed with.

    Parameters
    ----------
    opening
        Balance before `first`.
    changes
        Of the days between; those of other days are not looked at.
    """
    by_day: dict[date, list[DayChange]] = {}
    for change in changes:
        by_day.setdefault(change.day, []).append(change)
    days, balance, day = [], opening, first
    while day <= last:
        of_day = by_day.get(day, [])
        balance += sum(change.change for change in of_day)
        days.append(
            BalanceDay(
                day=day,
                closing=balance,
                given=sum(c.change for c in of_day if c.kind in {TransactionKind.ALLOWANCE, TransactionKind.GRANT}),
                spent=-sum(c.change for c in of_day if c.kind in SPENDING),
                lapsed=-sum(c.change for c in of_day if c.kind is TransactionKind.LAPSE),
            )
        )
        day += timedelta(days=1)
    return tuple(days)


def spending_of(settled: Iterable[Settled], *, by: SpendingBy) -> tuple[Spending, ...]:
    """The sums of charges, the largest first."""
    sums: dict[str, list[int]] = {}
    for one in settled:
        if not one.hold.captured:
            continue
        so_far = sums.setdefault(spending_name(one.hold, by=by), [0, 0, 0])
        so_far[0] += one.hold.captured
        so_far[1] += one.refunded
        so_far[2] += 1
    return in_order(
        Spending(name=name, charged=charged, refunded=refunded, count=count)
        for name, (charged, refunded, count) in sums.items()
    )


def spending_name(hold: Hold, *, by: SpendingBy) -> str:
    """What a hold's charge is summed up under."""
    if by is SpendingBy.MEMBER:
        return hold.member
    if by is SpendingBy.ALGORITHM and hold.purpose.algorithm:
        return hold.purpose.algorithm
    return str(hold.purpose.kind)


def in_order(spending: Iterable[Spending]) -> tuple[Spending, ...]:
    """The largest first; equals by name."""
    return tuple(sorted(spending, key=lambda one: (-one.net, one.name)))


def day_start(day: date) -> datetime:
    """The first instant of a day (UTC)."""
    return datetime.combine(day, time.min, tzinfo=UTC)
