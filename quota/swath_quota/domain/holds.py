"""Two phases: credits are set aside before anything runs, and settled exactly once afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from swath_quota.domain.added_value import AddedValue, Shares
from swath_quota.domain.errors import (
    CapturedDifferently,
    CaptureExceedsHold,
    HoldCaptured,
    HoldDiffers,
    HoldExpired,
    HoldReleased,
    NoSuchHold,
    NotAMember,
)
from swath_quota.domain.grants import Allocations
from swath_quota.domain.purposes import Purpose, PurposeKind

__all__ = ["Hold", "HoldStatus", "Purpose", "PurposeKind", "Refusal", "Settlement"]


class HoldStatus(StrEnum):
    """Where a hold stands. The last three are final."""

    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Credits set aside for one purpose."""

    id: str
    """Made and persisted by the client before it asks."""
    account: str
    """Short name of the wallet that pays."""
    member: str
    """Name of the user who spends; the wallet's owner, or a member of the organisation."""
    amount: int
    """Millicredits set aside."""
    purpose: Purpose
    allocations: Allocations = ()
    """Which grants back it, and with how much each; the parts sum to `amount`."""
    asked: int = -1
    """Millicredits first asked for; less than `amount` once extended. By default `amount`."""
    price_version: str = ""
    """Version of the price list that what is used will be priced by, whatever list is in force then."""
    status: HoldStatus = HoldStatus.HELD
    captured: int = 0
    """Millicredits taken, at most `amount`; above zero only when captured."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """What the captured credits were for."""
    reason: str = ""
    """Why it was released."""
    added_value: AddedValue | None = None
    """What the author of what it pays for gets on top; ``None`` where nobody earns."""
    shares: Shares | None = None
    """How what was captured was divided; only where there is an added value."""
    created_at: datetime
    expires_at: datetime
    resolved_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.asked < 0:
            object.__setattr__(self, "asked", self.amount)
        if not 0 <= self.captured <= self.amount or (self.captured and self.status is not HoldStatus.CAPTURED):
            raise ValueError(f"hold {self.id}: {self.captured} captured of {self.amount} while {self.status}")
        if (self.status is HoldStatus.HELD) != (self.resolved_at is None):
            raise ValueError(f"hold {self.id}: {self.status} and resolved at {self.resolved_at}")
        if self.shares and (self.added_value is None or self.shares.captured != self.captured):
            raise ValueError(f"hold {self.id}: {self.captured} captured and divided as {self.shares}")
        if sum(part for _, part in self.allocations) != self.amount:
            raise ValueError(f"hold {self.id}: {self.amount} held and {self.allocations} allocated")

    @property
    def is_open(self) -> bool:
        """Whether it still sets credits aside."""
        return self.status is HoldStatus.HELD


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """How a hold ended."""

    hold_id: str
    account: str
    status: HoldStatus
    captured: int
    """Millicredits taken."""
    returned: int
    """Millicredits that may be spent again."""
    transaction_id: str | None
    """The ledger's transaction, when any credits moved."""
    settled_at: datetime
    added_value: int = 0
    """Millicredits of those taken that were for an author's added value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A no to a hold. Nothing was stored: the same request may be sent again and is then judged anew."""

    code: str
    message: str
    retry_at: datetime | None
    """When the same request would pass if nothing else is spent; ``None`` when waiting does not help."""
    limit: int
    """What the limit allows: millicredits that the wallet's tier gives in a calendar month, or the limit's own unit."""
    left: int
    """What of it could be had now."""
    limit_name: str = "credits"
    """Which limit said no."""
    mend: str = ""
    """What would help."""


def capture_id(hold_id: str) -> str:
    """Id of the one transaction that may capture a hold."""
    return f"capture:{hold_id}"


def settlement_of(hold: Hold) -> Settlement:
    """How `hold`, which is not open, ended."""
    if hold.resolved_at is None:
        raise ValueError(f"hold {hold.id} is open")
    return Settlement(
        hold_id=hold.id,
        account=hold.account,
        status=hold.status,
        captured=hold.captured,
        returned=hold.amount - hold.captured,
        transaction_id=capture_id(hold.id) if hold.captured else None,
        settled_at=hold.resolved_at,
        added_value=hold.shares.added if hold.shares else 0,
    )


def refund_id(hold_id: str) -> str:
    """Id of the one transaction that may give back what a hold captured."""
    return f"refund:{hold_id}"


def check_replay(
    existing: Hold, *, account: str, amount: int, purpose: Purpose, added_value: AddedValue | None = None
) -> Hold:
    """`existing`, when the same hold is asked for again by the user `account`.

    The expiry is not compared (extending moves it), nor the description (it is for people), nor the wallet (whose
    choice of it may have changed since). The
    amount is that first asked for, however much the hold was extended since.

    Raises
    ------
    HoldDiffers
        The id is taken by another hold. What that one is, is not told.
    """
    same = (existing.member, existing.purpose.kind, existing.purpose.reference)
    terms = added_value.same_terms(existing.added_value) if added_value else existing.added_value is None
    if same != (account, purpose.kind, purpose.reference) or amount != existing.asked or not terms:
        raise HoldDiffers(
            code="hold-differs",
            message=f"the id {existing.id!r} is taken by a hold on another account, amount or purpose,"
            " or with another added value",
            mend="make a new id for a new hold; repeat a hold only as it was",
        )
    return existing


def capture(hold: Hold, *, amount: int, usage: Mapping[str, float], at: datetime, shares: Shares | None = None) -> Hold:
    """`hold` after `amount` of it was taken; `hold` itself when that was done before.

    Where nobody tells by `shares` how it is divided, all of it is for the resources, and nobody earns.

    Raises
    ------
    CaptureExceedsHold, CapturedDifferently, HoldReleased, HoldExpired
    """
    if hold.status is HoldStatus.CAPTURED:
        if hold.captured == amount:
            return hold
        raise CapturedDifferently(
            code="captured-differently",
            message=f"the hold {hold.id!r} was captured before, with another amount",
            mend="a hold is captured once; read it to learn the amount",
        )
    if not hold.is_open:
        raise closed(hold)
    if amount > hold.amount:
        raise CaptureExceedsHold(
            code="capture-exceeds-hold",
            message=f"{amount} millicredits cannot be captured from a hold of {hold.amount}",
            mend="capture at most what is held",
            findings=[{"field": "amount", "message": f"at most {hold.amount}", "mend": "capture at most what is held"}],
        )
    if hold.added_value and shares is None:
        shares = Shares(resources=amount, added=0, discount=0, author=0, fee=0)
    return replace(hold, status=HoldStatus.CAPTURED, captured=amount, usage=dict(usage), shares=shares, resolved_at=at)


def release(hold: Hold, *, reason: str, at: datetime) -> Hold:
    """`hold` after everything was given back; `hold` itself when it was released or voided before.

    Raises
    ------
    HoldCaptured
    """
    if hold.status is HoldStatus.CAPTURED:
        raise closed(hold)
    if not hold.is_open:
        return hold
    return replace(hold, status=HoldStatus.RELEASED, reason=reason, resolved_at=at)


def extend(
    hold: Hold, *, expires_at: datetime, amount: int | None = None, allocations: Allocations | None = None
) -> Hold:
    """`hold` standing at least until `expires_at`, and over `amount` backed by `allocations` where they are given.

    An earlier time or a smaller amount never shortens it.

    Raises
    ------
    HoldCaptured, HoldReleased, HoldExpired
    """
    if not hold.is_open:
        raise closed(hold)
    if amount is not None and allocations is not None and amount > hold.amount:
        hold = replace(hold, amount=amount, allocations=allocations)
    return hold if expires_at <= hold.expires_at else replace(hold, expires_at=expires_at)


def expire(hold: Hold, *, at: datetime) -> Hold:
    """`hold` voided when its time is over at `at`; otherwise `hold` itself."""
    if not hold.is_open or hold.expires_at > at:
        return hold
    return replace(hold, status=HoldStatus.EXPIRED, resolved_at=at)


def closed(hold: Hold) -> HoldCaptured | HoldReleased | HoldExpired:
    """The error that says how `hold` ended."""
    kinds: dict[HoldStatus, type[HoldCaptured | HoldReleased | HoldExpired]] = {
        HoldStatus.CAPTURED: HoldCaptured,
        HoldStatus.RELEASED: HoldReleased,
        HoldStatus.EXPIRED: HoldExpired,
    }
    return kinds[hold.status](
        code=f"hold-{hold.status}",
        message=f"the hold {hold.id!r} is {hold.status}, which is final",
        mend="place a new hold with a new id if credits are still needed",
    )


def no_such_hold(hold_id: str) -> NoSuchHold:
    """The error for an id that nobody placed a hold with."""
    return NoSuchHold(
        code="no-such-hold", message=f"there is no hold {hold_id!r}", mend="place the hold before settling it"
    )


def not_a_member(organisation: str, member: str) -> NotAMember:
    """The error for a user who may not spend from an organisation's wallet."""
    return NotAMember(
        code="not-a-member",
        message=f"{member!r} is no member of {organisation}",
        mend="pay from your own wallet, or ask an owner of the organisation to add you",
    )
