"""What an author earned in a month, what was taken back, and what was paid out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from swath_quota.domain.holds import Hold
from swath_quota.domain.ledger import LedgerEntry, TransactionKind, signed
from swath_quota.domain.statements import month_bounds


@dataclass(frozen=True, kw_only=True, slots=True)
class Payout:
    """An author's balance, or part of it, that left Swath. Posted once, never changed."""

    id: str
    """Made and persisted by whoever pays, before asking."""
    author: str
    amount: int
    """Millicredits."""
    description: str
    balance: int
    """Millicredits that the author has left."""
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PayoutLine:
    """One entry of an author's account. Who ran the algorithm is not told."""

    number: int
    at: datetime
    kind: TransactionKind
    """``capture``: earned; ``refund``: taken back; ``payout``: paid out."""
    algorithm: str
    reference: str
    """Id of the run, or of the payout."""
    description: str
    added_value: int
    """Millicredits that author and platform divided; 0 for what was not earned."""
    fee: int
    """Millicredits of those that are the platform's."""
    amount: int
    """Millicredits; below zero when they went."""
    balance: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AlgorithmEarnings:
    """What one algorithm earned in the month, refunds not taken off."""

    algorithm: str
    runs: int
    added_value: int
    fee: int
    earned: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PayoutStatement:
    """A calendar month (UTC) of an author; amounts in millicredits."""

    author: str
    month: str
    starts_at: datetime
    ends_at: datetime
    made_at: datetime
    is_final: bool
    """Whether the month is over."""
    opening: int
    earned: int
    taken_back: int
    paid_out: int
    closing: int
    adds_up: bool
    """Whether opening + earned - taken back - paid out is closing."""
    algorithms: tuple[AlgorithmEarnings, ...]
    """Those that earned, most first."""
    lines: tuple[PayoutLine, ...]
    """Oldest first."""


def payout_id(name: str) -> str:
    """Id of the one transaction that may pay out under the id `name`."""
    return f"payout:{name}"


def payout_statement(
    *, author: str, month: str, entries: Sequence[LedgerEntry], opening: int, holds: Mapping[str, Hold], now: datetime
) -> PayoutStatement:
    """The statement of `month`.

    Parameters
    ----------
    entries
        Those of the author's account in the month, oldest first.
    opening
        The balance before them.
    holds
        By id, those that the entries name.
    """
    starts_at, ends_at = month_bounds(month)
    lines = tuple(_line(entry, holds.get(entry.reference)) for entry in entries)
    sums: defaultdict[TransactionKind, int] = defaultdict(int)
    for line in lines:
        sums[line.kind] += line.amount
    closing = entries[-1].current_balance if entries else opening
    return PayoutStatement(
        author=author,
        month=month,
        starts_at=starts_at,
        ends_at=ends_at,
        made_at=now,
        is_final=ends_at <= now,
        opening=opening,
        earned=sums[TransactionKind.CAPTURE],
        taken_back=-sums[TransactionKind.REFUND],
        paid_out=-sums[TransactionKind.PAYOUT],
        closing=closing,
        adds_up=opening + sum(line.amount for line in lines) == closing == opening + sum(sums.values()),
        algorithms=_by_algorithm(lines),
        lines=lines,
    )


def _line(entry: LedgerEntry, hold: Hold | None) -> PayoutLine:
    earned = hold.shares if hold and entry.kind is TransactionKind.CAPTURE else None
    return PayoutLine(
        number=entry.sequence,
        at=entry.at,
        kind=entry.kind,
        algorithm=hold.purpose.algorithm if hold else "",
        reference=hold.purpose.reference if hold else entry.reference,
        description=entry.description,
        added_value=earned.earned if earned else 0,
        fee=earned.fee if earned else 0,
        amount=signed(entry.direction, entry.amount),
        balance=entry.current_balance,
    )


def _by_algorithm(lines: Sequence[PayoutLine]) -> tuple[AlgorithmEarnings, ...]:
    found: defaultdict[str, list[PayoutLine]] = defaultdict(list)
    for line in lines:
        if line.kind is TransactionKind.CAPTURE:
            found[line.algorithm].append(line)
    made = [
        AlgorithmEarnings(
            algorithm=algorithm,
            runs=len(some),
            added_value=sum(line.added_value for line in some),
            fee=sum(line.fee for line in some),
            earned=sum(line.amount for line in some),
        )
        for algorithm, some in found.items()
    ]
    return tuple(sorted(made, key=lambda one: (-one.earned, one.algorithm)))
