"""Organisations: wallets that members share, each up to a ceiling of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from swath_quota.domain.periods import month_of


class MemberRole(StrEnum):
    """What a member may do."""

    MEMBER = "member"
    """Spend, and see what one spent oneself."""
    OWNER = "owner"
    """Also see everything, and admit, bound and dismiss members."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """A user's part in an organisation's wallet, and what of this month's ceiling is used."""

    organisation: str
    """Short name of the wallet, ``organisation:acme``."""
    member: str
    role: MemberRole = MemberRole.MEMBER
    ceiling: int | None = None
    """Most millicredits that the member may spend in a calendar month (UTC); ``None``: all there are."""
    is_default: bool = False
    """Whether what the member spends is paid from this wallet where nothing else is said."""
    period: str = ""
    """The month that `spent` is of."""
    spent: int = 0
    """Millicredits captured in `period`."""
    held: int = 0
    """Millicredits in open holds, whatever month they were placed in."""
    added_by: str
    added_at: datetime
    removed_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.held < 0 or self.spent < 0:
            raise ValueError(f"{self.member} of {self.organisation}: {self.held} held, {self.spent} spent")

    @property
    def is_active(self) -> bool:
        """Whether the member may spend."""
        return self.removed_at is None

    def left(self, at: datetime) -> int | None:
        """Millicredits that the member may still hold this month; ``None`` without a ceiling."""
        if self.ceiling is None:
            return None
        spent = self.spent if self.period == month_of(at) else 0
        return max(0, self.ceiling - spent - self.held)


def with_held(membership: Membership, *, change: int) -> Membership:
    """`membership` after its holds grew, or with a negative `change` shrank, by millicredits."""
    return replace(membership, held=membership.held + change)


def with_spent(membership: Membership, *, amount: int, at: datetime) -> Membership:
    """`membership` after `amount` was captured; a new month begins with nothing spent.

    A clock that was put back into the month before counts towards the newest month all the same.
    """
    month = max(month_of(at), membership.period)
    before = membership.spent if membership.period == month else 0
    return replace(membership, period=month, spent=before + amount)
