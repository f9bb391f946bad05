"""What a run costs with its author's added value, by the quota service's own formulas."""

from __future__ import annotations

from swath_quota.client import AddedValueRequest, Prices, price_added, price_run
from swath_quota.client import Per as QuotaPer

from swath_marketplace.domain.added_value import AddedValue
from swath_marketplace.domain.budgets import Price


def price_with(prices: Prices, added: AddedValue | None) -> Price:
    """What CPU-seconds and MB-seconds cost a run that finishes, the fee and the added value included."""

    def price(cpu_seconds: float, memory_mb_seconds: float) -> int:
        resources = price_run(prices, cpu_seconds=cpu_seconds, memory_mb_seconds=memory_mb_seconds, batch=True)
        return resources + added_at(added, cpu_seconds=cpu_seconds)

    return price


def asked_of(terms: AddedValue | None) -> AddedValueRequest | None:
    """The same for the quota service."""
    if terms is None:
        return None
    per = QuotaPer(terms.per.value)
    return AddedValueRequest(author=terms.author, per=per, millicredits=terms.millicredits, maturity=terms.maturity)


def delivered(terms: AddedValue | None) -> dict[str, float]:
    """What is reported, beside the resources, of a run that was delivered."""
    if terms is None:
        return {}
    return {"runs": 1.0} | ({} if terms.area_km2 is None else {"area_km2": terms.area_km2})


def added_at(terms: AddedValue | None, *, cpu_seconds: float, finished: bool = True) -> int:
    """The added value, before any discount, of a run that used `cpu_seconds`, in millicredits."""
    if terms is None:
        return 0
    usage = {"cpu_seconds": cpu_seconds} | (delivered(terms) if finished else {})
    return price_added(QuotaPer(terms.per.value), terms.millicredits, usage)
