"""What is true of usage at every instant: what was captured is the price of what was reported."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from swath_quota.domain.added_value import Splits
from swath_quota.domain.earning import due_of, shares_of
from swath_quota.domain.holds import Hold, HoldStatus
from swath_quota.domain.meters import Meter, StoredEvent
from swath_quota.domain.prices import Prices
from swath_quota.domain.usage import Fault, MeterState, price_usage, take


class UsageInvariant(StrEnum):
    """One thing that must be true; the value is its code in a report."""

    FOLD = "meter-is-fold"
    """A meter is the fold of its events that were not late."""
    PRICED = "captured-is-priced-usage"
    """A metered hold captured the price of its usage by the price list frozen in it, and the added value less its
    discount, at most what was held."""
    DIVIDED = "added-value-by-split"
    """Author, fees and research budget got of it what the split frozen in the hold says."""
    FAULTLESS = "platform-fault-is-free"
    """Nothing is captured for what ended by the platform's fault."""
    COUNTED = "event-has-meter"
    """Each event that counts belongs to the meter of its hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageBreach:
    """An invariant that does not hold, and where."""

    invariant: UsageInvariant
    subject: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageTotals:
    """What was counted on the way."""

    meters: int = 0
    events: int = 0
    late_events: int = 0
    usage: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By kind: the sums of what its meters show."""


def examine_usage(
    *,
    meters: Iterable[Meter],
    events: Iterable[StoredEvent],
    holds: Mapping[str, Hold],
    prices: Callable[[Hold], Prices],
    splits: Splits,
) -> tuple[tuple[UsageBreach, ...], UsageTotals]:
    """Every breach of every invariant, and the totals.

    Parameters
    ----------
    holds
        By id, read *before* `meters` and `events`: a meter closes before its hold is captured, so what is read of the
        meter of a captured hold stands still.
    prices
        The price list frozen in a hold.
    splits
        Those that holds with an added value have one of frozen in them.
    """
    breaches: list[UsageBreach] = []
    folds: defaultdict[str, MeterState] = defaultdict(MeterState)
    stray: defaultdict[str, set[str]] = defaultdict(set)
    count = late = 0
    for stored in events:
        count += 1
        late += stored.late
        if not stored.late:
            folds[stored.event.hold_id] = take(folds[stored.event.hold_id], stored.event)
            stray[stored.event.hold_id].add(stored.event.meter)
    sums: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    meter_count = 0
    for meter in meters:
        meter_count += 1
        for name, value in meter.state.usage.items():
            sums[str(meter.kind)][name] += value
        hold = holds.get(meter.hold_id)
        breaches += _of_meter(meter, folds[meter.hold_id], hold=hold, prices=prices, splits=splits)
        stray[meter.hold_id].discard(meter.id)
    breaches += [
        UsageBreach(
            invariant=UsageInvariant.COUNTED,
            subject=hold_id,
            message=f"events of {', '.join(sorted(names))} count for a hold that has no such meter",
        )
        for hold_id, names in stray.items()
        if names
    ]
    usage = {kind: dict(sorted(total.items())) for kind, total in sorted(sums.items())}
    return tuple(breaches), UsageTotals(meters=meter_count, events=count, late_events=late, usage=usage)


def _of_meter(
    meter: Meter, folded: MeterState, *, hold: Hold | None, prices: Callable[[Hold], Prices], splits: Splits
) -> list[UsageBreach]:
    breaches = []
    if meter.state != folded:
        message = f"shows {dict(meter.state.usage)}, its events {dict(folded.usage)}"
        breaches.append(UsageBreach(invariant=UsageInvariant.FOLD, subject=meter.id, message=message))
    # A hold placed after the books were read is judged by the next audit.
    if hold is None or hold.status is not HoldStatus.CAPTURED:
        return breaches
    if folded.fault is Fault.PLATFORM:
        if hold.captured:
            message = f"{hold.captured} captured for what ended by the platform's fault"
            breaches.append(UsageBreach(invariant=UsageInvariant.FAULTLESS, subject=hold.id, message=message))
        return breaches
    price = price_usage(prices(hold), folded.usage, hold.purpose.kind)
    due = due_of(hold, resources=price, usage=folded.usage)
    if hold.captured != min(due, hold.amount):
        message = f"{hold.captured} captured of {hold.amount}; what was reported costs {due}"
        breaches.append(UsageBreach(invariant=UsageInvariant.PRICED, subject=hold.id, message=message))
    shares = shares_of(splits, hold, resources=price, usage=folded.usage)
    if hold.shares != shares:
        message = f"divided as {hold.shares}; by its split and usage it is {shares}"
        breaches.append(UsageBreach(invariant=UsageInvariant.DIVIDED, subject=hold.id, message=message))
    return breaches
