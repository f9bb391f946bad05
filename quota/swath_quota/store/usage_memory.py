"""Usage in memory: the same promises as the SQL store but for surviving the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from swath_quota.domain.meters import Meter, MeterReader, MeterStatus, MeterUnit, StoredEvent

T = TypeVar("T")


@dataclass
class _Contents:
    meters: dict[str, Meter] = field(default_factory=dict)
    events: dict[str, StoredEvent] = field(default_factory=dict)

    def copy(self) -> _Contents:
        return _Contents(meters=dict(self.meters), events=dict(self.events))


class MemoryMeters:
    """`swath_quota.domain.meters.MeterStore` under one lock; each piece of work is done on a copy."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._contents = _Contents()

    def run(self, work: Callable[[MeterUnit], T]) -> T:
        with self._lock:
            contents = self._contents.copy()
            result = work(_MemoryUnit(contents))
            self._contents = contents
            return result

    def read(self, work: Callable[[MeterReader], T]) -> T:
        with self._lock:
            contents = self._contents
        return work(_MemoryUnit(contents))


class _MemoryUnit:
    def __init__(self, contents: _Contents) -> None:
        self._all = contents

    def by_holds(self, hold_ids: Iterable[str]) -> dict[str, Meter]:
        wanted = set(hold_ids)
        return {meter.hold_id: meter for meter in self._all.meters.values() if meter.hold_id in wanted}

    def last_events(self, meter: str, *, limit: int) -> tuple[StoredEvent, ...]:
        of_meter = [stored for stored in self._all.events.values() if stored.event.meter == meter and not stored.late]
        return tuple(sorted(of_meter, key=lambda stored: -stored.event.sequence)[:limit])

    def of_account(self, account: str, *, limit: int, before: tuple[datetime, str] | None = None) -> tuple[Meter, ...]:
        found = [
            meter
            for meter in self._all.meters.values()
            if meter.account == account and (before is None or (meter.first_seen_at, meter.id) < before)
        ]
        return tuple(sorted(found, key=lambda meter: (meter.first_seen_at, meter.id), reverse=True)[:limit])

    def unsettled(self, *, limit: int) -> tuple[Meter, ...]:
        found = [
            meter
            for meter in self._all.meters.values()
            if meter.status is not MeterStatus.SETTLED and (meter.state.final or meter.status is MeterStatus.CLOSED)
        ]
        return tuple(sorted(found, key=lambda meter: (meter.last_seen_at, meter.id))[:limit])

    def all_meters(self) -> Iterator[Meter]:
        return iter(sorted(self._all.meters.values(), key=lambda meter: meter.id))

    def all_events(self) -> Iterator[StoredEvent]:
        return iter(sorted(self._all.events.values(), key=lambda stored: stored.event.hold_id))

    def lock(self, *, hold_ids: Iterable[str], meters: Iterable[str]) -> tuple[Meter, ...]:
        holds, names = set(hold_ids), set(meters)
        found = [meter for meter in self._all.meters.values() if meter.hold_id in holds or meter.id in names]
        return tuple(sorted(found, key=lambda meter: meter.id))

    def events(self, ids: Iterable[str]) -> dict[str, StoredEvent]:
        return {name: self._all.events[name] for name in ids if name in self._all.events}

    def numbered(self, pairs: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        wanted = set(pairs)
        return {
            key: stored.event.id
            for stored in self._all.events.values()
            if (key := (stored.event.meter, stored.event.sequence)) in wanted
        }

    def add_events(self, events: Sequence[StoredEvent]) -> None:
        for stored in events:
            if stored.event.id in self._all.events:
                raise ValueError(f"{stored.event.id} is stored already")
            self._all.events[stored.event.id] = stored

    def save_meter(self, meter: Meter) -> None:
        self._all.meters[meter.id] = meter
