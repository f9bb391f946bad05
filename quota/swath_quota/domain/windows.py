"""The arithmetic of windows: what counts now, whether an amount fits, and the first instant at which it does.

Everything is counted in integers and in UTC, so there is no rounding to argue about and no summer time. A counter's
clock never goes back: where the machine's does, the counter keeps the latest time that it saw, so a step backwards
gives nobody a second month, an emptier bucket or a quicker rate.

Rates are GCRA in its dual form, the continuous-state leaky bucket (ITU-T I.371, annex A): a level that drains evenly,
in millionths of a unit. In any stretch of t seconds at most ``burst + t * hard / seconds`` passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from swath_quota.domain.limits import Limit, Window
from swath_quota.domain.periods import month_of, next_month

HOUR = timedelta(hours=1)
#: Parts of a unit that a rate's level is counted in.
SCALE = 10**6
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counter:
    """What is stored for one account and limit, beside its buckets and leases."""

    account: str
    limit: str
    seen_at: datetime
    """The latest time that it was used at."""
    period: str = ""
    """Calendar month that `used` counts in."""
    used: int = 0
    """Of a calendar month: units. Of a rate: the level at `seen_at`, in millionths of a unit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """What was taken within one hour."""

    hour: datetime
    amount: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What counts against one limit at one instant."""

    now: datetime
    """Never before what the counter has seen."""
    used: int = 0
    """Units, rounded up."""
    buckets: tuple[Bucket, ...] = ()
    """Those of a rolling window that count, oldest first."""
    next_end: datetime | None = None
    """When the first lease ends by itself."""
    level: int = 0
    """A rate's level as stored, in millionths."""
    level_at: datetime | None = None


def clock_of(counter: Counter, now: datetime) -> datetime:
    """The counter's time: it does not go back."""
    return max(counter.seen_at, now.astimezone(UTC))


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour, UTC."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def falls_out_at(limit: Limit, bucket: Bucket) -> datetime:
    """When a bucket no longer counts: when the last instant of its hour is a whole window old."""
    assert limit.seconds is not None
    return bucket.hour + HOUR + timedelta(seconds=limit.seconds)


def oldest_hour(limit: Limit, now: datetime) -> datetime:
    """The hour before which no bucket counts at `now`."""
    assert limit.seconds is not None
    return hour_of(now) - timedelta(seconds=limit.seconds)


def usage_of(
    limit: Limit,
    counter: Counter,
    *,
    now: datetime,
    buckets: Sequence[Bucket] = (),
    leases: Sequence[tuple[int, datetime | None]] = (),
) -> Usage:
    """What counts at `now`.

    Parameters
    ----------
    buckets
        Of a rolling window; those that are over are passed over.
    leases
        Of a continuous limit: amount and end of each take that stands; those that are over are passed over.
    """
    now = clock_of(counter, now)
    if limit.window is Window.CALENDAR_MONTH:
        return Usage(now=now, used=counter.used if counter.period == month_of(now) else 0)
    if limit.window is Window.ROLLING:
        live = sorted((b for b in buckets if b.amount and falls_out_at(limit, b) > now), key=lambda b: b.hour)
        return Usage(now=now, used=sum(bucket.amount for bucket in live), buckets=tuple(live))
    if limit.window is Window.CONTINUOUS:
        standing = [(amount, end) for amount, end in leases if end is None or end > now]
        ends = [end for _, end in standing if end is not None]
        return Usage(now=now, used=sum(amount for amount, _ in standing), next_end=min(ends, default=None))
    level = level_at(limit, level=counter.used, since=counter.seen_at, now=now)
    return Usage(now=now, used=-(-level // SCALE), level=counter.used, level_at=counter.seen_at)


def level_at(limit: Limit, *, level: int, since: datetime, now: datetime) -> int:
    """What a rate's level of `since` has drained to, rounded up so that no rounding ever gives more."""
    assert limit.seconds is not None
    if limit.hard is None:
        return 0
    elapsed = max(0, (now - since) // _MICROSECOND)
    return max(0, level - elapsed * limit.hard // limit.seconds)


def left(limit: Limit, usage: Usage) -> int | None:
    """How much would be allowed now; ``None``: anything."""
    capacity = limit.capacity
    return None if capacity is None else max(0, capacity - usage.used)


def fits(limit: Limit, usage: Usage, *, amount: int) -> bool:
    """Whether `amount` more stays within the hard limit now."""
    room = left(limit, usage)
    return room is None or amount <= room


def next_fit(limit: Limit, usage: Usage, *, amount: int) -> datetime | None:
    """The first instant at which `amount` fits if nothing else is taken; ``None`` when waiting does not help.

    Exact: a microsecond before it is refused, at it it is allowed. A continuous limit has none: what was taken is
    given back when its holder is done.
    """
    capacity = limit.capacity
    if fits(limit, usage, amount=amount):
        return usage.now
    assert capacity is not None
    if amount > capacity or limit.window is Window.CONTINUOUS:
        return None
    if limit.window is Window.CALENDAR_MONTH:
        return next_month(usage.now)
    if limit.window is Window.ROLLING:
        too_much = usage.used + amount - capacity
        for bucket in usage.buckets:
            too_much -= bucket.amount
            if too_much <= 0:
                return falls_out_at(limit, bucket)
    return _drained_at(limit, usage, to=(capacity - amount) * SCALE)


def _drained_at(limit: Limit, usage: Usage, *, to: int) -> datetime:
    """When a rate's level is down to `to`: counted from what is stored, so that it is exact."""
    assert limit.hard is not None
    assert limit.seconds is not None
    assert usage.level_at is not None
    drain = max(0, usage.level - to)
    return usage.level_at + timedelta(microseconds=-(-drain * limit.seconds // limit.hard))


def resets_at(limit: Limit, usage: Usage) -> datetime | None:
    """When time alone makes less of what is used; ``None`` when it does not."""
    if not usage.used:
        return next_month(usage.now) if limit.window is Window.CALENDAR_MONTH else None
    if limit.window is Window.CALENDAR_MONTH:
        return next_month(usage.now)
    if limit.window is Window.ROLLING:
        return falls_out_at(limit, usage.buckets[0])
    if limit.window is Window.CONTINUOUS:
        return usage.next_end
    return _drained_at(limit, usage, to=0) if limit.hard else None


def counted(limit: Limit, counter: Counter, *, usage: Usage, amount: int) -> Counter:
    """The counter after `amount` more; buckets and leases are stored beside it."""
    seen = replace(counter, seen_at=usage.now)
    if limit.window is Window.CALENDAR_MONTH:
        return replace(seen, period=month_of(usage.now), used=usage.used + amount)
    if limit.window is Window.RATE:
        level = level_at(limit, level=counter.used, since=counter.seen_at, now=usage.now)
        # Where nothing is refused nothing is counted: a level that never drains would be held against a later limit.
        return replace(seen, used=0 if limit.hard is None else level + amount * SCALE)
    return seen
