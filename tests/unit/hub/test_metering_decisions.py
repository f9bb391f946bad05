"""What is done next for a metered server, in simulated time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_hub.metering.decisions import Alarm, Extend, MeterView, Policy, Rest, Stop, Warn, next_step

POLICY = Policy()
HOUR = 3600


@dataclass
class Life:
    """A server, its hold, and a wallet that does as the ledger does."""

    wallet: int
    per_hour: int = 3600
    busy: float = 1.0
    """Share of the most that it can cost which it does cost."""
    policy: Policy = POLICY
    age: float = 0.0
    held: int = 0
    stands_until: float = 24 * HOUR
    warned: frozenset[Alarm] = frozenset()
    told: list[tuple[float, Warn]] = field(default_factory=list)
    stopped_at: float | None = None
    extensions: int = 0
    silent: bool = False

    def __post_init__(self) -> None:
        self.held = self.per_hour
        assert self.held <= self.wallet

    @property
    def spent(self) -> int:
        return round(self.age * self.per_hour * self.busy / HOUR)

    def view(self) -> MeterView:
        return MeterView(
            spent=self.spent,
            held=self.held,
            free=None if self.silent else self.wallet - self.held,
            per_hour=self.per_hour,
            stands_seconds=self.stands_until - self.age,
            warned=self.warned,
        )

    def beat(self, seconds: float) -> None:
        self.age += seconds
        for _ in range(6):
            step = next_step(self.view(), self.policy)
            match step:
                case Extend():
                    if self.silent:
                        return
                    assert step.amount >= self.held
                    assert step.amount <= self.wallet, "more than the wallet has is known to be refused"
                    self.held, self.stands_until = step.amount, self.age + step.seconds
                    self.extensions += 1
                case Warn():
                    self.warned |= {step.kind}
                    self.told.append((self.age, step))
                case Stop():
                    self.stopped_at = self.age
                    return
                case Rest():
                    return
        pytest.fail("no end to what is to be done")

    def live(self, until: float, *, heartbeat: float = 30) -> None:
        while self.age < until and self.stopped_at is None:
            self.beat(heartbeat)


def test_a_full_wallet_pays_for_a_day_without_a_word() -> None:
    life = Life(wallet=1_000_000)
    life.live(24 * HOUR)
    assert not life.told
    assert life.stopped_at is None
    # Raised by half an hour's worth each time, and never far beyond what an hour needs.
    assert 40 <= life.extensions <= 60
    assert life.spent < life.held <= life.spent + life.per_hour


def test_five_credits_warn_twice_and_stop_in_time() -> None:
    life = Life(wallet=5000, per_hour=3500)
    life.live(10 * HOUR)
    assert Counter(warn.kind for _, warn in life.told) == {Alarm.SHARE: 1, Alarm.MINUTES: 1}
    assert life.stopped_at is not None
    assert life.held == 5000
    # The stop is itself paid for, and not much is left over.
    left_seconds = (5000 - life.spent) * HOUR / 3500
    assert POLICY.stop_seconds - 31 <= left_seconds <= POLICY.stop_seconds
    by_kind = {warn.kind: (at, warn) for at, warn in life.told}
    at, warn = by_kind[Alarm.MINUTES]
    assert 14 <= warn.minutes <= 15
    assert life.stopped_at - at >= 13 * 60
    at, _ = by_kind[Alarm.SHARE]
    assert at == pytest.approx(0.8 * 5000 * HOUR / 3500, abs=31)


def test_an_idle_server_lasts_longer_than_it_is_promised() -> None:
    life = Life(wallet=5000, per_hour=3500, busy=2000 / 3500)
    life.live(10 * HOUR)
    assert life.stopped_at is not None
    assert life.stopped_at > 2.3 * HOUR
    at, warn = next((at, warn) for at, warn in life.told if warn.kind is Alarm.MINUTES)
    assert life.stopped_at - at >= (warn.minutes - 2) * 60


def test_a_grant_in_time_keeps_it_alive_and_warns_no_more() -> None:
    life = Life(wallet=5000)
    life.live(80 * 60 - 600)
    assert {warn.kind for _, warn in life.told} == {Alarm.SHARE, Alarm.MINUTES} or life.told
    told = len(life.told)
    life.wallet += 100_000
    life.live(10 * HOUR)
    assert life.stopped_at is None
    assert len(life.told) <= told + 1


def test_a_laptop_that_slept_finds_its_hold_over_and_stops_at_most_once() -> None:
    """The clock counts sleep: eight hours pass between two beats."""
    life = Life(wallet=5000)
    life.live(600)
    life.beat(8 * HOUR)
    assert life.stopped_at is not None
    rich = Life(wallet=1_000_000)
    rich.live(600)
    rich.beat(8 * HOUR)
    assert rich.stopped_at is None
    assert rich.held >= rich.spent + rich.per_hour
    assert rich.stands_until - rich.age > POLICY.renew_seconds


def test_nobody_is_warned_or_stopped_while_the_wallet_is_silent() -> None:
    life = Life(wallet=5000)
    life.silent = True
    life.live(5 * HOUR)
    assert life.stopped_at is None
    assert not life.told
    life.silent = False
    life.beat(30)
    assert life.stopped_at is not None


def test_a_hold_that_stands_no_more_than_half_a_day_is_renewed_without_being_raised() -> None:
    view = Life(wallet=100_000, per_hour=1000).view()
    step = next_step(replace(view, stands_seconds=POLICY.renew_seconds - 1), POLICY)
    assert step == Extend(amount=view.held, seconds=POLICY.stand_seconds)


def test_what_costs_nothing_never_ends() -> None:
    view = MeterView(spent=0, held=0, free=0, per_hour=0, stands_seconds=20 * HOUR)
    # Nothing of nothing is no share worth a word.
    assert next_step(view, POLICY) == Rest()


@given(
    wallet=st.integers(3600, 50_000),
    per_hour=st.integers(1, 3600),
    busy=st.floats(0, 1),
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=400),
)
def test_while_beats_come_the_hold_is_never_outrun(wallet: int, per_hour: int, busy: float, gaps: list[float]) -> None:
    life = Life(wallet=wallet, per_hour=per_hour, busy=busy)
    for gap in gaps:
        life.beat(gap * 20)
        if life.stopped_at is not None:
            break
        assert life.spent <= life.held <= life.wallet
    assert all(count == 1 for count in Counter(warn.kind for _, warn in life.told).values())
