"""Meters, and what a store of them promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from swath_quota.domain.holds import HoldStatus, PurposeKind
from swath_quota.domain.usage import MeterState, UsageEvent

T = TypeVar("T")


class MeterStatus(StrEnum):
    """Where a meter stands. It never goes back."""

    OPEN = "open"
    """Events count."""
    CLOSED = "closed"
    """What is due is decided: events are still kept and count no more. Its hold may yet have to be settled."""
    SETTLED = "settled"
    """Its hold is known to be settled, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Meter:
    """What one hold pays for, as far as it was reported."""

    id: str
    hold_id: str
    account: str
    """Name of the user who spends."""
    kind: PurposeKind
    reference: str
    """The holder's own id of what is measured: of the run, the server, the cluster."""
    state: MeterState
    status: MeterStatus = MeterStatus.OPEN
    first_seen_at: datetime
    """When the service first heard of it, by its own clock."""
    last_seen_at: datetime
    """When the service last heard something new of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEvent:
    """An event as it was received."""

    event: UsageEvent
    late: bool
    """Received when the hold was settled or the meter closed: evidence that counts no more."""
    received_at: datetime


class Outcome(StrEnum):
    """What became of an event that was reported."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, kw_only=True, slots=True)
class EventResult:
    """What became of one event."""

    id: str
    outcome: Outcome
    decreasing: bool = False
    """It reported less than an event before it; the largest value stands."""
    late: bool = False
    """Its hold was settled before it came; it is kept and changes nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageAnswer:
    """What became of a report, event by event, in its order."""

    results: tuple[EventResult, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What a hold pays for, so far."""

    hold_id: str
    meter: str | None
    """``None`` while nothing was reported."""
    account: str
    kind: PurposeKind
    reference: str
    status: HoldStatus
    usage: Mapping[str, float]
    final: bool
    amount: int
    """Millicredits set aside."""
    cost: int
    """Millicredits that the usage costs, at most `amount`; once captured, what was captured."""
    share: float
    """Part of the hold that is used, 0 to 1; 1 of a hold of nothing."""
    rate_per_hour: int | None
    """Millicredits an hour between the last two reports; ``None`` where it is not known yet."""
    seconds_left: int | None
    """How long the hold lasts at that rate; ``None`` where that is not known, or nothing is spent."""
    price_version: str
    """Which price list it is priced by."""
    first_seen_at: datetime | None
    last_seen_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UsagePage:
    """A page of what an account used, newest meters first."""

    account: str
    meters: tuple[Progress, ...]
    next_before: str | None
    """What to ask for as ``before`` to get the next page; ``None`` on the last."""


class MeterReader(Protocol):
    """One consistent view of meters and events."""

    def by_holds(self, hold_ids: Iterable[str]) -> dict[str, Meter]:
        """The meters of holds, by hold."""
        ...

    def last_events(self, meter: str, *, limit: int) -> tuple[StoredEvent, ...]:
        """The events of a meter with the highest numbers that are not late, highest first."""
        ...

    def of_account(self, account: str, *, limit: int, before: tuple[datetime, str] | None = None) -> tuple[Meter, ...]:
        """Meters of a user, newest first: at most `limit`, first seen (then named) before `before`."""
        ...

    def unsettled(self, *, limit: int) -> tuple[Meter, ...]:
        """Meters that are final or closed and not settled, the longest unheard of first."""
        ...

    def all_meters(self) -> Iterator[Meter]: ...

    def all_events(self) -> Iterator[StoredEvent]:
        """Every event, by hold."""
        ...


class MeterUnit(MeterReader, Protocol):
    """One piece of work on meters: all of it is stored, or none."""

    def lock(self, *, hold_ids: Iterable[str], meters: Iterable[str]) -> tuple[Meter, ...]:
        """The meters of these names or holds, locked in the order of their names until the work ends."""
        ...

    def events(self, ids: Iterable[str]) -> dict[str, StoredEvent]:
        """The events of these ids."""
        ...

    def numbered(self, pairs: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """The ids of events by meter and number, of those that are there."""
        ...

    def add_events(self, events: Sequence[StoredEvent]) -> None: ...

    def save_meter(self, meter: Meter) -> None:
        """Store a meter, new or changed."""
        ...


class MeterStore(Protocol):
    """A store of usage; safe to use from many threads and processes at once, and whole after a crash.

    Its transactions are its own: no piece of work spans it and the books.
    """

    def run(self, work: Callable[[MeterUnit], T]) -> T:
        """Do `work` atomically. It may be called several times, when others were in the way, and must not mind."""
        ...

    def read(self, work: Callable[[MeterReader], T]) -> T:
        """Do `work`, which only reads, on one consistent view."""
        ...
