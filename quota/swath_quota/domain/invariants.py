"""What is true of the books at every instant, checked over everything that is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from swath_quota.domain.accounts import WALLETS, Account, wallet_id
from swath_quota.domain.earning import RESEARCH, earning_changes, is_earning
from swath_quota.domain.grants import Draw, Grant
from swath_quota.domain.holds import Hold, HoldStatus, capture_id, refund_id
from swath_quota.domain.ledger import LedgerEntry, TransactionKind, entry_hash, hash_of, signed
from swath_quota.domain.members import Membership
from swath_quota.domain.periods import month_of


class Invariant(StrEnum):
    """One thing that must be true; the value is its code in a report."""

    BALANCED = "transaction-balanced"
    """Each transaction takes as much as it gives, so all debits together equal all credits."""
    CHAIN = "entries-chained"
    """Each account's entries are numbered without gaps, and each begins with the balance the one before left."""
    HASH = "entries-hashed"
    """Each entry's hash is that of what it says, it names the hash before it, and the account names the latest."""
    BALANCE = "balance-is-sum"
    """An account's balance is the sum of its entries, and its sequence their number."""
    HELD = "held-is-open-holds"
    """What is held on a wallet is the sum of its open holds."""
    CAPTURE = "captured-once"
    """A hold's captured amount was debited from its payer exactly once, and nothing else was captured."""
    ALLOCATED = "held-is-allocated"
    """What is held of a grant is the sum of what open holds allocated from it."""
    MEMBERS = "members-are-holds"
    """What a member holds of an organisation's is the sum of the member's open holds, and what counts as spent in a
    month at least what was captured in it (more only where a clock was put back into the month before)."""
    EARNED = "added-value-divided"
    """Of a capture with an added value each got its share: the platform, the author, the fees; and the research budget
    gave its part."""
    REFUND = "refunded-once"
    """What was given back of a hold is at most what it captured, to the wallet that had paid."""
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
    members: Iterable[Membership] = ()


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
    head: str
    """Hash over the latest entry of every account: written down elsewhere, it shows later whether any was cut off."""


def examine(contents: Contents) -> tuple[tuple[Breach, ...], Totals]:
    """Every breach of every invariant, and the totals."""
    breaches: list[Breach] = []
    ledger = _Ledger()
    for entry in contents.entries:
        breaches += ledger.take(entry)
    breaches += ledger.unbalanced()
    breaches += _balances(contents.accounts, ledger)
    holds = tuple(contents.holds)
    breaches += _holds(contents.accounts, holds, ledger)
    grants = tuple(contents.grants)
    breaches += _grants(contents, grants)
    breaches += _allocations(grants, holds)
    breaches += _members(contents.members, holds)
    totals = Totals(
        accounts=len(contents.accounts),
        entries=ledger.count,
        transactions=len(ledger.transactions),
        holds=len(holds),
        open_holds=sum(hold.is_open for hold in holds),
        debits=ledger.debits,
        credits=ledger.credits,
        head=entry_hash(*(f"{account.id} {account.head}" for account in contents.accounts if account.head)),
    )
    return tuple(breaches), totals


class _Ledger:
    """Sums over the entries, which come by account and sequence."""

    def __init__(self) -> None:
        self.count = self.debits = self.credits = 0
        self.sums: defaultdict[str, int] = defaultdict(int)
        self.last: dict[str, tuple[int, int, str]] = {}
        self.transactions: defaultdict[str, int] = defaultdict(int)
        self.captures: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.changes: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """By capture: what it changed on accounts of authors, of fees and of the research budget."""
        self.refunds: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def take(self, entry: LedgerEntry) -> list[Breach]:
        change = signed(entry.direction, entry.amount)
        self.count += 1
        self.debits += max(0, -change)
        self.credits += max(0, change)
        self.sums[entry.account_id] += change
        self.transactions[entry.transaction_id] += change
        if entry.kind is TransactionKind.CAPTURE:
            if change < 0 and entry.account_id != RESEARCH:
                self.captures[entry.transaction_id][entry.account_id] = -change
            if is_earning(entry.account_id):
                self.changes[entry.transaction_id][entry.account_id] = change
        if entry.kind is TransactionKind.REFUND and change > 0 and entry.account_id != RESEARCH:
            self.refunds[entry.transaction_id][entry.account_id] = change
        sequence, balance, head = self.last.get(entry.account_id, (0, 0, ""))
        self.last[entry.account_id] = (entry.sequence, entry.current_balance, entry.hash)
        where, breaches = f"{entry.account_id}#{entry.sequence}", []
        if (entry.sequence, entry.previous_balance) != (sequence + 1, balance):
            message = f"follows number {sequence} with a balance of {balance}, and says {entry.previous_balance}"
            breaches.append(Breach(invariant=Invariant.CHAIN, subject=where, message=message))
        if entry.previous_hash != head or entry.hash != hash_of(entry):
            message = "its hash is not that of what it says, or does not follow the one before"
            breaches.append(Breach(invariant=Invariant.HASH, subject=where, message=message))
        return breaches

    def unbalanced(self) -> list[Breach]:
        return [
            Breach(invariant=Invariant.BALANCED, subject=name, message=f"credits less debits are {total}")
            for name, total in self.transactions.items()
            if total
        ]


def _balances(accounts: tuple[Account, ...], ledger: _Ledger) -> list[Breach]:
    breaches = []
    for account in accounts:
        sequence, _, head = ledger.last.get(account.id, (0, 0, ""))
        if account.head != head:
            message = "the hash of its latest entry is not the one it names"
            breaches.append(Breach(invariant=Invariant.HASH, subject=account.id, message=message))
        if (account.balance, account.sequence) != (ledger.sums[account.id], sequence):
            message = (
                f"balance {account.balance} after {account.sequence} entries;"
                f" the entries sum to {ledger.sums[account.id]}, the last is number {sequence}"
            )
            breaches.append(Breach(invariant=Invariant.BALANCE, subject=account.id, message=message))
    return breaches


def _holds(accounts: tuple[Account, ...], holds: tuple[Hold, ...], ledger: _Ledger) -> list[Breach]:
    held: defaultdict[str, int] = defaultdict(int)
    captures, refunds, changes = dict(ledger.captures), dict(ledger.refunds), dict(ledger.changes)
    breaches = []
    for hold in holds:
        wallet = wallet_id(hold.account)
        if hold.is_open:
            held[wallet] += hold.amount
        debited = captures.pop(capture_id(hold.id), {})
        due = {wallet: hold.captured} if hold.captured else {}
        if debited != due or (due and hold.status is not HoldStatus.CAPTURED):
            message = f"{hold.status} with {hold.captured} captured; debited: {debited or 'nothing'}"
            breaches.append(Breach(invariant=Invariant.CAPTURE, subject=hold.id, message=message))
        got, should = changes.pop(capture_id(hold.id), {}), earning_changes(hold, payer=wallet)
        if got != should:
            message = f"{got or 'nothing'} was divided; its shares say {should or 'nothing'}"
            breaches.append(Breach(invariant=Invariant.EARNED, subject=hold.id, message=message))
        back = refunds.pop(refund_id(hold.id), {})
        if set(back) - {wallet} or sum(back.values()) > hold.captured:
            message = f"{hold.captured} captured; given back: {back}"
            breaches.append(Breach(invariant=Invariant.REFUND, subject=hold.id, message=message))
    orphaned = ((Invariant.CAPTURE, captures), (Invariant.EARNED, changes), (Invariant.REFUND, refunds))
    for invariant, orphans in orphaned:
        breaches += [
            Breach(invariant=invariant, subject=name, message="for a hold that is not there") for name in orphans
        ]
    for account in accounts:
        if account.held != held[account.id]:
            message = f"{account.held} held; the open holds sum to {held[account.id]}"
            breaches.append(Breach(invariant=Invariant.HELD, subject=account.id, message=message))
    return breaches


def _grants(contents: Contents, grants: tuple[Grant, ...]) -> list[Breach]:
    drawn: defaultdict[str, int] = defaultdict(int)
    for draw in contents.draws:
        drawn[draw.grant_id] += draw.amount
    remaining: defaultdict[str, int] = defaultdict(int)
    breaches = []
    for grant in grants:
        remaining[wallet_id(grant.account)] += grant.remaining
        if grant.amount - drawn[grant.id] != grant.remaining:
            message = f"{drawn[grant.id]} drawn of {grant.amount}, and {grant.remaining} remain"
            breaches.append(Breach(invariant=Invariant.GRANTS, subject=grant.id, message=message))
    for account in contents.accounts:
        if account.kind in WALLETS and account.balance != remaining[account.id]:
            message = f"balance {account.balance}; of its grants {remaining[account.id]} remain"
            breaches.append(Breach(invariant=Invariant.GRANTS, subject=account.id, message=message))
    return breaches


def _allocations(grants: tuple[Grant, ...], holds: tuple[Hold, ...]) -> list[Breach]:
    allocated: defaultdict[str, int] = defaultdict(int)
    for hold in holds:
        for grant_id, part in hold.allocations if hold.is_open else ():
            allocated[grant_id] += part
    return [
        Breach(
            invariant=Invariant.ALLOCATED,
            subject=grant.id,
            message=f"{grant.held} held of it; open holds allocate {allocated[grant.id]}",
        )
        for grant in grants
        if grant.held != allocated[grant.id]
    ]


def _members(members: Iterable[Membership], holds: tuple[Hold, ...]) -> list[Breach]:
    held: defaultdict[tuple[str, str], int] = defaultdict(int)
    captured: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for hold in holds:
        if hold.is_open:
            held[hold.account, hold.member] += hold.amount
        elif hold.resolved_at:
            captured[hold.account, hold.member, month_of(hold.resolved_at)] += hold.captured
    breaches = []
    for one in members:
        due = held[one.organisation, one.member], captured[one.organisation, one.member, one.period]
        if one.held != due[0] or one.spent < due[1]:
            message = f"{one.held} held and {one.spent} spent in {one.period or 'no month'}; the holds say {due}"
            subject = f"{one.member} of {one.organisation}"
            breaches.append(Breach(invariant=Invariant.MEMBERS, subject=subject, message=message))
    return breaches
