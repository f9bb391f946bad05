"""The arithmetic of windows, by properties: nothing is ever beyond a hard limit, and `next_fit` is exact."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath_quota.domain.limits import Degrade, Limit, Window, quantity
from swath_quota.domain.overrides import degraded
from swath_quota.domain.verdicts import Outcome, judge, state_of
from swath_quota.domain.windows import (
    HOUR,
    Bucket,
    Counter,
    Usage,
    counted,
    fits,
    hour_of,
    next_fit,
    usage_of,
)

AT = datetime(2026, 5, 20, 12, 30, 15, 123456, tzinfo=UTC)
TICK = timedelta(microseconds=1)
MONTH = Limit(name="products.month", window=Window.CALENDAR_MONTH, unit="product", hard=25)
DEGRADE = Degrade(text="slower", weight=0.5, cores=0.25, rate=0.1)


class Book:
    """One account and limit: what a store does, in a list."""

    def __init__(self, limit: Limit, at: datetime) -> None:
        self.limit = limit
        self.counter = Counter(account="ada", limit=limit.name, seen_at=at)
        self.hours: dict[datetime, int] = {}
        self.passed: list[tuple[datetime, int]] = []

    def usage(self, now: datetime) -> Usage:
        buckets = [Bucket(hour=hour, amount=amount) for hour, amount in self.hours.items()]
        return usage_of(self.limit, self.counter, now=now, buckets=buckets)

    def take(self, now: datetime, amount: int) -> bool:
        usage = self.usage(now)
        if judge(self.limit, usage, requested=amount).outcome is Outcome.REFUSED:
            return False
        self.counter = counted(self.limit, self.counter, usage=usage, amount=amount)
        hour = hour_of(usage.now)
        self.hours[hour] = self.hours.get(hour, 0) + amount
        self.passed.append((usage.now, amount))
        return True


STEPS = st.lists(
    st.tuples(
        # Backwards too: a clock that is set does that.
        st.timedeltas(min_value=timedelta(hours=-30), max_value=timedelta(hours=40)),
        st.integers(1, 12),
    ),
    max_size=60,
)
ROLLING = st.builds(
    lambda hard, hours: Limit(name="t.b", window=Window.ROLLING, unit="byte", hard=hard, seconds=hours * 3600),
    st.integers(0, 30),
    st.integers(1, 72),
)
RATES = st.builds(
    lambda hard, seconds, burst: Limit(
        name="a.r", window=Window.RATE, unit="request", hard=hard, seconds=seconds, burst=burst
    ),
    st.integers(1, 50),
    st.integers(1, 3600),
    st.one_of(st.none(), st.integers(1, 60)),
)


def walk(limit: Limit, steps: list[tuple[timedelta, int]], *, scale: float = 1.0) -> Book:
    book, now = Book(limit, AT), AT
    for step, amount in steps:
        now += step * scale
        book.take(now, amount)
    return book


@given(limit=ROLLING, steps=STEPS)
def test_no_stretch_of_a_rolling_window_holds_more_than_its_hard_limit(
    limit: Limit, steps: list[tuple[timedelta, int]]
) -> None:
    passed = walk(limit, steps).passed
    assert limit.seconds is not None
    for end, _ in passed:
        within = [n for at, n in passed if end - timedelta(seconds=limit.seconds) < at <= end]
        assert sum(within) <= (limit.hard or 0)


@given(hard=st.integers(0, 30), steps=STEPS)
def test_no_calendar_month_holds_more_than_its_hard_limit(hard: int, steps: list[tuple[timedelta, int]]) -> None:
    limit = replace(MONTH, hard=hard)
    passed = walk(limit, steps, scale=7).passed
    months = {(at.year, at.month) for at, _ in passed}
    for month in months:
        assert sum(n for at, n in passed if (at.year, at.month) == month) <= hard
    # Months never come back: what the clock does later, the counter stays in the latest.
    assert [(at.year, at.month) for at, _ in passed] == sorted((at.year, at.month) for at, _ in passed)


@given(limit=RATES, steps=STEPS)
def test_no_stretch_of_a_rate_holds_more_than_its_burst_and_what_drains(
    limit: Limit, steps: list[tuple[timedelta, int]]
) -> None:
    # GCRA's guarantee, for every stretch from one passing to a later one.
    passed = walk(limit, steps, scale=1 / 3600).passed
    assert limit.seconds is not None
    assert limit.hard is not None
    assert limit.capacity is not None
    for i, (start, _) in enumerate(passed):
        total = 0
        for at, amount in passed[i:]:
            total += amount
            microseconds = (at - start) // TICK
            assert total * limit.seconds * 10**6 <= limit.capacity * limit.seconds * 10**6 + microseconds * limit.hard


@settings(max_examples=300)
@given(limit=st.one_of(ROLLING, RATES, st.just(MONTH)), steps=STEPS, amount=st.integers(1, 30))
def test_the_next_fit_is_exact(limit: Limit, steps: list[tuple[timedelta, int]], amount: int) -> None:
    book = walk(limit, steps, scale=1 / 3600 if limit.window is Window.RATE else 1)
    usage = book.usage(AT)
    found = next_fit(limit, usage, amount=amount)
    if amount > (limit.capacity or 0):
        assert found is None
        assert not fits(limit, book.usage(AT + timedelta(days=400)), amount=amount)
    elif fits(limit, usage, amount=amount):
        assert found == usage.now
    else:
        assert found is not None
        assert found > usage.now
        assert not fits(limit, book.usage(found - TICK), amount=amount)
        assert fits(limit, book.usage(found), amount=amount)
        told = judge(limit, usage, requested=amount).refusal
        assert told is not None
        assert told.retry_at == found


@given(steps=STEPS, back=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=90)))
@pytest.mark.parametrize(
    "limit",
    [
        MONTH,
        Limit(name="t.b", window=Window.ROLLING, unit="byte", hard=25, seconds=30 * 24 * 3600),
        Limit(name="a.r", window=Window.RATE, unit="request", hard=25, seconds=3600),
    ],
    ids=lambda limit: limit.window,
)
def test_a_clock_set_back_gives_nobody_more(limit: Limit, steps: list[tuple[timedelta, int]], back: timedelta) -> None:
    book = walk(limit, steps)
    latest = book.counter.seen_at
    assert book.usage(latest - back) == book.usage(latest)
    # And not when it comes right again either.
    book.take(latest - back, 1)
    assert book.counter.seen_at >= latest


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (datetime(2028, 2, 29, 23, 59, 59, 999999, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (datetime(2026, 2, 28, 12, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, 12, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        # Still March in UTC, whatever a wall clock in Paris says that has just gone to summer time.
        (datetime.fromisoformat("2026-04-01T01:30:00+02:00"), datetime(2026, 4, 1, tzinfo=UTC)),
    ],
)
def test_a_month_ends_on_the_first_utc(now: datetime, first: datetime) -> None:
    book = Book(MONTH, now)
    assert book.take(now, 25)
    assert not book.take(first - TICK, 1)
    assert next_fit(MONTH, book.usage(now), amount=1) == first
    assert book.take(first, 25)


def test_a_rolling_window_frees_an_hour_at_a_time() -> None:
    limit = Limit(name="transfer.bytes.30d", window=Window.ROLLING, unit="byte", hard=10, seconds=30 * 24 * 3600)
    book = Book(limit, AT)
    assert book.take(AT, 4)
    assert book.take(AT + 5 * HOUR, 6)
    thirty = timedelta(days=30)
    # The first hour is not enough for seven, the second is.
    assert next_fit(limit, book.usage(AT + 6 * HOUR), amount=4) == hour_of(AT) + HOUR + thirty
    assert next_fit(limit, book.usage(AT + 6 * HOUR), amount=7) == hour_of(AT) + 6 * HOUR + thirty
    assert next_fit(limit, book.usage(AT), amount=11) is None


def test_a_rate_lets_its_burst_pass_at_once_and_no_more() -> None:
    limit = Limit(name="runs.starts.minute", window=Window.RATE, unit="start", hard=7, seconds=60)
    book = Book(limit, AT)
    assert [book.take(AT, 1) for _ in range(8)] == [True] * 7 + [False]
    assert state_of(limit, book.usage(AT)).left == 0
    # 60 / 7 of a second, to the microsecond above.
    assert next_fit(limit, book.usage(AT), amount=1) == AT + timedelta(microseconds=8_571_429)


def test_a_soft_limit_degrades_before_a_hard_one_refuses() -> None:
    limit = replace(MONTH, soft=20, degrade=DEGRADE)
    book = Book(limit, AT)
    outcomes = []
    for _ in range(26):
        outcomes.append(judge(limit, book.usage(AT), requested=1).outcome)
        book.take(AT, 1)
    assert outcomes == [Outcome.ALLOWED] * 20 + [Outcome.DEGRADED] * 5 + [Outcome.REFUSED]
    assert state_of(limit, book.usage(AT)).degraded


def test_what_degrading_does_to_each_limit() -> None:
    limits = {
        "lab.cores": Limit(name="lab.cores", window=Window.CONTINUOUS, unit="core", hard=8),
        "dask.cores": Limit(name="dask.cores", window=Window.CONTINUOUS, unit="core", hard=2),
        "api.requests.minute": Limit(
            name="api.requests.minute", window=Window.RATE, unit="request", hard=300, seconds=60, burst=100
        ),
        "transfer.rate": Limit(name="transfer.rate", window=Window.RATE, unit="byte", hard=None, seconds=1),
        "lab.memory_mb": Limit(name="lab.memory_mb", window=Window.CONTINUOUS, unit="MB", hard=100),
    }
    degrade = replace(DEGRADE, limits={"transfer.rate": 1_000_000, "lab.memory_mb": 200})
    made = degraded(limits, by=[degrade])
    # Never to nothing, and never to more than there was.
    assert {name: (limit.hard, limit.burst) for name, limit in made.items()} == {
        "lab.cores": (2, None),
        "dask.cores": (1, None),
        "api.requests.minute": (30, 10),
        "transfer.rate": (1_000_000, None),
        "lab.memory_mb": (100, None),
    }


def test_a_refusal_of_a_continuous_limit_says_what_would_help() -> None:
    limit = Limit(name="lab.servers", window=Window.CONTINUOUS, unit="server", hard=1)
    counter = Counter(account="ada", limit=limit.name, seen_at=AT)
    no = judge(limit, usage_of(limit, counter, now=AT, leases=[(1, AT + HOUR)]), requested=1).refusal
    assert no is not None
    assert (no.code, no.retry_at, no.limit, no.left, no.limit_name) == ("quota-exceeded", None, 1, 0, "lab.servers")
    assert "2026-05-20T13:30:15+00:00" in no.mend
    assert no.message == "lab.servers: 1 server asked for, 0 servers left of 1 server at the same time"
    over = judge(limit, usage_of(limit, counter, now=AT, leases=[(1, AT)]), requested=1)
    assert over.outcome is Outcome.ALLOWED


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        (1, "run", "1 run"),
        (1234, "run", "1,234 runs"),
        (2048, "MB", "2,048 MB"),
        (7_500, "millicredit", "7.5 credits"),
        (1_000, "milli_processing_unit", "1 processing unit"),
    ],
)
def test_amounts_for_people(amount: int, unit: str, text: str) -> None:
    assert quantity(amount, unit) == text


@pytest.mark.parametrize(
    "changed",
    [
        {"window": Window.RATE},
        {"seconds": 3600},
        {"burst": 1},
        {"soft": 1},
        {"soft": 26, "degrade": DEGRADE},
        {"window": Window.ROLLING, "seconds": 5400},
        {"window": Window.RATE, "seconds": 1, "hard": 10**13},
    ],
)
def test_a_limit_that_makes_no_sense_is_none(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"products\.month"):
        replace(MONTH, **changed)  # type: ignore[arg-type]
