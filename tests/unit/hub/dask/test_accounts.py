"""The account of a cluster: time that no restart, reboot or reordering bends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swath_hub.dask import accounts
from swath_hub.dask.accounts import Account, Ending, Load, Moment, Phase, Usage
from swath_hub.dask.credit import Step, Terms, next_step
from swath_hub.dask.tariff import Tariff
from swath_quota.client import Prices, price_run

TARIFF = Tariff(version="2023-11-01", per_cpu_hour=1500, per_gb_hour=1000)
BARE = Load(cores=1, memory_mb=1024)
LEAST = Load(cores=2, memory_mb=2048, workers=1)
TERMS = Terms()


def at(seconds: float, boot: str = "b1") -> Moment:
    return Moment(boot_id=boot, seconds=seconds)


def account(**changes: object) -> Account:
    made = Account(cluster="c" * 32, user="ada", tariff=TARIFF, phase=Phase.LIVE, amount=5000, at=at(0), load=LEAST)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_reserved_cores_are_what_is_charged() -> None:
    after = accounts.advance(account(), to=at(3600))
    assert after.usage == Usage(cpu_seconds=7200, memory_mb_seconds=2048 * 3600, worker_seconds=3600, wall_seconds=3600)
    # The formula of the quota service: 2 core-hours at 1.5 and 2 GB-hours at 1.0.
    assert after.usage.cost(TARIFF) == 5000
    assert after.left() == 0


@given(cuts=st.lists(st.integers(0, 7200), max_size=12))
def test_looking_more_often_changes_nothing(cuts: list[int]) -> None:
    looked = account()
    for cut in sorted(cuts):
        looked = accounts.advance(looked, to=at(cut))
    assert accounts.advance(looked, to=at(7200)).usage == accounts.advance(account(), to=at(7200)).usage


@given(to=st.integers(0, 10**6))
def test_nothing_is_charged_over_a_reboot_or_backwards(to: int) -> None:
    before = account(at=at(500))
    assert accounts.advance(before, to=at(to, boot="b2")).usage == Usage()
    assert accounts.advance(before, to=at(min(to, 500))).usage == Usage()


def test_a_change_of_load_counts_from_then_on() -> None:
    after = accounts.advance(accounts.advance(account(), to=at(10), load=BARE), to=at(110), load=Load())
    assert after.usage.cpu_seconds == 2 * 10 + 1 * 100
    assert after.usage.worker_seconds == 10
    assert accounts.advance(after, to=at(10_000)).usage == after.usage


@pytest.mark.parametrize(
    ("came_up", "stopped", "ending"),
    [
        (False, False, Ending.PLATFORM),
        (False, True, Ending.NONE),
        (True, False, Ending.USER),
        (True, True, Ending.NONE),
    ],
)
def test_whose_fault_an_end_is(came_up: bool, stopped: bool, ending: Ending) -> None:
    ended = accounts.end(account(came_up=came_up), to=at(60), stopped=stopped)
    assert (ended.phase, ended.ending, ended.usage.cpu_seconds) == (Phase.ENDED, ending, 120)
    assert accounts.end(ended, to=at(600), stopped=not stopped) == ended
    assert accounts.advance(ended, to=at(600), load=LEAST) == ended


def test_an_account_survives_being_written() -> None:
    full = accounts.tell(account(starved_at=at(3), phase=Phase.STARVED), key="a", text="b", at="2026-01-01T00:00:00")
    assert accounts.from_json(json.loads(json.dumps(accounts.to_json(full)))) == full


def test_the_same_is_not_told_twice_in_a_row() -> None:
    once = accounts.tell(account(), key="a", text="x", at="1")
    assert accounts.tell(once, key="a", text="x", at="2") is once
    assert len(accounts.tell(once, key="a", text="y", at="2").notices) == 2


def test_a_new_chapter_pays_nothing_twice() -> None:
    first = accounts.advance(account(sequence=4), to=at(100))
    second = accounts.next_chapter(first)
    assert second.hold_id == f"{first.hold_id}.2"
    assert (second.usage, second.sequence, second.amount, second.load) == (Usage(), 0, 0, LEAST)


def test_the_price_is_the_quota_services_own() -> None:
    prices = Prices(
        effective_on=date(2023, 11, 1),
        per_cpu_hour=1500,
        per_gb_hour=1000,
        per_batch_run=2000,
        per_sync_call=6000,
    )
    assert Tariff.of(prices) == TARIFF
    for cpu, memory in ((5099.0, 13_400_773.0), (0.1, 0.1), (86_400 * 17, 34 * 1024 * 86_400)):
        expected = price_run(prices, cpu_seconds=cpu, memory_mb_seconds=memory, batch=False)
        assert TARIFF.cost(cpu_seconds=cpu, memory_mb_seconds=memory) == expected


# 2 cores and 2 GB cost 5,000 millicredits an hour: 1.3889 a second. The scheduler alone: 0.6944.
@pytest.mark.parametrize(
    ("amount", "step"),
    [
        (5000, Step.NOTHING),
        (1251, Step.NOTHING),  # 900 s
        (1250, Step.WARN),
        (57, Step.WARN),
        (55, Step.STARVE),  # 60 s of the scheduler (42) and 10 s of all (14)
        (0, Step.STARVE),
    ],
)
def test_steps_of_a_living_cluster(amount: int, step: Step) -> None:
    assert next_step(account(amount=amount), bare=BARE, least=LEAST, now=at(0), terms=TERMS) is step


@pytest.mark.parametrize(
    ("amount", "after", "step"),
    [
        (0, 59, Step.NOTHING),
        (0, 60, Step.CLOSE),
        (501, 59, Step.REVIVE),
        (501, 3600, Step.REVIVE),
        (499, 59, Step.NOTHING),
    ],
)
def test_steps_of_a_starved_cluster(amount: int, after: float, step: Step) -> None:
    starved = account(phase=Phase.STARVED, starved_at=at(0), amount=amount, load=BARE)
    assert next_step(starved, bare=BARE, least=LEAST, now=at(after), terms=TERMS) is step


@settings(deadline=None)
@given(
    amount=st.integers(0, 20_000),
    workers=st.integers(0, 16),
    tick=st.floats(2, 20, allow_nan=False),
    grace=st.floats(0, 600, allow_nan=False),
)
def test_no_more_is_used_than_is_held(amount: int, workers: int, tick: float, grace: float) -> None:
    """The wallet has no more; looked at each `tick`, workers gone within another, closed after the grace."""
    terms = Terms(tick_seconds=tick, grace_seconds=grace)
    load = Load(cores=1 + workers, memory_mb=1024 * (1 + workers), workers=workers)
    # It was started with enough for a while.
    now, live = 0.0, account(amount=amount + account().needs(load, 2 * tick + grace) + 2, load=load)
    while next_step(live, bare=BARE, least=LEAST, now=at(now), terms=terms) is not Step.STARVE:
        now += 30.0 if live.lasts_seconds(load) > 1000 else tick
        live = accounts.advance(live, to=at(now))
    now += tick
    starved = accounts.advance(live, to=at(now), load=BARE)
    closed = accounts.advance(starved, to=at(now + grace))
    assert closed.left() >= -1
