"""Money of clusters over their life, with answers lost and gateways killed in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from swath_hub.dask.accounts import Load, Phase
from swath_hub.dask.credit import Terms
from swath_hub.dask.limits import UserLimits
from swath_hub.dask.records import Records
from swath_hub.dask.shares import Bound, ClusterLoad, Limits, Size
from swath_hub.dask.till import NotGranted, Till
from swath_quota.client import HoldStatus
from swath_service.errors import Unavailable

NAME = "a" * 32
CLUSTER = ClusterLoad(
    name=NAME, scheduler=Size(cores=1, memory_mb=1024), worker=Size(cores=1, memory_mb=1024), workers=0
)
HOLD = f"dask-{NAME}"


def load(workers: int) -> Load:
    return Load.of(replace(CLUSTER, workers=workers))


@pytest.fixture
def start(tmp_path: Path, quota: Any, clock: Any) -> Any:
    """A gateway's till, from what is on disk: called again, it is the next gateway's."""
    return lambda: Till(quota=quota, records=Records(tmp_path / "accounts"), terms=Terms(), clock=clock)


async def test_the_first_hour_with_one_worker_is_held_and_what_was_used_is_taken(
    start: Any, quota: Any, clock: Any
) -> None:
    till = start()
    await till.open(CLUSTER, user="ada")
    # Two processes of 1 core and 1 GB for an hour.
    assert quota.holds[HOLD].amount == 5000
    clock.pass_(60)  # in the queue: free
    till.advance(NAME, load=load(0))
    till.advance(NAME, load=load(0), came_up=True)
    clock.pass_(600)
    till.advance(NAME, load=load(2))
    clock.pass_(600)
    await till.report()
    till.end(NAME, stopped=True)
    clock.pass_(600)  # until it is settled: free
    await till.settle(NAME)
    # 600 s of one process and 600 s of three, at 2.5 credits an hour each.
    assert quota.holds[HOLD].captured == round(2500 * (600 + 3 * 600) / 3600)
    last = max(quota.events.values(), key=lambda event: event.sequence)
    assert last.final
    assert last.usage == {
        "cpu_seconds": 2400.0,
        "memory_mb_seconds": 2400.0 * 1024,
        "worker_seconds": 1200.0,
        "wall_seconds": 1200.0,
    }
    assert [event.final for event in quota.events.values()] == [False, True]


async def test_a_wallet_that_says_no_leaves_nothing(start: Any, quota: Any, tmp_path: Path) -> None:
    quota.credits = 4999
    with pytest.raises(NotGranted, match=r"^credits-exhausted \(credits\): a cluster's first hour is set aside: "):
        await start().open(CLUSTER, user="ada")
    assert not quota.holds
    assert not list((tmp_path / "accounts").iterdir())


async def test_silence_refuses_new_clusters_and_lets_others_go_on(start: Any, quota: Any, clock: Any) -> None:
    till = start()
    await till.open(CLUSTER, user="ada")
    till.advance(NAME, load=load(1), came_up=True)
    quota.down = True
    with pytest.raises(NotGranted, match="try again"):
        await till.open(replace(CLUSTER, name="b" * 32), user="ada")
    clock.pass_(2 * 3600)
    await till.fund(NAME, load(1))
    assert till.is_silent(NAME)
    with pytest.raises(Unavailable):
        await till.report()
    quota.down = False
    await till.report()
    assert next(iter(quota.events.values())).usage["cpu_seconds"] == 2 * 2 * 3600
    await till.fund(NAME, load(1))
    assert not till.is_silent(NAME)
    # What was used beyond the hold meanwhile is held now, with an hour ahead.
    assert quota.holds[HOLD].amount == 15_000


async def test_a_hold_follows_growth_as_far_as_the_wallet_goes(start: Any, quota: Any, clock: Any) -> None:
    quota.credits = 20_000
    till = start()
    await till.open(CLUSTER, user="ada")
    till.advance(NAME, load=load(0), came_up=True)
    await till.fund(NAME, load(3))
    # Half an hour is paid for four processes too: nobody is asked.
    assert quota.holds[HOLD].amount == 5000
    await till.fund(NAME, load(4))
    assert quota.holds[HOLD].amount == 12_500
    await till.fund(NAME, load(11))
    # An hour of twelve processes would be 30,000: all that is left, instead of nothing.
    assert quota.holds[HOLD].amount == 20_000
    assert till.purse(NAME).millicredits == 20_000
    assert quota.left == 0


async def test_a_restart_goes_on_under_the_same_hold(start: Any, quota: Any, clock: Any) -> None:
    till = start()
    await till.open(CLUSTER, user="ada")
    till.advance(NAME, load=load(2), came_up=True)
    clock.pass_(100)
    await till.report()
    clock.pass_(50)
    again = start()
    # One worker died while the gateway was down.
    again.resume(NAME, load=load(1))
    clock.pass_(30)
    await again.report()
    again.end(NAME, stopped=True)
    await again.settle(NAME)
    assert list(quota.holds) == [HOLD]
    last = max(quota.events.values(), key=lambda event: event.sequence)
    # 3 cores until the report... whose count only stood in memory: what is known to have lived is charged.
    assert last.usage["cpu_seconds"] == 3 * 100 + 2 * 80
    assert quota.holds[HOLD].captured == round(2500 * (3 * 100 + 2 * 80) / 3600)


async def test_a_reboot_charges_what_was_last_known(start: Any, quota: Any, clock: Any) -> None:
    till = start()
    await till.open(CLUSTER, user="ada")
    till.advance(NAME, load=load(1), came_up=True)
    clock.pass_(100)
    await till.report()
    clock.boot_id, clock.seconds = "b2", 10_000.0
    again = start()
    account = again.records.get(NAME)
    again.end(NAME, stopped=True, at=account.at)
    await again.settle(NAME)
    assert quota.holds[HOLD].captured == round(2500 * 2 * 100 / 3600)


async def test_a_scheduler_that_never_came_up_costs_nothing(start: Any, quota: Any, clock: Any) -> None:
    till = start()
    await till.open(CLUSTER, user="ada")
    till.advance(NAME, load=load(0))
    clock.pass_(60)
    till.end(NAME, stopped=False)
    await till.settle(NAME)
    assert (quota.holds[HOLD].status, quota.left) == (HoldStatus.RELEASED, quota.credits)


async def test_a_hold_that_was_voided_is_followed_by_another(start: Any, quota: Any, clock: Any) -> None:
    till = start()
    await till.open(CLUSTER, user="ada")
    till.advance(NAME, load=load(1), came_up=True)
    clock.pass_(100)
    quota.expire(HOLD)
    again = start()
    again.resume(NAME, load=load(1))
    await again.fund(NAME, load(1))
    clock.pass_(100)
    account = await again.fund(NAME, load(1))
    assert account.hold_id == f"{HOLD}.2"
    assert quota.holds[f"{HOLD}.2"].is_open
    again.end(NAME, stopped=True)
    await again.settle(NAME)
    # The first hundred seconds went with the first hold; these are the second's.
    assert quota.holds[f"{HOLD}.2"].captured == round(2500 * 2 * 100 / 3600)


@pytest.mark.parametrize("lost", range(1, 9))
async def test_an_answer_lost_anywhere_and_a_killed_gateway_change_nothing(
    start: Any, quota: Any, clock: Any, lost: int
) -> None:
    """The calls of a life: prices, hold, extend, report, extend, report, report, settle."""
    quota.lose_answers_at = {lost}
    till = start()
    try:
        await till.open(CLUSTER, user="ada")
    except NotGranted:
        assert lost <= 2
        till = start()
        for account in till.records.all():
            await till.settle(account.cluster)
        assert quota.left == quota.credits
        assert not [hold for hold in quota.holds.values() if hold.is_open]
        return
    till.advance(NAME, load=load(0), came_up=True)
    for workers in (3, 6):
        await till.fund(NAME, load(workers))
        till.advance(NAME, load=load(workers))
        clock.pass_(100)
        till.write_all([NAME])
        till = start()
        till.resume(NAME, load=load(workers))
        try:
            await till.report()
        except Unavailable:
            await till.report()
    till.end(NAME, stopped=True)
    till = start()
    try:
        await till.settle(NAME)
    except Unavailable:
        till = start()
        await till.settle(NAME)
    assert quota.holds[HOLD].captured == round(2500 * (4 * 100 + 7 * 100) / 3600)
    assert till.records.get(NAME).phase is Phase.SETTLED
    assert quota.left == quota.credits - quota.holds[HOLD].captured


def test_an_account_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.json").write_text("{")
    assert not Records(tmp_path).all()
    assert (tmp_path / f"{NAME}.json").read_text() == "{"


async def test_limits_are_the_tiers_and_where_it_names_none_the_operators(quota: Any) -> None:
    quota.limits = [
        SimpleNamespace(name="dask.cores", soft=4, hard=8),
        SimpleNamespace(name="lab.cores", soft=1, hard=1),
    ]
    now = [0.0]
    fallback = Limits(clusters=Bound(hard=2), cores=Bound(hard=99), memory_mb=Bound(hard=1024))
    limits = UserLimits(quota, fallback=fallback, clock=lambda: now[0])
    expected = Limits(clusters=Bound(hard=2), cores=Bound(soft=4, hard=8), memory_mb=Bound(hard=1024))
    assert await limits.of("ada") == await limits.of("ada") == expected
    assert quota.calls == 1
    now[0] = 60.0
    quota.down = True
    assert await limits.of("ada") == expected
    with pytest.raises(Unavailable):
        await limits.of("ben")
