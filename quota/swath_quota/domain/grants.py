"""Where a wallet's credits came from, in which order they are spent, and when they lapse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

#: Lower is spent first. An allowance lapses with its month, so it goes before what an operator gave.
ALLOWANCE_PRIORITY = 10
GRANT_PRIORITY = 20
_NEVER = datetime.max.replace(tzinfo=UTC)


class GrantKind(StrEnum):
    """Why credits were given."""

    ALLOWANCE = "allowance"
    """By the tier, for one calendar month."""
    GIFT = "gift"
    """By an operator."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """Credits given to a wallet."""

    id: str
    account: str
    """Name of the user."""
    kind: GrantKind
    amount: int
    """Millicredits given."""
    remaining: int
    """Millicredits neither spent nor lapsed."""
    priority: int
    """Lower is spent first."""
    period: str = ""
    """Calendar month of an allowance, ``2026-05``."""
    description: str = ""
    granted_by: str
    created_at: datetime
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.remaining <= self.amount or self.amount <= 0:
            raise ValueError(f"grant {self.id}: {self.remaining} remain of {self.amount}")

    def is_over(self, at: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= at


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """What one transaction took from one grant."""

    transaction_id: str
    grant_id: str
    amount: int


def spending_order(grant: Grant) -> tuple[int, datetime, datetime, str]:
    """Sort key: priority, earliest expiry (none last), creation, id. OpenMeter's order, as far as we have its words."""
    return (grant.priority, grant.expires_at or _NEVER, grant.created_at, grant.id)


def draw(grants: Iterable[Grant], *, amount: int) -> list[tuple[Grant, int]]:
    """Take `amount` from `grants` in their order: each grant touched, as it then stands, with what was taken.

    Raises
    ------
    ValueError
        The grants hold less than `amount`: the ledger and the grants disagree.
    """
    taken = []
    for grant in sorted(grants, key=spending_order):
        part = min(amount, grant.remaining)
        if part:
            taken.append((replace(grant, remaining=grant.remaining - part), part))
            amount -= part
    if amount:
        raise ValueError(f"{amount} millicredits are in the balance and in no grant")
    return taken


def draw_expired_first(grants: Iterable[Grant], *, amount: int, at: datetime) -> list[tuple[Grant, int]]:
    """`draw` for a capture: grants that are over come first, whatever their priority.

    They are still there only because open holds were placed while they were good.
    """
    grants = list(grants)
    over = [grant for grant in grants if grant.is_over(at)]
    from_over = min(amount, sum(grant.remaining for grant in over))
    rest = [grant for grant in grants if not grant.is_over(at)]
    return draw(over, amount=from_over) + draw(rest, amount=amount - from_over)


def lapsing(grants: Iterable[Grant], *, held: int, at: datetime) -> int:
    """How much of the grants that are over lapses at `at`, in millicredits.

    Open holds keep what backs them: credits set aside in May pay for a run that ends in June, and June's allowance
    stays whole. Because grants that are over are drawn first, they back open holds first too.
    """
    over = sum(grant.remaining for grant in grants if grant.is_over(at))
    return max(0, over - held)
