"""What Lab servers, Dask clusters and runs used, as their sources report it, and what that costs.

A source (the hub, the gateway, the marketplace) reports *cumulative* values under a number that grows at the source.
The state of a meter is the component-wise maximum of what was reported, so events that are lost, late, doubled or out
of order change nothing as long as the last one arrives; and nothing is computed from a clock, so steps of clocks
change nothing either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.prices import Prices, price_quantities, price_run

CPU_SECONDS = "cpu_seconds"
MEMORY_MB_SECONDS = "memory_mb_seconds"
WALL_SECONDS = "wall_seconds"
#: What is told first where there is no room for everything.
LEADING = (CPU_SECONDS, MEMORY_MB_SECONDS, WALL_SECONDS, "worker_seconds", "storage_mb", "transfer_mb")
#: Largest value that an event may report: 30 years of 1,000 machines with 1 TB each.
MAX_QUANTITY = 1e18
#: Most members of what one event reports.
MAX_QUANTITIES = 16
#: Above every number that a source may use: the event that a settlement appends.
FINAL_SEQUENCE = 2**62
#: Marks what a hold captured that was less than what was used cost.
CAPPED = "capped"


class Fault(StrEnum):
    """Who is to blame for how something ended."""

    NONE = "none"
    """Nobody: it ended well."""
    USER = "user"
    """The one who pays, or their code: what was used is paid."""
    PLATFORM = "platform"
    """Swath: nothing is paid."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageEvent:
    """What one meter showed, as told by its source. Appended once, never changed."""

    id: str
    """Made and persisted by the source before it reports."""
    meter: str
    """What is measured: ``lab-…``, ``dask-…``, ``run-…``. One hold has one meter."""
    hold_id: str
    """The hold that pays."""
    account: str
    """Name of the user who spends."""
    kind: PurposeKind
    sequence: int
    """Number of the event within its meter, growing at the source, from 1; gaps are allowed."""
    usage: Mapping[str, float]
    """Cumulative since the meter began: ``cpu_seconds``, ``memory_mb_seconds``, ``wall_seconds``, …"""
    final: bool = False
    """Whether nothing will follow: what is measured has ended."""
    fault: Fault = Fault.NONE
    """Whose fault the end was; of final events alone."""
    at: datetime
    """The source's clock. Told to people, never computed with and not compared."""

    def same_as(self, other: UsageEvent) -> bool:
        """Whether both report the same, whatever the clocks said."""
        return replace(self, usage=dict(self.usage), at=other.at) == replace(other, usage=dict(other.usage))


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterState:
    """Where a meter stands: the fold of its events."""

    usage: Mapping[str, float] = field(default_factory=dict)
    """The largest value of each component that was ever reported."""
    final: bool = False
    fault: Fault = Fault.NONE
    """The gravest of those that final events told."""
    sequence: int = 0
    """The highest number seen."""

    @property
    def has_usage(self) -> bool:
        """Whether anything was used."""
        return any(value > 0 for value in self.usage.values())


_GRAVITY = (Fault.NONE, Fault.USER, Fault.PLATFORM)


def take(state: MeterState, event: UsageEvent) -> MeterState:
    """`state` after one more event; associative, commutative and idempotent, so `fold` needs no order."""
    names = state.usage.keys() | event.usage.keys()
    fault = event.fault if event.final else Fault.NONE
    return MeterState(
        usage={name: max(state.usage.get(name, 0.0), event.usage.get(name, 0.0)) for name in sorted(names)},
        final=state.final or event.final,
        fault=max(state.fault, fault, key=_GRAVITY.index),
        sequence=max(state.sequence, event.sequence),
    )


def fold(events: Iterable[UsageEvent]) -> MeterState:
    """Where the meter of `events` stands, whatever their order and however often each is among them."""
    state = MeterState()
    for event in events:
        state = take(state, event)
    return state


def is_decreasing(state: MeterState, event: UsageEvent) -> bool:
    """Whether `event` reports less than what an event before it did: kept as evidence, and changing nothing.

    `state` is the fold of the events with lower numbers.
    """
    return event.sequence > state.sequence and any(
        value < state.usage.get(name, 0.0) for name, value in event.usage.items()
    )


def price_usage(prices: Prices, usage: Mapping[str, float], kind: PurposeKind) -> int:
    """What `usage` costs by a price list, in millicredits, rounded half up.

    CPU time used, memory reserved, what was kept and moved, and for a run the fee of a batch run, once. The same
    formula as a quote's (`price_run`), so a quote over upper limits is an upper limit of this.
    """
    return price_quantities(prices, usage, batch=kind is PurposeKind.RUN)


def rate_per_hour(prices: Prices, older: Mapping[str, float], newer: Mapping[str, float]) -> int | None:
    """What is spent in an hour at the rate between two events of a meter, in millicredits.

    Measured over the *source's* own ``wall_seconds``, which no clock's step moves. ``None`` where no time passed
    between the two.
    """
    wall = newer.get(WALL_SECONDS, 0.0) - older.get(WALL_SECONDS, 0.0)
    if wall <= 0:
        return None
    cpu, memory = (
        max(0.0, newer.get(name, 0.0) - older.get(name, 0.0)) * 3600 / wall for name in (CPU_SECONDS, MEMORY_MB_SECONDS)
    )
    return price_run(prices, cpu_seconds=cpu, memory_mb_seconds=memory, batch=False)


def seconds_left(*, left: int, rate: int | None) -> int | None:
    """How long `left` millicredits last at `rate` millicredits an hour; ``None``: not known, or without end."""
    return None if not rate else max(0, left) * 3600 // rate


def settled_usage(usage: Mapping[str, float], *, price: int, held: int, most: int) -> dict[str, float]:
    """What a capture tells it was for: at most `most` members, and whether the hold was less than the price."""
    marked = {CAPPED: 1.0} if price > held else {}
    names = [*(name for name in LEADING if name in usage), *sorted(usage.keys() - set(LEADING) - {CAPPED})]
    return {name: usage[name] for name in names[: most - len(marked)]} | marked
