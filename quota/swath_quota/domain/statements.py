"""A calendar month of a wallet: what it began with, everything that happened, what it ended with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from swath_quota.domain.ledger import LedgerEntry, TransactionKind, signed
from swath_quota.domain.periods import month_of, next_month
from swath_quota.domain.reports import Charge, Spending, Window

#: ``2026-05``.
MONTH_PATTERN = r"^[0-9]{4}-(0[1-9]|1[0-2])$"


@dataclass(frozen=True, kw_only=True, slots=True)
class StatementLine:
    """One entry, with what it was for."""

    number: int
    """Of the entry within its wallet, from 1 without gaps."""
    at: datetime
    kind: TransactionKind
    description: str
    reference: str
    amount: int
    """Millicredits; below zero when the balance fell."""
    balance: int
    """Millicredits after it."""
    charge: Charge | None
    """Of a capture: what ran and why it cost that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StatementTotals:
    """Sums by kind, in millicredits; what lowers the balance is below zero."""

    allowances: int
    grants: int
    charges: int
    refunds: int
    lapses: int

    @property
    def change(self) -> int:
        """All of it."""
        return self.allowances + self.grants + self.charges + self.refunds + self.lapses


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthStatement:
    """A month's statement."""

    account: str
    month: str
    """``2026-05``, in UTC."""
    starts_at: datetime
    ends_at: datetime
    made_at: datetime
    is_final: bool
    """Whether the month is over."""
    opening: int
    lines: tuple[StatementLine, ...]
    totals: StatementTotals
    closing: int
    adds_up: bool
    """Whether opening and every line make the closing balance, which was summed apart from them."""
    spending: tuple[Spending, ...]
    """What was charged, by kind."""


def month_bounds(month: str) -> tuple[datetime, datetime]:
    """First instant of a month and of the one after.

    Raises
    ------
    ValueError
        It is no month.
    """
    if not re.fullmatch(MONTH_PATTERN, month) or month.startswith("0000"):
        raise ValueError(f"{month!r} is no month")
    year, number = map(int, month.split("-"))
    start = datetime(year, number, 1, tzinfo=UTC)
    return start, datetime.max.replace(tzinfo=UTC) if month == "9999-12" else next_month(start)


def months_between(first: datetime, last: datetime) -> tuple[str, ...]:
    """The months from that of `first` to that of `last`, newest first."""
    months, at = [], first
    while month_of(at) <= month_of(last):
        months.append(month_of(at))
        at = next_month(at)
    return tuple(reversed(months))


def month_statement(
    window: Window,
    *,
    account: str,
    month: str,
    now: datetime,
    charges: Mapping[str, Charge],
    spending: tuple[Spending, ...] = (),
) -> MonthStatement:
    """The statement of `month` from its entries.

    Parameters
    ----------
    charges
        By the id of the hold.
    """
    starts_at, ends_at = month_bounds(month)
    lines, balance = [], window.opening
    for entry in window.entries:
        change = signed(entry.direction, entry.amount)
        balance += change
        lines.append(_line(entry, change=change, balance=balance, charges=charges))
    totals = _totals(lines)
    return MonthStatement(
        account=account,
        month=month,
        starts_at=starts_at,
        ends_at=ends_at,
        made_at=now,
        is_final=ends_at <= now,
        opening=window.opening,
        lines=tuple(lines),
        totals=totals,
        closing=window.closing,
        adds_up=window.opening + totals.change == window.closing == balance,
        spending=spending,
    )


def _line(entry: LedgerEntry, *, change: int, balance: int, charges: Mapping[str, Charge]) -> StatementLine:
    return StatementLine(
        number=entry.sequence,
        at=entry.at,
        kind=entry.kind,
        description=entry.description,
        reference=entry.reference,
        amount=change,
        balance=balance,
        charge=charges.get(entry.reference) if entry.kind is TransactionKind.CAPTURE else None,
    )


def _totals(lines: list[StatementLine]) -> StatementTotals:
    def of(kind: TransactionKind) -> int:
        return sum(line.amount for line in lines if line.kind is kind)

    return StatementTotals(
        allowances=of(TransactionKind.ALLOWANCE),
        grants=of(TransactionKind.GRANT),
        charges=of(TransactionKind.CAPTURE),
        refunds=of(TransactionKind.REFUND),
        lapses=of(TransactionKind.LAPSE),
    )
