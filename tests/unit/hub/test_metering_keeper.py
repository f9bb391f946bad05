"""The loop over metered servers, with a hub that starts, stops, crashes and forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from swath_hub.metering.decisions import Policy, Warn
from swath_hub.metering.gauge import Reading
from swath_hub.metering.keeper import Keeper, Known
from swath_hub.metering.record import Record
from swath_hub.metering.records import Records
from swath_hub.metering.teller import Refused, Teller
from swath_hub.metering.usage import Reserved, Usage
from swath_service.errors import Unavailable

SIZE = Reserved(memory_bytes=2 * 2**30, cpus=1.0)


@dataclass
class Hub:
    """A hub's side, and the machine under it."""

    folder: Path
    quota: Any
    boot: float = 0.0
    known: dict[str, Known] = field(default_factory=dict)
    running: dict[str, float] = field(default_factory=dict)
    """When each place was started."""
    ended: dict[str, Usage] = field(default_factory=dict)
    warned: list[Warn] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2))

    def keeper(self) -> Keeper:
        records = Records(self.folder)
        teller = Teller(self.quota, gauge=self, records=records, policy=Policy(), clock=lambda: self.boot)
        self.now = Keeper(teller, self, threads=self.threads, heartbeat_seconds=3600)
        return self.now

    # The gauge

    def read(self, handle: dict[str, str]) -> Reading:
        place = handle.get("place", "")
        if place in self.running:
            return Reading(alive=True, usage=Usage(wall_seconds=self.boot - self.running[place]))
        return Reading(alive=False, usage=self.ended.get(place, Usage()))

    def end(self, handle: dict[str, str]) -> bool:
        place = handle.get("place", "")
        if place in self.running:
            self.ended[place] = Usage(wall_seconds=self.boot - self.running.pop(place))
        return True

    # The side

    def servers(self) -> list[Known]:
        return list(self.known.values())

    async def warn(self, record: Record, warn: Warn) -> None:
        self.warned.append(warn)

    async def stop_gracefully(self, record: Record) -> None:
        self.stopped.append(record.user)
        await self.stop(record.user)

    # A user

    async def start(self, user: str, *, unpaid: bool = False) -> Record | Refused:
        """As the hub does: hold, tell the place, start, know it."""
        answer = await self.now.admit(user, "", title="Standard", reserved=SIZE, unpaid=unpaid)
        if isinstance(answer, Record):
            place = f"{user}@{len(self.running) + len(self.ended)}"
            await self.now.handle((user, ""), {"place": place})
            self.running[place] = self.boot
            self.know(user, place)
        return answer

    def know(self, user: str, place: str, *, pending: bool = False) -> None:
        self.known[user] = Known(
            user=user, server="", title="Standard", reserved=SIZE, handle={"place": place}, pending=pending
        )

    async def stop(self, user: str, *, failed: bool = False) -> None:
        self.end(self.known.pop(user).handle)
        await self.now.ended((user, ""), failed=failed)
        await self.now.settle()


@pytest.fixture
async def hub(tmp_path: Path, lab_quota: ModuleType) -> AsyncIterator[Hub]:
    made = Hub(tmp_path, lab_quota.LabQuotaDouble(wallets={"ada": 50_000, "ben": 50_000}))
    await made.keeper().begin()
    yield made
    await made.now.end()
    made.threads.shutdown()


async def restarted(hub: Hub) -> None:
    await hub.now.end()
    await hub.keeper().begin()


def paid(hub: Hub, user: str = "ada") -> int:
    return 50_000 - int(hub.quota.wallets[user])


async def test_a_life_is_held_for_reported_and_paid(hub: Hub) -> None:
    await hub.start("ada")
    hub.boot += 1800
    await hub.now.tick()
    assert [event.usage["wall_seconds"] for event in hub.quota.events.values()] == [1800]
    await hub.stop("ada")
    assert paid(hub) == 1000
    assert hub.quota.free("ada") == 49_000


async def test_stopped_between_two_looks_it_is_paid_all_the_same(hub: Hub) -> None:
    await hub.start("ada")
    hub.boot += 20
    await hub.stop("ada")
    assert paid(hub) == 11


async def test_a_start_that_failed_is_not(hub: Hub) -> None:
    await hub.start("ada")
    hub.boot += 60
    await hub.stop("ada", failed=True)
    assert paid(hub) == 0
    assert hub.quota.free("ada") == 50_000


async def test_after_a_restart_the_same_hold_pays(hub: Hub) -> None:
    await hub.start("ada")
    hub.boot += 600
    await restarted(hub)
    hub.boot += 600
    await hub.now.tick()
    await restarted(hub)
    await hub.now.tick()
    hub.boot += 600
    await hub.stop("ada")
    assert len(hub.quota.holds) == 1
    assert paid(hub) == 1000


async def test_what_died_while_the_hub_was_down_is_settled(hub: Hub) -> None:
    await hub.start("ada")
    await hub.now.tick()
    hub.boot += 1800
    await hub.now.end()
    hub.end(hub.known.pop("ada").handle)
    hub.boot += 7200
    await hub.keeper().begin()
    await hub.now.tick()
    assert paid(hub) == 1000


async def test_what_starts_and_stops_is_left_alone(hub: Hub) -> None:
    await hub.start("ada")
    hub.know("ada", "ada@0", pending=True)
    hub.boot += 600
    await hub.now.tick()
    assert not hub.quota.events
    assert "extend" not in hub.quota.calls


async def test_a_crash_between_the_start_and_the_hubs_memory_of_it_ends_the_server_unpaid(hub: Hub) -> None:
    await hub.start("ada")
    hub.known.clear()
    await restarted(hub)
    hub.boot += 60
    await hub.now.tick()
    assert hub.running, "seen once only: the hub may be about to find it"
    await hub.now.tick()
    assert not hub.running
    await hub.now.tick()
    assert paid(hub) == 0
    assert hub.quota.free("ada") == 50_000


async def test_a_server_from_before_metering_is_taken_up(hub: Hub) -> None:
    hub.running["ada@old"] = hub.boot
    hub.know("ada", "ada@old")
    hub.boot += 7200
    await hub.now.tick()
    hub.boot += 1800
    await hub.now.tick()
    await hub.stop("ada")
    assert paid(hub) == 1000


async def test_out_of_credits_it_is_stopped_once(hub: Hub) -> None:
    hub.quota.wallets["ada"] = 4000
    await hub.start("ada")
    for _ in range(400):
        hub.boot += 30
        await hub.now.tick()
        await asyncio.sleep(0)
    assert hub.stopped == ["ada"]
    assert len(hub.warned) == 2
    assert hub.quota.wallets["ada"] >= 0


async def test_a_silent_quota_service_refuses_a_start_and_gives_back_what_it_may_have_held(hub: Hub) -> None:
    hub.quota.lose_answers = 1
    with pytest.raises(Unavailable):
        await hub.start("ada")
    assert hub.quota.free("ada") < 50_000
    hub.boot += 60
    await hub.now.tick()
    assert hub.quota.free("ada") == 50_000


async def test_where_allowed_it_starts_unpaid_and_is_held_for_later(hub: Hub) -> None:
    hub.quota.down = True
    assert isinstance(await hub.start("ada", unpaid=True), Record)
    hub.boot += 600
    await hub.now.tick()
    hub.quota.down = False
    hub.boot += 60
    await hub.now.tick()
    assert hub.quota.free("ada") < 50_000
    hub.boot += 1800
    await hub.stop("ada")
    assert paid(hub) == 1000


async def test_an_end_while_the_quota_service_is_silent_is_settled_later(hub: Hub) -> None:
    await hub.start("ada")
    hub.boot += 1800
    hub.quota.down = True
    await hub.stop("ada")
    assert paid(hub) == 0
    await restarted(hub)
    hub.quota.down = False
    hub.boot += 60
    await hub.now.tick()
    assert paid(hub) == 1000


async def test_a_new_start_settles_what_nobody_noticed_the_end_of(hub: Hub) -> None:
    await hub.start("ada")
    hub.boot += 1800
    hub.end(hub.known.pop("ada").handle)
    await hub.start("ada")
    await hub.now.tick()
    assert paid(hub) == 1000
    assert len([hold for hold in hub.quota.holds.values() if hold.status == "held"]) == 1


async def test_two_users_pay_for_themselves(hub: Hub) -> None:
    await asyncio.gather(hub.start("ada"), hub.start("ben"))
    hub.boot += 1800
    await hub.now.tick()
    await asyncio.gather(hub.stop("ada"), hub.stop("ben"))
    assert (paid(hub), paid(hub, "ben")) == (1000, 1000)
    assert replace(SIZE) not in hub.now.reserved("ada", but="")
