"""Takes: what somebody used of a limit, or holds of it for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from swath_quota.domain.errors import TakeDiffers, TakeEnded
from swath_quota.domain.limits import Taken


class TakeStatus(StrEnum):
    """Where a take stands."""

    COUNTED = "counted"
    """Counts until its window is over: a month, a rolling window, a rate."""
    STANDING = "standing"
    """Counts until it is given back or ends by itself: a continuous limit."""
    GIVEN_BACK = "given_back"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Take:
    """One take as stored."""

    id: str
    """Made and persisted by the client before it asks."""
    account: str
    limit: str
    amount: int
    degraded: bool
    status: TakeStatus
    created_at: datetime
    expires_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether it was given back or has expired."""
        return self.status in {TakeStatus.GIVEN_BACK, TakeStatus.EXPIRED}


def taken(take: Take) -> Taken:
    """What its taker is told."""
    return Taken(
        take_id=take.id, limit=take.limit, amount=take.amount, degraded=take.degraded, expires_at=take.expires_at
    )


def check_replay(existing: Take, *, account: str, limit: str, amount: int) -> Take:
    """`existing`, when the same take is asked for again and still counts.

    Raises
    ------
    TakeDiffers, TakeEnded
    """
    if (existing.account, existing.limit, existing.amount) != (account, limit, amount):
        raise TakeDiffers(
            code="take-differs",
            message=f"the id {existing.id!r} is taken by a take of another account, limit or amount",
            mend="make a new id for a new take; repeat a take only as it was",
        )
    if existing.is_over:
        raise TakeEnded(
            code="take-ended",
            message=f"the take {existing.id!r} was given back or has expired, which is final",
            mend="make a new id to take again",
        )
    return existing
