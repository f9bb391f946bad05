"""Double entry: every transaction takes as much as it gives, and every entry tells the balance before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

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
        after = account.balance + signed(leg.direction, leg.amount)
        entries.append(
            LedgerEntry(
                account_id=account.id,
                sequence=account.sequence + 1,
                transaction_id=transaction.id,
                kind=transaction.kind,
                direction=leg.direction,
                amount=leg.amount,
                previous_balance=account.balance,
                current_balance=after,
                reference=transaction.reference,
                description=transaction.description,
                at=transaction.at,
            )
        )
        changed.append(replace(account, balance=after, sequence=account.sequence + 1))
    return Posting(transaction=transaction, entries=tuple(entries), accounts=tuple(changed))
