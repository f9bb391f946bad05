"""What is true of the books at every instant, checked over everything that is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from swath_quota.domain.accounts import Account, wallet_id
from swath_quota.domain.grants import Draw, Grant
from swath_quota.domain.holds import Hold, HoldStatus, capture_id
from swath_quota.domain.ledger import LedgerEntry, TransactionKind, signed


class Invariant(StrEnum):
    """One thing that must be true; the value is its code in a report."""

    BALANCED = "transaction-balanced"
    """Each transaction takes as much as it gives, so all debits together equal all credits."""
    CHAIN = "entries-chained"
    """Each account's entries are numbered without gaps, and each begins with the balance the one before left."""
    BALANCE = "balance-is-sum"
    """An account's balance is the sum of its entries, and its sequence their number."""
    HELD = "held-is-open-holds"
    """What is held on a wallet is the sum of its open holds."""
    CAPTURE = "captured-once"
    """A hold's captured amount was debited from its payer exactly once, and nothing else was captured."""
    GRANTS = "grants-are-balance"
    """What remains of a wallet's grants is its balance, and each grant lacks exactly what was drawn from it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """An invariant that does not hold, and where."""

    invariant: Invariant
    subject: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Everything stored, as of one instant."""

    accounts: tuple[Account, ...]
    entries: Iterable[LedgerEntry]
    holds: Iterable[Hold]
    grants: Iterable[Grant]
    draws: Iterable[Draw]


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """What was counted on the way."""

    accounts: int
    entries: int
    transactions: int
    holds: int
    open_holds: int
    debits: int
    credits: int


def examine(contents: Contents) -> tuple[tuple[Breach, ...], Totals]:
    """Every breach of every invariant, and the totals."""
    breaches: list[Breach] = []
    ledger = _Ledger()
    for entry in contents.entries:
        breaches += ledger.take(entry)
    breaches += ledger.unbalanced()
    breaches += _balances(contents.accounts, ledger)
    open_holds, hold_count, held_breaches = _holds(contents, ledger)
    breaches += held_breaches
    breaches += _grants(contents)
    totals = Totals(
        accounts=len(contents.accounts),
        entries=ledger.count,
        transactions=len(ledger.transactions),
        holds=hold_count,
        open_holds=open_holds,
        debits=ledger.debits,
        credits=ledger.credits,
    )
    return tuple(breaches), totals


class _Ledger:
    """Sums over the entries, which come by account and sequence."""

    def __init__(self) -> None:
        self.count = self.debits = self.credits = 0
        self.sums: defaultdict[str, int] = defaultdict(int)
        self.last: dict[str, tuple[int, int]] = {}
        self.transactions: defaultdict[str, int] = defaultdict(int)
        self.captures: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def take(self, entry: LedgerEntry) -> list[Breach]:
        change = signed(entry.direction, entry.amount)
        self.count += 1
        self.debits += max(0, -change)
        self.credits += max(0, change)
        self.sums[entry.account_id] += change
        self.transactions[entry.transaction_id] += change
        if entry.kind is TransactionKind.CAPTURE and change < 0:
            self.captures[entry.transaction_id][entry.account_id] = -change
        sequence, balance = self.last.get(entry.account_id, (0, 0))
        self.last[entry.account_id] = (entry.sequence, entry.current_balance)
        if (entry.sequence, entry.previous_balance) == (sequence + 1, balance):
            return []
        where = f"{entry.account_id}#{entry.sequence}"
        message = f"follows number {sequence} with a balance of {balance}, and says {entry.previous_balance}"
        return [Breach(invariant=Invariant.CHAIN, subject=where, message=message)]

    def unbalanced(self) -> list[Breach]:
        return [
            Breach(invariant=Invariant.BALANCED, subject=name, message=f"credits less debits are {total}")
            for name, total in self.transactions.items()
            if total
        ]


def _balances(accounts: tuple[Account, ...], ledger: _Ledger) -> list[Breach]:
    breaches = []
    for account in accounts:
        sequence, _ = ledger.last.get(account.id, (0, 0))
        if (account.balance, account.sequence) != (ledger.sums[account.id], sequence):
            message = (
                f"balance {account.balance} after {account.sequence} entries;"
                f" the entries sum to {ledger.sums[account.id]}, the last is number {sequence}"
            )
            breaches.append(Breach(invariant=Invariant.BALANCE, subject=account.id, message=message))
    return breaches


def _holds(contents: Contents, ledger: _Ledger) -> tuple[int, int, list[Breach]]:
    held: defaultdict[str, int] = defaultdict(int)
    captures = dict(ledger.captures)
    breaches, open_holds, count = [], 0, 0
    for hold in contents.holds:
        count += 1
        if hold.is_open:
            open_holds += 1
            held[wallet_id(hold.account)] += hold.amount
        debited = captures.pop(capture_id(hold.id), {})
        due = {wallet_id(hold.account): hold.captured} if hold.captured else {}
        if debited != due or (due and hold.status is not HoldStatus.CAPTURED):
            message = f"{hold.status} with {hold.captured} captured; debited: {debited or 'nothing'}"
            breaches.append(Breach(invariant=Invariant.CAPTURE, subject=hold.id, message=message))
    breaches += [
        Breach(invariant=Invariant.CAPTURE, subject=name, message="captured for a hold that is not there")
        for name in captures
    ]
    for account in contents.accounts:
        if account.held != held[account.id]:
            message = f"{account.held} held; the open holds sum to {held[account.id]}"
            breaches.append(Breach(invariant=Invariant.HELD, subject=account.id, message=message))
    return open_holds, count, breaches


def _grants(contents: Contents) -> list[Breach]:
    drawn: defaultdict[str, int] = defaultdict(int)
    for draw in contents.draws:
        drawn[draw.grant_id] += draw.amount
    remaining: defaultdict[str, int] = defaultdict(int)
    breaches = []
    for grant in contents.grants:
        remaining[wallet_id(grant.account)] += grant.remaining
        if grant.amount - drawn[grant.id] != grant.remaining:
            message = f"{drawn[grant.id]} drawn of {grant.amount}, and {grant.remaining} remain"
            breaches.append(Breach(invariant=Invariant.GRANTS, subject=grant.id, message=message))
    for account in contents.accounts:
        if account.id.startswith("user:") and account.balance != remaining[account.id]:
            message = f"balance {account.balance}; of its grants {remaining[account.id]} remain"
            breaches.append(Breach(invariant=Invariant.GRANTS, subject=account.id, message=message))
    return breaches
