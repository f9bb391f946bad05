"""Double entry: every transaction takes as much as it gives, and every entry tells the balance before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

from swath_quota.domain.accounts import Account


class Direction(StrEnum):
    """Which way an entry goes."""

    DEBIT = "debit"
    """Lowers the balance."""
    CREDIT = "credit"
    """Raises the balance."""


class TransactionKind(StrEnum):
    """Why credits moved."""

    ALLOWANCE = "allowance"
    """A tier's credits for a calendar month."""
    GRANT = "grant"
    """An operator gave credits."""
    CAPTURE = "capture"
    """A hold was settled."""
    LAPSE = "lapse"
    """Granted credits were not spent in time."""
    REFUND = "refund"
    """What was captured was given back."""
    PAYOUT = "payout"
    """What an author earned left Swath."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """One side of a transaction that is yet to be posted."""

    account_id: str
    direction: Direction
    amount: int
    """Millicredits, above zero."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transaction:
    """A balanced movement of credits. Its id is derived from its cause, so the same cause cannot be posted twice."""

    id: str
    kind: TransactionKind
    legs: tuple[Leg, ...]
    reference: str
    """What caused it: the id of a hold or a grant."""
    description: str = ""
    actor: str
    """Who asked for it."""
    usage: Mapping[str, float] = field(default_factory=dict)
    at: datetime

    def __post_init__(self) -> None:
        if any(leg.amount <= 0 for leg in self.legs):
            raise ValueError(f"transaction {self.id}: an amount is not above zero")
        if len({leg.account_id for leg in self.legs}) != len(self.legs):
            raise ValueError(f"transaction {self.id}: an account stands in it twice")
        if len(self.legs) < 2 or sum(signed(leg.direction, leg.amount) for leg in self.legs) != 0:
            raise ValueError(f"transaction {self.id}: not balanced")


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry:
    """One posted side of a transaction: appended once, never changed."""

    account_id: str
    sequence: int
    """Number of the entry within its account, from 1 without gaps."""
    transaction_id: str
    kind: TransactionKind
    direction: Direction
    amount: int
    """Millicredits, above zero."""
    previous_balance: int
    current_balance: int
    reference: str
    description: str
    at: datetime
    previous_hash: str
    """Hash of the account's entry before; empty for the first."""
    hash: str
    """`entry_hash` of all of the above."""

    def __post_init__(self) -> None:
        if self.current_balance != self.previous_balance + signed(self.direction, self.amount):
            raise ValueError(f"entry {self.account_id}#{self.sequence}: balances do not follow")


@dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """What a transaction makes of the accounts it touches."""

    transaction: Transaction
    entries: tuple[LedgerEntry, ...]
    accounts: tuple[Account, ...]


def signed(direction: Direction, amount: int) -> int:
    """`amount` as it changes a balance."""
    return amount if direction is Direction.CREDIT else -amount


def transfer(*, source: str, target: str, amount: int) -> tuple[Leg, Leg]:
    """The two legs of moving `amount` from one account to another."""
    return (
        Leg(account_id=source, direction=Direction.DEBIT, amount=amount),
        Leg(account_id=target, direction=Direction.CREDIT, amount=amount),
    )


def entry_hash(*said: str | int | datetime) -> str:
    """SHA-256 over everything an entry says, in the order of its members, and the hash before it.

    So no entry can be changed, taken out or put in without changing every later one of its account.
    """
    plain = [
        one.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(one, datetime) else one for one in said
    ]
    return sha256(json.dumps(plain, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def hash_of(entry: LedgerEntry) -> str:
    """What the hash of `entry` must be."""
    return entry_hash(
        entry.account_id,
        entry.sequence,
        entry.transaction_id,
        entry.kind,
        entry.direction,
        entry.amount,
        entry.previous_balance,
        entry.current_balance,
        entry.reference,
        entry.description,
        entry.at,
        entry.previous_hash,
    )


def post(transaction: Transaction, accounts: Mapping[str, Account]) -> Posting:
    """Entries and new balances of `transaction` over `accounts`, which must hold every account it names.

    Raises
    ------
    ValueError
        From `Account`, when an account other than the issuer's would fall below what is held on it.
    """
    entries, changed = [], []
    for leg in transaction.legs:
        account = accounts[leg.account_id]
        entry = _entry(transaction, leg, account)
        entries.append(entry)
        changed.append(replace(account, balance=entry.current_balance, sequence=entry.sequence, head=entry.hash))
    return Posting(transaction=transaction, entries=tuple(entries), accounts=tuple(changed))


def _entry(transaction: Transaction, leg: Leg, account: Account) -> LedgerEntry:
    sequence, after = account.sequence + 1, account.balance + signed(leg.direction, leg.amount)
    return LedgerEntry(
        account_id=account.id,
        sequence=sequence,
        transaction_id=transaction.id,
        kind=transaction.kind,
        direction=leg.direction,
        amount=leg.amount,
        previous_balance=account.balance,
        current_balance=after,
        reference=transaction.reference,
        description=transaction.description,
        at=transaction.at,
        previous_hash=account.head,
        hash=entry_hash(
            account.id,
            sequence,
            transaction.id,
            transaction.kind,
            leg.direction,
            leg.amount,
            account.balance,
            after,
            transaction.reference,
            transaction.description,
            transaction.at,
            account.head,
        ),
    )
