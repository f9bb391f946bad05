"""In which order grants are spent, what they may be spent on, and what of them lapses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_quota.domain.grants import (
    ALLOWANCE_PRIORITY,
    GRANT_PRIORITY,
    Grant,
    GrantCategory,
    GrantKind,
    GrantScope,
    allocate,
    draw_held,
    lapse,
    merged,
    paid_by,
    spendable,
    spending_order,
)
from swath_quota.domain.periods import month_of, next_month
from swath_quota.domain.purposes import Purpose, PurposeKind

AT = datetime(2026, 5, 20, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
RUN = Purpose(kind=PurposeKind.RUN, reference="r", algorithm="ada/ndvi")
LAB = Purpose(kind=PurposeKind.LAB, reference="l")


def grant(name: str, remaining: int, **more: Any) -> Grant:
    plain: dict[str, Any] = {"priority": GRANT_PRIORITY, "created_at": AT, "effective_at": AT, "granted_by": "op"}
    return Grant(id=name, account="ada", kind=GrantKind.GIFT, amount=100, remaining=remaining, **plain | more)


ALLOWANCE = grant("allowance", 100, priority=ALLOWANCE_PRIORITY, expires_at=JUNE)
SOON = grant("soon", 100, expires_at=JUNE)
LATE = grant("late", 100, expires_at=JUNE + timedelta(days=90))
NEVER = grant("never", 100)


def set_aside(grants: list[Grant], amount: int, *, purpose: Purpose = RUN, at: datetime = AT) -> list[tuple[str, int]]:
    found = allocate(grants, amount=amount, purpose=purpose, at=at)
    assert found is not None
    return [(after.id, part) for after, part in found]


def test_the_order_is_priority_then_earliest_expiry_then_none() -> None:
    found = allocate([NEVER, LATE, SOON, ALLOWANCE], amount=350, purpose=RUN, at=AT)
    assert found is not None
    assert [(after.id, part, after.held, after.remaining) for after, part in found] == [
        ("allowance", 100, 100, 100),
        ("soon", 100, 100, 100),
        ("late", 100, 100, 100),
        ("never", 50, 50, 100),
    ]


def test_of_equal_priority_and_expiry_the_free_ones_go_before_those_that_were_bought() -> None:
    mixed = [grant(str(category), 10, category=category) for category in reversed(GrantCategory)]
    assert [name for name, _ in set_aside(mixed, 40)] == ["promotional", "research", "compensation", "paid"]


def test_then_the_one_effective_first_then_the_older_then_the_id() -> None:
    earlier, hour = AT - timedelta(hours=2), timedelta(hours=1)
    grants = [
        grant("b", 10),
        grant("a", 10),
        grant("old", 10, created_at=earlier),
        grant("effective", 10, effective_at=earlier + hour),
    ]
    assert [name for name, _ in set_aside(grants, 40)] == ["effective", "old", "a", "b"]
    assert sorted(grants, key=spending_order)[-1].id == "b"


def test_what_is_held_is_not_held_again_and_too_little_is_nothing() -> None:
    assert set_aside([grant("g", 100, held=40), NEVER], 70) == [("g", 60), ("never", 10)]
    assert allocate([grant("g", 100, held=40)], amount=61, purpose=RUN, at=AT) is None
    assert allocate([], amount=0, purpose=RUN, at=AT) == []


def test_what_is_over_or_yet_to_come_is_not_spent() -> None:
    coming = grant("coming", 100, effective_at=AT + timedelta(seconds=1))
    assert allocate([coming], amount=1, purpose=RUN, at=AT) is None
    assert set_aside([coming], 1, at=AT + timedelta(seconds=1)) == [("coming", 1)]
    assert set_aside([SOON], 1, at=JUNE - timedelta(microseconds=1)) == [("soon", 1)]
    assert allocate([SOON], amount=1, purpose=RUN, at=JUNE) is None


def test_what_was_given_to_be_spent_at_once_is_spent_by_a_clock_that_is_behind() -> None:
    assert set_aside([NEVER], 1, at=AT - timedelta(hours=1)) == [("never", 1)]


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (GrantScope(), {"run", "other", "lab"}),
        (GrantScope(kinds=(PurposeKind.RUN,)), {"run", "other"}),
        (GrantScope(kinds=(PurposeKind.LAB, PurposeKind.DASK)), {"lab"}),
        (GrantScope(algorithms=("ada/ndvi",)), {"run"}),
        (GrantScope(algorithms=("ada/*",)), {"run"}),
        (GrantScope(algorithms=("bea/*", "ada/water")), {"other"}),
        (GrantScope(kinds=(PurposeKind.LAB,), algorithms=("ada/*",)), set()),
    ],
)
def test_a_scope_says_what_is_paid_for(scope: GrantScope, covered: set[str]) -> None:
    other = Purpose(kind=PurposeKind.RUN, reference="r", algorithm="bea/sar")
    purposes = {"run": RUN, "other": other, "lab": LAB}
    assert {name for name, purpose in purposes.items() if scope.covers(purpose)} == covered
    bound = grant("bound", 100, scope=scope)
    for name, purpose in purposes.items():
        assert spendable([bound], at=AT, purpose=purpose) == (100 if name in covered else 0)
        assert (allocate([bound], amount=1, purpose=purpose, at=AT) is not None) == (name in covered)
    assert spendable([bound], at=AT) == 100


def test_a_hold_that_grows_has_one_part_a_grant() -> None:
    first = allocate([SOON, NEVER], amount=60, purpose=RUN, at=AT)
    assert first is not None
    parts = merged((), more=first)
    second = allocate([first[0][0], NEVER], amount=60, purpose=RUN, at=AT)
    assert second is not None
    assert merged(parts, more=second) == (("soon", 100), ("never", 20))


def test_a_capture_takes_in_order_and_gives_the_rest_back() -> None:
    grants = [grant("soon", 100, held=50, expires_at=JUNE), grant("never", 100, held=40), ALLOWANCE]
    taken = draw_held(grants, (("never", 40), ("soon", 50)), amount=60, at=AT)
    assert [(after.id, part, after.remaining, after.held) for after, part in taken] == [
        ("soon", 50, 50, 0),
        ("never", 10, 90, 0),
    ]


def test_what_is_over_is_drawn_first_whatever_its_priority() -> None:
    low = grant("low", 30, held=30, priority=99, expires_at=JUNE)
    fresh = grant("fresh", 100, held=100, priority=1)
    parts = (("fresh", 100), ("low", 30))
    assert [(a.id, part) for a, part in draw_held([fresh, low], parts, amount=50, at=JUNE)] == [
        ("low", 30),
        ("fresh", 20),
    ]
    assert [(a.id, part) for a, part in draw_held([fresh, low], parts, amount=50, at=AT)] == [
        ("fresh", 50),
        ("low", 0),
    ]
    assert [one.id for one in paid_by([fresh, low], parts, amount=50, at=JUNE)] == ["low", "fresh"]
    assert [one.id for one in paid_by([fresh, low], parts, amount=50, at=AT)] == ["fresh"]
    assert paid_by([fresh, low], parts, amount=0, at=AT) == []
    assert paid_by([fresh], (("gone", 9), ("fresh", 1)), amount=5, at=AT) == [fresh]


def test_no_more_is_drawn_than_was_set_aside_and_from_no_other_grant() -> None:
    held = grant("g", 100, held=50)
    with pytest.raises(ValueError, match="1 millicredits more"):
        draw_held([held], (("g", 50),), amount=51, at=AT)
    with pytest.raises(ValueError, match="not there"):
        draw_held([held], (("h", 50),), amount=1, at=AT)


@pytest.mark.parametrize(("held", "lapses"), [(0, 100), (30, 70), (100, 0)])
def test_open_holds_keep_what_backs_them(held: int, lapses: int) -> None:
    backing = grant("backing", 100, held=held, expires_at=JUNE)
    assert [(after.remaining, part) for after, part in lapse([backing, NEVER], at=JUNE)] == (
        [(held, lapses)] if lapses else []
    )
    assert lapse([backing, NEVER], at=JUNE - timedelta(seconds=1)) == []


@pytest.mark.parametrize(
    "wrong", [{"held": -1}, {"held": 51}, {"remaining": 101}, {"amount": 0, "remaining": 0}, {"remaining": -1}]
)
def test_an_impossible_grant_cannot_be_made(wrong: dict[str, int]) -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="grant g"):
        replace(grant("g", 50), **wrong)


@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8),
    st.integers(0, 900),
    st.data(),
)
def test_what_is_set_aside_is_drawn_or_given_back(
    made: list[tuple[int, int, int]], amount: int, data: st.DataObject
) -> None:
    grants = [
        grant(f"g{number}", remaining, priority=priority, expires_at=AT + timedelta(days=days) if days else None)
        for number, (remaining, priority, days) in enumerate(made)
    ]
    found = allocate(grants, amount=amount, purpose=RUN, at=AT)
    assert (found is None) == (amount > sum(one.free for one in grants))
    if found is None:
        return
    after = {one.id: one for one in grants} | {one.id: one for one, _ in found}
    parts = merged((), more=found)
    assert sum(part for _, part in parts) == amount == sum(one.held for one in after.values())
    captured = data.draw(st.integers(0, amount))
    at = AT + timedelta(days=data.draw(st.integers(0, 4)))
    taken = draw_held(after.values(), parts, amount=captured, at=at)
    assert sum(part for _, part in taken) == captured
    after |= {one.id: one for one, _ in taken}
    assert sum(one.held for one in after.values()) == 0
    assert sum(one.remaining for one in grants) - captured == sum(one.remaining for one in after.values())


def test_months_turn_at_utc_midnight() -> None:
    evening_in_new_york = datetime(2026, 12, 31, 20, tzinfo=timezone(timedelta(hours=-5)))
    assert month_of(evening_in_new_york) == "2027-01"
    assert next_month(evening_in_new_york) == datetime(2027, 2, 1, tzinfo=UTC)
    assert next_month(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
