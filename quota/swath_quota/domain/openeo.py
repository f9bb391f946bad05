"""Billing as the openEO API (1.2) has it, for the face that speaks it: plain JSON values from Swath's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from swath_quota.domain.tiers import Tiers

#: The currency's name; openEO allows an ISO 4217 code or a name of one's own.
CURRENCY = "credits"
#: Header of a synchronous result.
COSTS_HEADER = "OpenEO-Costs"
#: openEO's metric and its unit (as its own examples write them) for each of our usage names, and what converts ours.
_METRICS: dict[str, tuple[str, str, float]] = {
    "cpu_seconds": ("cpu", "cpu-seconds", 1),
    "memory_mb_seconds": ("memory", "mb-seconds", 1),
    "wall_seconds": ("duration", "seconds", 1),
    "transfer_mb": ("network", "kb", 1024),
    "storage_mb": ("storage", "mb", 1),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenEOError:
    """An error of the standard's list."""

    code: str
    status: int
    message: str


PAYMENT_REQUIRED = OpenEOError(
    code="PaymentRequired",
    status=402,
    message="The budget required to fulfil the request is insufficient.",
)
BUDGET_INVALID = OpenEOError(code="BudgetInvalid", status=400, message="The specified budget is too low.")
PLAN_INVALID = OpenEOError(
    code="BillingPlanInvalid", status=400, message="The specified billing plan is not on the list of available plans."
)
PLAN_MISSING = OpenEOError(
    code="BillingPlanMissing", status=400, message="The billing plan to use for the request is not specified."
)
STORAGE_EXCEEDED = OpenEOError(
    code="StorageQuotaExceeded", status=400, message="The storage quota has been exceeded by the user."
)
#: What our refusals' codes are called there.
ERRORS: Mapping[str, OpenEOError] = {
    "credits-exhausted": PAYMENT_REQUIRED,
    "member-ceiling": PAYMENT_REQUIRED,
    "budget-too-small": BUDGET_INVALID,
    "no-such-tier": PLAN_INVALID,
    "storage-exceeded": STORAGE_EXCEEDED,
}


def billing(tiers: Tiers) -> dict[str, Any]:
    """The member ``billing`` of ``GET /``: the tiers are the plans; none is paid for with money."""
    return {
        "currency": CURRENCY,
        "default_plan": tiers.default,
        "plans": [
            {"name": tier.name, "description": f"{tier.title}: {tier.description}", "paid": False}
            for tier in tiers.tiers
            if not tier.wallets
        ],
    }


def me(
    *,
    user_id: str,
    available: int,
    tier: str,
    storage_free_bytes: int | None = None,
    storage_quota_bytes: int | None = None,
) -> dict[str, Any]:
    """What ``GET /me`` says of money and room.

    Parameters
    ----------
    available
        Millicredits that may be spent.
    storage_free_bytes, storage_quota_bytes
        Room of the user's own; without a quota nothing is said of it.
    """
    told: dict[str, Any] = {"user_id": user_id, "budget": credits_number(available), "default_plan": tier}
    if storage_quota_bytes is not None:
        told["storage"] = {"free": max(0, storage_free_bytes or 0), "quota": storage_quota_bytes}
    return told


def checked_plan(plan: str | None, tiers: Tiers, *, own: str, needed: bool = False) -> OpenEOError | None:
    """What is wrong with the plan that a request names; ``None`` when nothing is.

    A user's plan is her tier, so no other one can be had by naming it.
    """
    if plan is None:
        return PLAN_MISSING if needed else None
    known = plan.lower() in {tier.name.lower() for tier in tiers.tiers if not tier.wallets}
    return None if known and plan.lower() == own.lower() else PLAN_INVALID


def checked_budget(budget: object, *, needed: int) -> OpenEOError | None:
    """What is wrong with the budget of a request that costs at most `needed` millicredits; ``None``: nothing."""
    if budget is None:
        return None
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not budget * 1000 >= needed:
        return BUDGET_INVALID
    return None


def usage(used: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """The member ``usage`` of a job: what was metered, each with its unit; what has no name there is left out."""
    return {
        metric: {"value": used[name] * factor, "unit": unit}
        for name, (metric, unit, factor) in _METRICS.items()
        if name in used
    }


def job_costs(*, charged: int, refunded: int = 0, used: Mapping[str, float]) -> dict[str, Any]:
    """The members ``costs`` and ``usage`` of a job that ended."""
    return {"costs": credits_number(charged - refunded), "usage": usage(used)}


def estimate(
    *,
    most: int,
    duration_seconds: float | None = None,
    size_bytes: int | None = None,
    expires_at: datetime | None = None,
) -> dict[str, Any]:
    """The answer of ``GET /jobs/{id}/estimate``.

    Parameters
    ----------
    most
        Upper bound of the price in millicredits: the standard says that an estimate should be one.
    """
    told: dict[str, Any] = {"costs": credits_number(most)}
    if duration_seconds is not None:
        told["duration"] = iso_duration(duration_seconds)
    if size_bytes is not None:
        told["size"] = size_bytes
    if expires_at is not None:
        told["expires"] = expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return told


def costs_header(charged: int) -> dict[str, str]:
    """The header of a synchronous result."""
    return {COSTS_HEADER: f"{credits_number(charged):.3f}".rstrip("0").rstrip(".")}


def credits_number(millicredits: int) -> float:
    """Credits as a JSON number; what is spent beyond nothing is nothing."""
    return max(0, millicredits) / 1000


def iso_duration(seconds: float) -> str:
    """A duration as ISO 8601 has it, in whole seconds rounded up: ``P1DT2H3M4S``."""
    rest = max(0, -int(-seconds // 1))
    days, rest = divmod(rest, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    time = "".join(f"{value}{unit}" for value, unit in ((hours, "H"), (minutes, "M"), (rest, "S")) if value)
    day = f"{days}D" if days else ""
    return f"P{day}T{time}" if time else f"P{day or 'T0S'}"
