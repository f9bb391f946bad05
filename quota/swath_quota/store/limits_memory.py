"""Limits in memory: the same promises as the SQL store but for surviving the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from swath_quota.domain.limit_ports import LimitReader, LimitUnit
from swath_quota.domain.overrides import Override, Revocation
from swath_quota.domain.takes import Take, TakeStatus
from swath_quota.domain.windows import Bucket, Counter

T = TypeVar("T")
_Key = tuple[str, str]


@dataclass
class _Contents:
    counters: dict[_Key, Counter] = field(default_factory=dict)
    buckets: dict[_Key, dict[datetime, int]] = field(default_factory=dict)
    takes: dict[str, Take] = field(default_factory=dict)
    overrides: dict[str, Override] = field(default_factory=dict)

    def copy(self) -> _Contents:
        return _Contents(
            counters=dict(self.counters),
            buckets={key: dict(hours) for key, hours in self.buckets.items()},
            takes=dict(self.takes),
            overrides=dict(self.overrides),
        )


class MemoryLimits:
    """`swath_quota.domain.limit_ports.LimitStore` under one lock; each piece of work is done on a copy."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._contents = _Contents()

    def run(self, work: Callable[[LimitUnit], T]) -> T:
        with self._lock:
            contents = self._contents.copy()
            result = work(_MemoryUnit(contents))
            self._contents = contents
            return result

    def read(self, work: Callable[[LimitReader], T]) -> T:
        with self._lock:
            contents = self._contents
        return work(_MemoryUnit(contents))


class _MemoryUnit:
    def __init__(self, contents: _Contents) -> None:
        self._all = contents

    def counters(self, account: str) -> Mapping[str, Counter]:
        return {limit: counter for (name, limit), counter in self._all.counters.items() if name == account}

    def buckets(self, account: str, limit: str, *, since: datetime) -> tuple[Bucket, ...]:
        hours = self._all.buckets.get((account, limit), {})
        return tuple(Bucket(hour=hour, amount=amount) for hour, amount in sorted(hours.items()) if hour >= since)

    def standing_takes(self, account: str, limit: str) -> tuple[Take, ...]:
        return tuple(
            take
            for take in self._all.takes.values()
            if (take.account, take.limit, take.status) == (account, limit, TakeStatus.STANDING)
        )

    def find_take(self, take_id: str) -> Take | None:
        return self._all.takes.get(take_id)

    def overrides(self, subject: str | None = None) -> tuple[Override, ...]:
        found = [override for override in self._all.overrides.values() if subject in (None, override.subject)]
        return tuple(sorted(found, key=lambda override: (override.created_at, override.id)))

    def find_override(self, override_id: str) -> Override | None:
        return self._all.overrides.get(override_id)

    def lock(self, account: str, limit: str, *, at: datetime) -> Counter:
        return self._all.counters.setdefault((account, limit), Counter(account=account, limit=limit, seen_at=at))

    def save_counter(self, counter: Counter) -> None:
        self._all.counters[(counter.account, counter.limit)] = counter

    def add_to_bucket(self, account: str, limit: str, *, hour: datetime, amount: int) -> None:
        hours = self._all.buckets.setdefault((account, limit), {})
        if amount > 0 or hour in hours:
            hours[hour] = hours.get(hour, 0) + amount

    def forget(self, account: str, limit: str, *, buckets: datetime | None, takes: datetime) -> None:
        key = (account, limit)
        if buckets is not None and key in self._all.buckets:
            self._all.buckets[key] = {hour: n for hour, n in self._all.buckets[key].items() if hour >= buckets}
        for take in list(self._all.takes.values()):
            old = take.created_at < takes and take.status is not TakeStatus.STANDING
            if old and (take.account, take.limit) == key:
                del self._all.takes[take.id]

    def add_take(self, take: Take) -> None:
        if take.id in self._all.takes:
            raise ValueError(f"{take.id} is stored already")
        self._all.takes[take.id] = take

    def save_take(self, take: Take) -> None:
        self._all.takes[take.id] = take

    def add_override(self, override: Override) -> None:
        if override.id in self._all.overrides:
            raise ValueError(f"{override.id} is stored already")
        self._all.overrides[override.id] = override

    def add_revocation(self, revocation: Revocation) -> None:
        found = self._all.overrides[revocation.override_id]
        if found.revoked:
            raise ValueError(f"{found.id} is revoked already")
        self._all.overrides[found.id] = replace(found, revoked=revocation)
