"""Why credits are refused: which limit, what is left, when the same request fits, and what would help."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from swath_quota.domain.grants import Grant, spendable
from swath_quota.domain.holds import Refusal
from swath_quota.domain.members import Membership
from swath_quota.domain.periods import month_of, next_month
from swath_quota.domain.purposes import Purpose
from swath_quota.domain.tiers import Tier


def credits_exhausted(
    tier: Tier, grants: Iterable[Grant], *, held: int, amount: int, purpose: Purpose, now: datetime
) -> Refusal:
    """The grants that may be spent on `purpose` have less than `amount` millicredits."""
    grants = tuple(grants)
    left, of_all = spendable(grants, at=now, purpose=purpose), spendable(grants, at=now)
    message = (
        f"{credits_text(amount)} credits are needed and {credits_text(left)} are available"
        f" ({credits_text(held)} are held for what is running"
    )
    if of_all > left:
        message += f"; {credits_text(of_all - left)} more may be spent on other things only"
    retry_at = _fits_at(tier, grants, amount=amount, purpose=purpose, now=now)
    waiting = "wait until then, " if retry_at else ""
    return Refusal(
        code="credits-exhausted",
        message=f"{message})",
        retry_at=retry_at,
        limit=tier.terms_on(now.date()).monthly_allowance,
        left=left,
        limit_name="credits",
        mend=f"spend less, {waiting}let what is running end, or ask an operator for credits",
    )


def ceiling_reached(membership: Membership, *, amount: int, now: datetime) -> Refusal:
    """A member may not spend `amount` millicredits more of an organisation's this month."""
    ceiling, left = membership.ceiling or 0, membership.left(now) or 0
    spent = membership.spent if membership.period == month_of(now) else 0
    fits = amount + membership.held <= ceiling
    return Refusal(
        code="member-ceiling",
        message=(
            f"{credits_text(amount)} credits are needed; of your {credits_text(ceiling)} a month from"
            f" {membership.organisation} {credits_text(spent)} are spent and {credits_text(membership.held)} held"
        ),
        retry_at=next_month(now) if fits else None,
        limit=ceiling,
        left=left,
        limit_name="member.credits.month",
        mend="ask an owner of the organisation for a higher ceiling, or pay from your own wallet",
    )


def _fits_at(tier: Tier, grants: tuple[Grant, ...], *, amount: int, purpose: Purpose, now: datetime) -> datetime | None:
    """When `amount` could first be held if nothing else is spent: held credits may come back sooner, but no one
    can promise that; a grant that becomes effective and next month's allowance are certain.
    """
    renewal = next_month(now)
    for at in sorted({renewal, *(grant.effective_at for grant in grants if grant.effective_at > now)}):
        allowance = tier.terms_on(at.date()).monthly_allowance if at >= renewal else 0
        if spendable(grants, at=at, purpose=purpose) + allowance >= amount:
            return at
    return None


def credits_text(millicredits: int) -> str:
    """Credits for people: ``1,234.5``."""
    return f"{millicredits // 1000:,}.{millicredits % 1000:03d}".rstrip("0").rstrip(".")
