"""Holds, reports and settlements for Lab servers, over crashes, silence and clocks that do what they like."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from swath_hub.metering.decisions import Alarm, Policy
from swath_hub.metering.gauge import Reading
from swath_hub.metering.port import Fault
from swath_hub.metering.record import Phase, Record
from swath_hub.metering.records import Records
from swath_hub.metering.teller import Refused, Teller
from swath_hub.metering.usage import Reserved, Usage
from swath_quota.client import FakeQuotaClient
from swath_service.errors import Unavailable

HOUR = 3600
GIB = 2**30
#: 2 GB and one processor: 3.5 credits an hour at most, 2 when idle.
SIZE = Reserved(memory_bytes=2 * GIB, cpus=1.0)
MOST = 3501


@dataclass
class World:
    """A machine with one server, seen by one hub after another."""

    folder: Path
    quota: Any
    boot: float = 1000.0
    wall: datetime = field(default_factory=lambda: datetime(2026, 3, 1, tzinfo=UTC))
    alive: bool = True
    used: Usage = field(default_factory=Usage)
    lost: bool = False

    def __post_init__(self) -> None:
        self.hub()

    def hub(self) -> Teller:
        """A fresh start of the hub."""
        self.records = Records(self.folder)
        self.teller = Teller(
            self.quota,
            gauge=self,
            records=self.records,
            policy=Policy(),
            clock=lambda: self.boot,
            now=lambda: self.wall,
        )
        return self.teller

    def read(self, handle: dict[str, str]) -> Reading:
        return Reading(alive=self.alive, usage=Usage() if self.lost else self.used)

    def end(self, handle: dict[str, str]) -> bool:
        self.alive = False
        return True

    def passes(self, seconds: float, *, busy: float = 0.0) -> None:
        self.boot += seconds
        self.wall += timedelta(seconds=seconds)
        if self.alive:
            self.used = Usage(
                wall_seconds=self.used.wall_seconds + seconds, cpu_seconds=self.used.cpu_seconds + seconds * busy
            )


@pytest.fixture
def world(tmp_path: Path, lab_quota: ModuleType) -> World:
    return World(tmp_path, lab_quota.LabQuotaDouble(wallets={"ada": 100_000}))


def record() -> Record:
    return Record(id="a1", user="ada", server="", title="Standard", reserved=SIZE, handle={"place": "ada@1"})


def started(world: World) -> Record:
    answer = world.teller.admit(record())
    assert isinstance(answer, Record)
    return world.teller.keep(replace(answer, phase=Phase.RUNNING))


def paid(world: World) -> int:
    return 100_000 - world.quota.wallets["ada"]


def test_the_first_hour_is_held_and_the_use_is_captured(world: World) -> None:
    found = started(world)
    assert world.quota.free("ada") == 100_000 - MOST
    world.passes(1800, busy=0.5)
    world.alive = False
    assert world.teller.settle(world.teller.close(found))
    # Half an hour of 2 GB, a quarter of a CPU-hour.
    assert paid(world) == 1000 + 375
    assert world.quota.free("ada") == world.quota.wallets["ada"]
    assert world.records.load() == []
    [event] = world.quota.events.values()
    assert event.final
    assert event.usage == {"wall_seconds": 1800.0, "cpu_seconds": 900.0, "memory_mb_seconds": 1800.0 * 2048}


def test_a_wallet_that_lacks_the_first_hour_is_refused_and_nothing_stays(world: World) -> None:
    world.quota.wallets["ada"] = 3000
    answer = world.teller.admit(record())
    assert isinstance(answer, Refused)
    assert (answer.needed, answer.refusal.left) == (MOST, 3000)
    assert world.records.load() == []
    assert not world.quota.holds


def test_a_start_that_failed_costs_nothing(world: World) -> None:
    found = started(world)
    world.passes(40, busy=1)
    assert world.teller.settle(world.teller.close(found, platforms_fault=True))
    assert paid(world) == 0
    assert world.quota.free("ada") == 100_000
    assert [event.fault for event in world.quota.events.values()] == [Fault.PLATFORM]


def test_the_hold_stays_ahead_for_days_and_nothing_is_paid_twice(world: World) -> None:
    found = started(world)
    for beat in range(3 * 24 * 4):
        world.passes(900, busy=0.25)
        if beat % 20 == 19:
            # The hub restarts, with all that it had only in memory.
            world.hub()
            [found] = world.records.load()
        beat_ = world.teller.beat(found)
        assert not beat_.stop
        found = beat_.record
        assert found.hold is not None
        world.teller.report([found])
        if world.quota.free("ada") < 10_000:
            world.quota.wallets["ada"] += 100_000
    before = world.quota.wallets["ada"]
    assert len(world.quota.holds) == 1
    closed = world.teller.close(found)
    assert world.teller.settle(closed)
    cost = before - world.quota.wallets["ada"]
    assert cost == 72 * 2000 + 18 * 1500
    # Whatever is repeated after a crash changes nothing.
    world.hub()
    assert world.teller.settle(closed)
    assert before - world.quota.wallets["ada"] == cost


def test_a_step_of_the_clock_changes_nothing(world: World) -> None:
    found = started(world)
    for step in (timedelta(days=30), timedelta(days=-60), timedelta(seconds=7)):
        world.wall += step
        world.passes(600)
        beat = world.teller.beat(found)
        found = beat.record
        assert not beat.stop
        world.teller.report([found])
    assert world.teller.settle(world.teller.close(found))
    assert paid(world) == 1000
    sequences = [event.sequence for event in world.quota.events.values()]
    assert sequences == sorted(set(sequences))


def test_five_credits_warn_once_each_and_stop(world: World) -> None:
    world.quota.wallets["ada"] = 5000
    found = started(world)
    warned: list[Alarm] = []
    for _ in range(500):
        world.passes(30, busy=1)
        if warned:
            # A restart must not repeat a warning.
            world.hub()
            [found] = world.records.load()
        beat = world.teller.beat(found)
        found = beat.record
        warned += [one.kind for one in beat.warnings]
        if beat.stop:
            break
    assert beat.stop
    assert sorted(warned) == [Alarm.MINUTES, Alarm.SHARE]
    world.passes(60, busy=1)
    assert world.teller.settle(world.teller.close(found))
    assert 0 <= world.quota.wallets["ada"] < 100
    assert world.quota.holds["lab-a1"].captured <= world.quota.holds["lab-a1"].amount == 5000


def test_a_server_that_died_while_the_hub_was_down_pays_what_was_seen_last(world: World) -> None:
    found = started(world)
    world.passes(600)
    world.teller.beat(found)
    world.passes(3 * HOUR)
    # The machine went down: not even its warden can say more.
    world.alive, world.lost = False, True
    world.hub()
    [found] = world.records.load()
    assert world.teller.settle(world.teller.close(found))
    assert paid(world) == round(600 / HOUR * 2000)


def test_a_lost_answer_to_the_hold_is_given_back(world: World) -> None:
    world.quota.lose_answers = 1
    with pytest.raises(Unavailable):
        world.teller.admit(record())
    assert world.quota.free("ada") < 100_000
    world.boot += 60
    world.hub()
    [found] = world.records.load()
    assert found.hold is None
    assert world.teller.settle(world.teller.close(found, platforms_fault=True))
    assert world.quota.free("ada") == 100_000
    assert paid(world) == 0


@pytest.mark.parametrize("crash", range(12))
def test_killed_at_any_write_the_hold_is_paid_once_or_given_back(world: World, crash: int) -> None:
    """The hub dies at its n-th write to disk or call to the quota service, and comes again."""

    class Killed(BaseException):
        pass

    left = crash

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    records, quota = world.records, world.quota
    save, asked = records.save, quota._asked

    def saving(one: Record) -> Record:
        count()
        return save(one)

    def asking(what: str) -> None:
        count()
        asked(what)

    records.save, quota._asked = saving, asking  # type: ignore[method-assign]
    ran = False
    try:
        found = started(world)
        ran = True
        world.passes(HOUR - 60)
        found = world.teller.beat(found).record
        world.teller.report([found])
        world.alive = False
        world.teller.settle(world.teller.close(found))
    except Killed:
        pass
    del quota._asked  # type: ignore[method-assign]
    world.alive = False
    world.hub()
    for one in world.records.load():
        ended = one if one.phase is Phase.ENDED else world.teller.close(one, platforms_fault=not ran)
        assert world.teller.settle(ended)
    assert world.records.load() == []
    assert not [hold for hold in quota.holds.values() if hold.status == "held"]
    full = round((HOUR - 60) / HOUR * 2000)
    assert paid(world) == (full if ran else 0)


def test_a_hold_that_expired_while_the_machine_slept_is_replaced_and_only_new_use_is_paid(world: World) -> None:
    found = started(world)
    world.passes(600)
    found = world.teller.beat(found).record
    world.passes(30 * HOUR)
    world.quota.expire("lab-a1")
    beat = world.teller.beat(found)
    assert not beat.stop
    assert beat.record.hold is not None
    assert beat.record.hold.id == "lab-a1-2"
    world.passes(1800)
    assert world.teller.settle(world.teller.close(beat.record))
    assert paid(world) == 1000


def test_a_hold_that_the_service_settled_by_itself_stays_settled(world: World) -> None:
    """Overdue and metered, it is captured by its last report; that is no reason to give anything back."""
    found = started(world)
    world.passes(1800)
    found = world.teller.beat(found).record
    world.quota.settle("lab-a1", usage={"memory_mb_seconds": 1800 * 2048.0}, fault=Fault.NONE)
    world.passes(1800)
    beat = world.teller.beat(found)
    assert beat.record.hold is not None
    assert beat.record.hold.id == "lab-a1-2"
    world.passes(1800)
    assert world.teller.settle(world.teller.close(beat.record))
    assert paid(world) == 2000


def test_servers_go_on_while_the_quota_service_is_silent(world: World) -> None:
    world.quota.wallets["ada"] = 5000
    found = started(world)
    world.quota.down = True
    for _ in range(20):
        world.passes(600, busy=1)
        beat = world.teller.beat(found)
        found = beat.record
        assert not beat.stop
        assert not beat.warnings
        world.teller.report([found])
    world.quota.down = False
    world.passes(60)
    beat = world.teller.beat(found)
    assert beat.stop
    assert world.teller.settle(world.teller.close(beat.record))
    # Far more was used; what is taken is what was held.
    assert world.quota.wallets["ada"] == 0


def test_after_a_silence_not_every_server_waits_for_its_own_answer(world: World) -> None:
    found = started(world)
    world.quota.down = True
    world.passes(HOUR)
    world.quota.calls.clear()
    for _ in range(50):
        world.teller.beat(found)
    assert len(world.quota.calls) == 1


def test_a_server_that_was_never_held_for_is_paid_from_when_it_can_be(world: World) -> None:
    found = world.teller.keep(replace(record(), phase=Phase.RUNNING, holds=1, unanswered=True))
    world.passes(HOUR)
    beat = world.teller.beat(found)
    assert beat.record.hold is not None
    world.passes(1800)
    assert world.teller.settle(world.teller.close(beat.record))
    assert paid(world) == 1000


def test_a_running_server_that_nothing_pays_for_is_paid_as_far_as_it_goes(world: World) -> None:
    world.quota.wallets["ada"] = 1000
    found = world.teller.keep(replace(record(), phase=Phase.RUNNING))
    world.passes(60)
    beat = world.teller.beat(found)
    assert not beat.stop
    assert beat.record.hold is not None
    assert beat.record.hold.amount == 1000
    world.quota.wallets["ada"] = 0
    other = world.teller.keep(replace(record(), id="b2", phase=Phase.RUNNING))
    assert world.teller.beat(other).stop


def test_a_record_survives_being_written(world: World) -> None:
    found = replace(started(world), warned=frozenset({Alarm.SHARE}), usage=Usage(wall_seconds=1.5, cpu_seconds=0.25))
    assert Record.from_json(found.to_json()) == found


def test_a_record_that_cant_be_understood_is_moved_aside(world: World) -> None:
    started(world)
    (world.folder / "zz.json").write_text('{"id": "zz"}')
    assert [found.id for found in world.records.load()] == ["a1"]
    assert (world.folder / "zz.unreadable").exists()


def test_by_the_services_own_rules_an_hour_and_a_half_is_held_reported_and_paid_once(tmp_path: Path) -> None:
    """The double above is ours; this is what the quota service does."""
    quota = FakeQuotaClient(clock=lambda: world.wall)
    world = World(tmp_path, quota)
    before = quota.wallet("ada").available
    found = started(world)
    assert before - quota.wallet("ada").available == MOST
    for _ in range(6):
        world.passes(900, busy=1)
        beat = world.teller.beat(found)
        found = beat.record
        world.teller.report([found])
        assert not beat.stop
    assert found.hold is not None
    assert found.hold.amount > MOST
    closed = world.teller.close(found)
    assert world.teller.settle(closed)
    assert world.teller.settle(closed)
    assert before - quota.wallet("ada").available == 1.5 * 3500
    assert quota.wallet("ada").held == 0
    assert quota.progress("lab-a1").final
    failed = world.teller.admit(replace(record(), id="b2"))
    assert isinstance(failed, Record)
    assert world.teller.settle(world.teller.close(replace(failed, usage=Usage(wall_seconds=9.0)), platforms_fault=True))
    assert before - quota.wallet("ada").available == 1.5 * 3500
    poor = world.teller.admit(replace(record(), id="c3", reserved=replace(SIZE, memory_bytes=2**50)))
    assert isinstance(poor, Refused)
    assert poor.refusal.mend
    assert poor.refusal.left == quota.wallet("ada").available
