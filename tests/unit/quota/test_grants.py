from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from swath_quota.domain.grants import (
    ALLOWANCE_PRIORITY,
    GRANT_PRIORITY,
    Grant,
    GrantKind,
    draw,
    draw_expired_first,
    lapsing,
)
from swath_quota.domain.periods import month_of, next_month

AT = datetime(2026, 5, 20, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def grant(name: str, remaining: int, *, priority: int = GRANT_PRIORITY, expires_at: datetime | None = None) -> Grant:
    return Grant(
        id=name,
        account="ada",
        kind=GrantKind.GIFT,
        amount=100,
        remaining=remaining,
        priority=priority,
        granted_by="op",
        created_at=AT,
        expires_at=expires_at,
    )


ALLOWANCE = grant("allowance", 100, priority=ALLOWANCE_PRIORITY, expires_at=JUNE)
SOON = grant("soon", 100, expires_at=JUNE)
LATE = grant("late", 100, expires_at=JUNE + timedelta(days=90))
NEVER = grant("never", 100)


def test_the_order_is_priority_then_earliest_expiry_then_none() -> None:
    taken = draw([NEVER, LATE, SOON, ALLOWANCE], amount=350)
    assert [(after.id, part, after.remaining) for after, part in taken] == [
        ("allowance", 100, 0),
        ("soon", 100, 0),
        ("late", 100, 0),
        ("never", 50, 50),
    ]


def test_of_two_alike_the_older_goes_first_then_the_id() -> None:
    older = grant("z", 10)
    assert [after.id for after, _ in draw([grant("b", 10), grant("a", 10), older], amount=25)] == ["a", "b", "z"]


def test_what_no_grant_has_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="1 millicredits"):
        draw([NEVER], amount=101)


def test_what_is_over_is_drawn_first_whatever_its_priority() -> None:
    low = grant("low", 30, priority=99, expires_at=JUNE)
    fresh = grant("fresh", 100, priority=1)
    assert [(a.id, part) for a, part in draw_expired_first([fresh, low], amount=50, at=JUNE)] == [
        ("low", 30),
        ("fresh", 20),
    ]
    assert [a.id for a, _ in draw_expired_first([fresh, low], amount=50, at=AT)] == ["fresh"]


@pytest.mark.parametrize(("held", "lapses"), [(0, 200), (50, 150), (200, 0), (500, 0)])
def test_open_holds_keep_what_backs_them(held: int, lapses: int) -> None:
    assert lapsing([ALLOWANCE, SOON, NEVER], held=held, at=JUNE) == lapses
    assert lapsing([ALLOWANCE, SOON, NEVER], held=held, at=JUNE - timedelta(seconds=1)) == 0


def test_months_turn_at_utc_midnight() -> None:
    from datetime import timezone

    evening_in_new_york = datetime(2026, 12, 31, 20, tzinfo=timezone(timedelta(hours=-5)))
    assert month_of(evening_in_new_york) == "2027-01"
    assert next_month(evening_in_new_york) == datetime(2027, 2, 1, tzinfo=UTC)
    assert next_month(datetime(2026, 12, 1, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
