"""Until when credits last: by hand, and as properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath_quota.domain.forecasts import HORIZON, Evidence, Forecast, Outlook, forecast
from swath_quota.domain.grants import ALLOWANCE_PRIORITY, GRANT_PRIORITY, Grant, GrantKind, GrantScope
from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.ledger import TransactionKind
from swath_quota.domain.reports import DayChange

NOW = datetime(2026, 5, 20, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
OLD = datetime(2026, 1, 1, tzinfo=UTC)


def grant(name: str, left: int, *, held: int = 0, expires_at: datetime | None = None, **more: object) -> Grant:
    settings: dict[str, object] = {"priority": GRANT_PRIORITY, "effective_at": OLD, "kind": GrantKind.GIFT, **more}
    return Grant(
        id=name,
        account="ada",
        amount=10**9,
        remaining=left,
        held=held,
        granted_by="op",
        created_at=OLD,
        expires_at=expires_at,
        **settings,  # type: ignore[arg-type]
    )


def spent(day: date, amount: int, kind: TransactionKind = TransactionKind.CAPTURE) -> DayChange:
    return DayChange(day=day, kind=kind, change=-amount, count=1)


def steady(amount: int, days: int = 30) -> list[DayChange]:
    """`amount` on each of the latest whole days; today, of which nothing is over, without."""
    return [spent(NOW.date() - timedelta(days=back), amount) for back in range(1, days + 1)]


def ahead(grants: list[Grant], changes: list[DayChange], *, allowance: int = 0, opened_at: datetime = OLD) -> Forecast:
    return forecast(grants, changes, now=NOW, opened_at=opened_at, allowance_on=lambda _: allowance)


def test_a_steady_rate_runs_out_when_a_pencil_says() -> None:
    told = ahead([grant("g", 10_000)], steady(1000))
    # Six whole days of the last seven, as today has only begun; 1,000 each of them.
    assert [rate.per_day for rate in told.rates] == [1000, 1000]
    assert (told.outlook, told.evidence) == (Outlook.RUNS_OUT, Evidence.FAIR)
    assert told.until == NOW + timedelta(days=10)
    assert told.text == "at the rate of the last 7 days credits last until 30 May 2026, 00:00 UTC"


def test_what_expires_is_gone_and_what_begins_later_is_there_later() -> None:
    soon = grant("soon", 10_000, expires_at=NOW + timedelta(days=4))
    assert ahead([soon], steady(1000)).until == NOW + timedelta(days=4)
    later = grant("later", 3000, effective_at=NOW + timedelta(days=2))
    assert ahead([soon, later], steady(1000)).until == NOW + timedelta(days=7)
    gap = grant("gap", 1000)
    assert ahead([gap, later], steady(1000)).until == NOW + timedelta(days=1)


def test_allowances_to_come_are_counted_and_lapse_with_their_month() -> None:
    now = grant("a", 12_000, expires_at=JUNE, priority=ALLOWANCE_PRIORITY, kind=GrantKind.ALLOWANCE, period="2026-05")
    # 12 days to June; then 30 days of 1,000 from an allowance of 25,000.
    assert ahead([now], steady(1000), allowance=25_000).until == JUNE + timedelta(days=25)
    # 31,000 a month carry every month, and nothing unused is carried over.
    assert ahead([now], steady(1000), allowance=31_000).outlook is Outlook.LASTS
    almost = ahead([now], steady(1000), allowance=30_000)
    assert almost.until == datetime(2026, 7, 31, tzinfo=UTC)


def test_the_more_careful_rate_is_used_and_both_are_told() -> None:
    lately = [spent(NOW.date() - timedelta(days=1), 6000)]
    told = ahead([grant("g", 10_000)], lately)
    assert [rate.per_day for rate in told.rates] == [1000, round(6000 / 29)]
    assert (told.days, told.until) == (7, NOW + timedelta(days=10))
    calm = [spent(NOW.date() - timedelta(days=20), 29_000)]
    told = ahead([grant("g", 10_000)], calm)
    assert [rate.outlook for rate in told.rates] == [Outlook.IDLE, Outlook.RUNS_OUT]
    assert (told.days, told.per_day) == (30, 1000)


def test_held_credits_and_those_for_some_things_only_are_not_counted() -> None:
    held = grant("held", 10_000, held=6000)
    scoped = grant("scoped", 50_000, scope=GrantScope(kinds=(PurposeKind.RUN,)))
    told = ahead([held, scoped], steady(1000))
    assert told.until == NOW + timedelta(days=4)
    assert told.left_out == 50_000


def test_refunds_are_taken_off_and_grants_are_no_spending() -> None:
    changes = [
        *steady(1000),
        *(DayChange(day=one.day, kind=TransactionKind.REFUND, change=500, count=1) for one in steady(1)[:1]),
        DayChange(day=NOW.date(), kind=TransactionKind.GRANT, change=10**9, count=1),
        DayChange(day=NOW.date(), kind=TransactionKind.LAPSE, change=-(10**8), count=1),
    ]
    assert ahead([grant("g", 10_000)], changes).rates[0].spent == 5500


def test_little_to_go_by_is_said() -> None:
    young = NOW - timedelta(hours=6)
    told = ahead([grant("g", 10_000)], [spent(NOW.date() - timedelta(days=1), 500)], opened_at=young)
    # Never less than a day: an hour of work is not extrapolated to a life of it.
    assert told.rates[0].per_day == 500
    assert told.evidence is Evidence.LITTLE
    assert "little to go by" in told.text
    assert ahead([grant("g", 1)], [spent(NOW.date(), 500)]).evidence is Evidence.LITTLE
    idle = ahead([grant("g", 10_000)], [])
    assert (idle.outlook, idle.until, idle.evidence) == (Outlook.IDLE, None, Evidence.NONE)


@pytest.mark.parametrize("grants", [[], [grant("held", 10, held=10)], [grant("over", 10, expires_at=NOW)]])
def test_an_empty_wallet_says_when_there_is_more(grants: list[Grant]) -> None:
    told = ahead(grants, steady(1000), allowance=7000)
    assert (told.outlook, told.until, told.renews_at, told.next_allowance) == (Outlook.EMPTY, None, JUNE, 7000)
    assert told.text == "nothing to spend now; 1 June brings 7 more"


@given(
    left=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 500) | st.none()), max_size=5),
    rate=st.integers(1, 10**5),
    more=st.integers(0, 10**5),
    allowance=st.integers(0, 10**5),
)
@settings(deadline=None)
def test_more_credits_never_last_shorter_and_a_higher_rate_never_longer(
    left: list[tuple[int, int | None]], rate: int, more: int, allowance: int
) -> None:
    grants = [
        grant(f"g{n}", amount, expires_at=NOW + timedelta(days=days) if days else None)
        for n, (amount, days) in enumerate(left)
    ]
    far = NOW + HORIZON * 2

    def until(grants: list[Grant], rate: int) -> datetime:
        told = ahead(grants, steady(rate), allowance=allowance)
        return NOW if told.outlook is Outlook.EMPTY else told.until or far

    base = until(grants, rate)
    assert base >= NOW
    assert until([*grants, grant("more", more)], rate) >= base
    assert until(grants, rate * 2) <= base
    # Without expiry and allowance it is a division.
    if allowance == 0 and all(days is None for _, days in left):
        days = sum(amount for amount, _ in left) / rate
        if base < far:
            assert (base - NOW).total_seconds() == pytest.approx(days * 86400, abs=0.01)
