"""Accounts of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zlib import crc32


class AccountKind(StrEnum):
    """Whose account it is."""

    USER = "user"
    """A wallet: what a user may spend."""
    ORGANISATION = "organisation"
    """A wallet that its members share."""
    AUTHOR = "author"
    """What an author of algorithms earned; apart from the same person's wallet."""
    PLATFORM = "platform"
    """Where what users spend goes."""
    ISSUER = "issuer"
    """Where credits come from. The only account that may be below zero: minus everything ever issued."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """One account as it stands. Balances count credits in: a credit entry raises, a debit entry lowers."""

    id: str
    """``kind:name``; rows are locked in the order of this id."""
    kind: AccountKind
    name: str
    tier: str | None = None
    """Name of the tier; wallets alone have one."""
    title: str = ""
    """What an organisation is called; empty for everybody else."""
    balance: int = 0
    """Millicredits; the sum of the account's entries."""
    held: int = 0
    """Millicredits set aside by open holds."""
    sequence: int = 0
    """How many entries the account has; the next one's number is one more."""
    head: str = ""
    """Hash of the latest entry; empty while there is none."""
    refresh_at: datetime | None = None
    """From when on grants may have to lapse or an allowance be given; ``None``: never seen to."""
    created_at: datetime

    def __post_init__(self) -> None:
        if self.held < 0:
            raise ValueError(f"{self.id}: held would be {self.held}")
        if self.kind is not AccountKind.ISSUER and self.balance < self.held:
            raise ValueError(f"{self.id}: {self.held} held of a balance of {self.balance}")

    @property
    def available(self) -> int:
        """What may still be held, in millicredits."""
        return self.balance - self.held

    def is_stale(self, now: datetime) -> bool:
        """Whether grants and allowance have to be looked at before the balance is believed."""
        return self.refresh_at is None or self.refresh_at <= now


def account_id(kind: AccountKind, name: str) -> str:
    """The id of an account."""
    return f"{kind}:{name}"


_ORGANISATION = "organisation:"
#: Kinds of account that are spent from; they alone have a tier and grants.
WALLETS = frozenset({AccountKind.USER, AccountKind.ORGANISATION})


def wallet_id(name: str) -> str:
    """The id of the account behind a wallet, from its short name: ``ada``, or ``organisation:acme``."""
    return name if name.startswith(_ORGANISATION) else f"user:{name}"


def wallet_name(account: str) -> str:
    """The short name of the wallet that an account id stands for: the inverse of `wallet_id`."""
    return account if account.startswith(_ORGANISATION) else account.removeprefix("user:")


def is_organisation(name: str) -> bool:
    """Whether a short name is that of an organisation's wallet."""
    return name.startswith(_ORGANISATION)


#: The account that issues credits.
ISSUER = account_id(AccountKind.ISSUER, "swath")
#: What users pay is earned on so many accounts: captures of different payers then wait for each other rarely.
PLATFORM_STRIPES = 16


def platform_of(payer: str) -> str:
    """The account that earns what the account `payer` pays; always the same one for the same payer."""
    return account_id(AccountKind.PLATFORM, f"swath.{crc32(payer.encode()) % PLATFORM_STRIPES:02}")


def account_of_id(found: str, *, at: datetime, tier: str | None = None, title: str = "") -> Account:
    """An empty account with the id `found`."""
    kind, _, name = found.partition(":")
    return Account(id=found, kind=AccountKind(kind), name=name, tier=tier, title=title, created_at=at)


def new_account(kind: AccountKind, name: str, *, at: datetime, tier: str | None = None, title: str = "") -> Account:
    """An empty account."""
    return Account(id=account_id(kind, name), kind=kind, name=name, tier=tier, title=title, created_at=at)
