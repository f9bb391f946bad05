"""Usage as values: the fold needs no order and no clock, and the price is that of the published formula."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.prices import Prices
from swath_quota.domain.usage import (
    CAPPED,
    Fault,
    MeterState,
    UsageEvent,
    fold,
    is_decreasing,
    price_usage,
    rate_per_hour,
    seconds_left,
    settled_usage,
    take,
)

AT = datetime(2026, 5, 20, 12, tzinfo=UTC)
PRICES = Prices(
    effective_on=date(2023, 11, 1), per_cpu_hour=1500, per_gb_hour=1000, per_batch_run=2000, per_sync_call=6000
)


def event(sequence: int, usage: dict[str, float], **changed: Any) -> UsageEvent:
    given_ = {
        "id": f"e{sequence}",
        "meter": "lab-ada",
        "hold_id": "h1",
        "account": "ada",
        "kind": PurposeKind.LAB,
        "sequence": sequence,
        "usage": usage,
        "at": AT,
    }
    return UsageEvent(**{**given_, **changed})


NAMES = ("cpu_seconds", "memory_mb_seconds", "wall_seconds")
amounts = st.floats(min_value=0, max_value=1e9)


@st.composite
def streams(draw: st.DrawFn) -> list[UsageEvent]:
    """What an honest source reports: cumulative values that never fall, the last event final."""
    steps = draw(st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, amounts)), min_size=1, max_size=12))
    total: dict[str, float] = dict.fromkeys(NAMES, 0.0)
    events = []
    for number, step in enumerate(steps, start=1):
        total = {name: total[name] + step[name] for name in NAMES}
        last = number == len(steps)
        fault = draw(st.sampled_from(Fault)) if last else Fault.NONE
        # A clock that steps: to and fro by up to ten days.
        at = AT + timedelta(seconds=draw(st.integers(min_value=-(10**6), max_value=10**6)))
        events.append(event(number, total, final=last, fault=fault, at=at))
    return events


@st.composite
def any_streams(draw: st.DrawFn) -> list[UsageEvent]:
    """What a broken source may report: falling values, missing components, several endings."""
    count = draw(st.integers(min_value=0, max_value=12))
    return [
        event(
            number,
            draw(st.dictionaries(st.sampled_from(NAMES), amounts)),
            final=(final := draw(st.booleans())),
            fault=draw(st.sampled_from(Fault)) if final else Fault.NONE,
        )
        for number in range(1, count + 1)
    ]


@given(any_streams(), st.data())
def test_order_and_doubles_change_nothing(stream: list[UsageEvent], data: st.DataObject) -> None:
    doubled = stream + (data.draw(st.lists(st.sampled_from(stream))) if stream else [])
    assert fold(data.draw(st.permutations(doubled))) == fold(stream)


@given(streams(), st.data())
def test_losing_any_but_the_last_changes_nothing(stream: list[UsageEvent], data: st.DataObject) -> None:
    kept = [one for one in stream[:-1] if data.draw(st.booleans())]
    assert fold([stream[-1], *kept]) == fold(stream)
    assert fold(stream).usage == stream[-1].usage


@given(any_streams(), any_streams())
def test_the_fold_never_goes_down(first: list[UsageEvent], more: list[UsageEvent]) -> None:
    before, after = fold(first), fold([*first, *more])
    assert all(after.usage[name] >= value for name, value in before.usage.items())
    assert after.final >= before.final


@given(streams(), st.data())
def test_clocks_change_nothing(stream: list[UsageEvent], data: st.DataObject) -> None:
    moved = [replace(one, at=one.at + timedelta(days=data.draw(st.integers(-900, 900)))) for one in stream]
    assert fold(moved) == fold(stream)
    assert all(one.same_as(other) for one, other in zip(stream, moved, strict=True))


def test_what_is_lost_at_the_end_is_not_charged() -> None:
    stream = [event(1, {"cpu_seconds": 10}), event(2, {"cpu_seconds": 30})]
    assert fold(stream[:1]).usage == {"cpu_seconds": 10}


def test_the_gravest_fault_of_a_final_event_stands() -> None:
    ends = [event(n, {}, final=True, fault=fault) for n, fault in enumerate(Fault, start=1)]
    assert fold(ends).fault is fold(reversed(ends)).fault is Fault.PLATFORM
    assert fold(ends[:2]).fault is Fault.USER
    # A fault without an end is none.
    assert fold([event(1, {}, fault=Fault.PLATFORM)]).fault is Fault.NONE


def test_less_at_a_higher_number_is_told() -> None:
    state = take(MeterState(), event(5, {"cpu_seconds": 10.0}))
    assert is_decreasing(state, event(6, {"cpu_seconds": 9.0}))
    assert not is_decreasing(state, event(6, {"cpu_seconds": 10.0}))
    # What comes out of order is lower by right, and a component that is missing is not lower.
    assert not is_decreasing(state, event(4, {"cpu_seconds": 9.0}))
    assert not is_decreasing(state, event(6, {"memory_mb_seconds": 1.0}))


def test_the_published_golden_vector_through_a_meter() -> None:
    """Copernicus Data Space Ecosystem, openEO credits: 13,400,773 MB-s + 5,099 CPU-s + batch = 7.76 credits."""
    used = {"cpu_seconds": 5099.0, "memory_mb_seconds": 13_400_773.0, "wall_seconds": 1e9}
    assert price_usage(PRICES, used, PurposeKind.RUN) == 7760
    assert round(price_usage(PRICES, used, PurposeKind.RUN) / 1000, 2) == 7.76


@pytest.mark.parametrize(("kind", "fee"), [(PurposeKind.RUN, 2000), (PurposeKind.LAB, 0), (PurposeKind.DASK, 0)])
def test_the_batch_fee_is_of_runs_alone(kind: PurposeKind, fee: int) -> None:
    assert price_usage(PRICES, {}, kind) == fee
    assert price_usage(PRICES, {"cpu_seconds": 3600.0, "memory_mb_seconds": 1024.0 * 3600}, kind) == 2500 + fee


@given(streams())
def test_more_usage_never_costs_less(stream: list[UsageEvent]) -> None:
    costs = [price_usage(PRICES, fold(stream[: n + 1]).usage, PurposeKind.RUN) for n in range(len(stream))]
    assert costs == sorted(costs)


def test_the_rate_is_over_the_sources_own_seconds() -> None:
    older = {"wall_seconds": 100.0, "cpu_seconds": 50.0, "memory_mb_seconds": 1024.0 * 100}
    newer = {"wall_seconds": 130.0, "cpu_seconds": 65.0, "memory_mb_seconds": 1024.0 * 130}
    # Half a core and 1 GB: 0.75 + 1 credits an hour; small enough a difference that its own price would be rounded off.
    assert rate_per_hour(PRICES, older, newer) == 1750
    assert rate_per_hour(PRICES, older, older) is None
    assert rate_per_hour(PRICES, newer, older) is None


def test_how_long_a_hold_lasts() -> None:
    assert seconds_left(left=1750, rate=1750) == 3600
    assert seconds_left(left=-5, rate=1750) == 0
    assert seconds_left(left=10, rate=0) is None
    assert seconds_left(left=10, rate=None) is None


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), amounts, max_size=80), st.booleans())
def test_what_a_capture_tells_fits_and_begins_with_what_was_priced(usage: dict[str, float], capped: bool) -> None:
    usage = {**usage, "cpu_seconds": 1.0}
    told = settled_usage(usage, price=11 if capped else 10, held=10, most=32)
    assert len(told) <= 32
    assert told["cpu_seconds"] == 1.0
    assert (CAPPED in told) is capped
    assert all(math.isfinite(value) for value in told.values())
