"""A month adds up, whatever happened in it; and when it does not, the statement says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath_quota import services
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.domain.holds import Purpose, PurposeKind
from swath_quota.domain.ledger import TransactionKind
from swath_quota.domain.reports import DayChange, SpendingBy, Window, balance_by_day
from swath_quota.domain.statements import month_bounds, month_statement, months_between
from swath_quota.services import Desk, reports
from swath_quota.store.memory import MemoryBooks
from swath_service.actor import Actor, ActorKind, Scope

OPERATOR = Actor(name="op", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))
START = datetime(2026, 1, 30, 22, tzinfo=UTC)

#: What happens, and hours until it does.
HAPPENINGS = st.tuples(
    st.sampled_from(["run", "lab", "refund", "grant", "short-grant", "release", "wait"]),
    st.integers(0, 400),
    st.integers(1, 40_000),
)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def made(happenings: list[tuple[str, int, int]]) -> tuple[Desk, Clock]:
    """A wallet to which all that happened, through the services."""
    clock = Clock()
    desk = Desk(books=MemoryBooks(), tiers=load_tiers(), prices=load_prices(), clock=clock)
    services.wallet(OPERATOR, desk, account="ada")
    for number, (what, hours, amount) in enumerate(happenings):
        clock.now += timedelta(hours=hours)
        name = f"n{number}"
        if what in {"grant", "short-grant"}:
            expires = clock.now + timedelta(days=9) if what == "short-grant" else None
            services.grant(
                OPERATOR, desk, grant_id=name, account="ada", amount=amount, description="given", expires_at=expires
            )
        elif what != "wait":
            kind = PurposeKind.LAB if what == "lab" else PurposeKind.RUN
            purpose = Purpose(kind=kind, reference=name, description=f"<i>{name}</i>", algorithm="ada/echo")
            placed = services.hold(
                OPERATOR,
                desk,
                hold_id=name,
                account="ada",
                amount=amount,
                purpose=purpose,
                expires_in_seconds=10**6,
            )
            if not isinstance(placed, services.Placed):
                continue
            clock.now += timedelta(hours=1)
            if what == "release":
                services.release(OPERATOR, desk, hold_id=name, reason="not needed")
                continue
            services.capture(OPERATOR, desk, hold_id=name, amount=amount // 2 + 1, usage={"cpu_seconds": 60.0})
            if what == "refund":
                services.refund(OPERATOR, desk, hold_id=name, reason="our fault")
    return desk, clock


@given(st.lists(HAPPENINGS, max_size=25))
@settings(deadline=None, max_examples=60)
def test_every_month_adds_up_and_follows_the_one_before(happenings: list[tuple[str, int, int]]) -> None:
    desk, clock = made(happenings)
    balance = services.wallet(OPERATOR, desk, account="ada").balance
    closing = 0
    for month in reversed(months_between(START, clock.now)):
        told = reports.month(OPERATOR, desk, month=month, account="ada")
        assert told.adds_up
        assert told.opening == closing
        assert told.opening + sum(line.amount for line in told.lines) == told.closing
        assert told.totals.change == told.closing - told.opening
        assert [line.balance for line in told.lines][-1:] in ([], [told.closing])
        assert told.totals.charges == -sum(one.charged for one in told.spending)
        # Each charge has its line, with what ran.
        for line in told.lines:
            if line.kind is TransactionKind.CAPTURE:
                assert line.charge is not None
                assert line.charge.charged == -line.amount
        assert told.is_final == (month_bounds(month)[1] <= clock.now)
        closing = told.closing
    assert closing == balance


@given(st.lists(HAPPENINGS, max_size=20))
@settings(deadline=None, max_examples=40)
def test_days_spending_and_charges_tell_the_same(happenings: list[tuple[str, int, int]]) -> None:
    desk, clock = made(happenings)
    first, last = START.date(), clock.now.date()
    if (last - first).days >= reports.MAX_DAYS:
        last = first + timedelta(days=reports.MAX_DAYS - 1)
    days = reports.balances(OPERATOR, desk, account="ada", first=first, last=last)
    assert len(days.days) == (last - first).days + 1
    charged = reports.every_charge(OPERATOR, desk, account="ada", first=first, last=last)
    lines = list(charged)
    assert lines == sorted(lines, key=lambda one: (one.at, one.id), reverse=True)
    for by in SpendingBy:
        told = reports.spending(OPERATOR, desk, account="ada", first=first, last=last, by=by)
        assert told.charged == sum(one.charged for one in lines)
        assert told.refunded == sum(one.refunded for one in lines)
    if last == clock.now.date():
        assert days.days[-1].closing == services.wallet(OPERATOR, desk, account="ada").balance
        assert sum(day.spent for day in days.days) == told.net


@given(st.lists(HAPPENINGS, min_size=1, max_size=10), st.data())
@settings(deadline=None, max_examples=30)
def test_a_line_that_is_missing_or_altered_is_noticed(
    happenings: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    desk, clock = made(happenings)
    month = "2026-01"
    start, end = month_bounds(month)
    clock.now = max(clock.now, end)
    services.wallet(OPERATOR, desk, account="ada")
    window = desk.reports.window("user:ada", start=start, end=end)
    assert window.entries, "the wallet was opened in it, with an allowance"
    index = data.draw(st.integers(0, len(window.entries) - 1))
    kept = window.entries[:index] + window.entries[index + 1 :]
    for wrong in (Window(opening=window.opening, entries=kept, closing=window.closing), replace(window, opening=-1)):
        told = month_statement(wrong, account="ada", month=month, now=clock.now, charges={})
        assert not told.adds_up
    assert month_statement(window, account="ada", month=month, now=clock.now, charges={}).adds_up


def test_each_day_closes_with_what_the_day_before_left() -> None:
    changes = [
        DayChange(day=date(2026, 5, 2), kind=TransactionKind.ALLOWANCE, change=100, count=1),
        DayChange(day=date(2026, 5, 2), kind=TransactionKind.CAPTURE, change=-30, count=2),
        DayChange(day=date(2026, 5, 4), kind=TransactionKind.REFUND, change=30, count=1),
        DayChange(day=date(2026, 5, 4), kind=TransactionKind.LAPSE, change=-50, count=1),
    ]
    days = balance_by_day(7, changes, first=date(2026, 5, 1), last=date(2026, 5, 4))
    assert [(day.closing, day.given, day.spent, day.lapsed) for day in days] == [
        (7, 0, 0, 0),
        (77, 100, 30, 0),
        (77, 0, 0, 0),
        (57, 0, -30, 50),
    ]


@pytest.mark.parametrize("month", ["2026-00", "2026-13", "26-01", "0000-01", "2026-01-01", "", "\uff12026-01"])
def test_what_is_no_month(month: str) -> None:
    with pytest.raises(ValueError, match="no month"):
        month_bounds(month)


def test_months_are_listed_newest_first() -> None:
    assert months_between(datetime(2025, 11, 30, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)) == (
        "2026-02",
        "2026-01",
        "2025-12",
        "2025-11",
    )
