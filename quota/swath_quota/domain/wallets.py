"""What the owner of credits is shown."""

from __future__ import annotations

from dataclasses import dataclass

from swath_quota.domain.ledger import LedgerEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class Wallet:
    """A user's credits as they stand, in millicredits."""

    account: str
    """Name of the user."""
    tier: str
    balance: int
    """The sum of all entries."""
    held: int
    """Set aside by open holds."""
    available: int
    """What may be held now: the grants that are effective, less what is held of them."""
    payer: str
    """Short name of the wallet that this user's work is paid from by default."""
    entries: tuple[LedgerEntry, ...]
    """The latest entries, newest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One page of a wallet's entries, newest first."""

    account: str
    entries: tuple[LedgerEntry, ...]
    next_before: int | None
    """What to ask for as ``before`` to get the next page; ``None`` on the last."""
