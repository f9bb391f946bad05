"""Results are kept as long as the caller's tier says, then removed; a receipt stays true without them."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_marketplace.domain.keeping import FOR_EVER, Pin
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.keeping import TierDays
from swath_marketplace.store.keeping import KeepingStore
from swath_marketplace.testing import PREFIX, World, make_world, notebook, write_environment
from swath_service.errors import Unavailable

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Steps:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def go(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Steps:
    return Steps()


@pytest.fixture
def kept(tmp_path: Path, database_url: str, clock: Steps) -> Iterator[World]:
    write_environment(tmp_path, python=sys.executable)
    executor = FakeExecutor(RunFolders(tmp_path / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    made = make_world(
        tmp_path, database_url=database_url, executor=executor, clock=clock, slots_cpus=4, slots_memory_mb=8192
    )
    yield made
    made.made.database.dispose()


def http(world: World) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport, base_url=f"http://test{PREFIX}", headers={"Authorization": "Bearer bob"}
    )


async def finished(client: httpx.AsyncClient, world: World) -> str:
    await client.post("algorithms", json={"notebook": notebook()}, headers={"Authorization": "Bearer ada"})
    made = await client.post("runs", json={"algorithm": "ada/double", "parameters": {"n": 3}})
    run_id: str = made.json()["id"]
    world.look_until(run_id)
    world.made.results.look()
    return run_id


async def test_results_go_when_their_time_is_over_and_the_receipt_stays(kept: World, clock: Steps) -> None:
    async with http(kept) as client:
        run_id = await finished(client, kept)
        told = (await client.get(f"runs/{run_id}")).json()
        until = datetime.fromisoformat(told["kept_until"])
        assert (told["results_state"], until - datetime.fromisoformat(told["ended_at"])) == ("kept", timedelta(days=90))
        clock.go(days=84)
        assert kept.made.results.look() == 0
        assert (await client.get(f"runs/{run_id}")).json()["results_state"] == "expiring"
        assert (await client.get(f"runs/{run_id}/results/double")).content == b"6"
        receipt = (await client.get(f"runs/{run_id}/receipt")).json()
        clock.go(days=6)
        assert kept.made.results.look() == 1
        assert kept.made.results.look() == 0
        told = (await client.get(f"runs/{run_id}")).json()
        assert (told["status"], told["results_state"]) == ("finished", "expired")
        assert told["results_expired_at"]
        assert [one["sha256"] for one in told["outputs"]] == [
            one["sha256"] for one in (await client.get(f"runs/{run_id}/results")).json()
        ]
        for path in ("results/double", "log"):
            gone = await client.get(f"runs/{run_id}/{path}")
            assert (gone.status_code, gone.json()["code"], gone.json()["run"]) == (410, "results-expired", run_id), path
            assert "reproduce" in gone.json()["mend"]
        assert (await client.get(f"runs/{run_id}/results/none")).status_code == 404
        assert "status" in (await client.get(f"runs/{run_id}/events")).text
        assert (await client.get(f"runs/{run_id}/receipt")).json()["receipt"] == receipt["receipt"]
        assert list((kept.settings.data / "marketplace" / "runs").iterdir()) == []
        again = await client.post(f"runs/{run_id}/reproductions")
        assert again.status_code == 202


@pytest.mark.parametrize("where", ["after expiring", "after hiding", "half removed"])
async def test_a_crash_between_is_gone_on_from(
    kept: World, clock: Steps, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http(kept) as client:
        run_id = await finished(client, kept)
        clock.go(days=90)
        folders = kept.made.folders
        folder = folders.of(run_id).path

        def dies(*_: Any) -> bool:
            if where != "after expiring":
                folder.rename(folder.with_name(f".{run_id}.trash"))
            if where == "half removed":
                folder.mkdir()
            raise OSError("killed")

        with monkeypatch.context() as killed:
            killed.setattr(folders, "discard", dies)
            with pytest.raises(OSError, match="killed"):
                kept.made.results.look()
        assert (await client.get(f"runs/{run_id}/results/double")).status_code == 410
        assert kept.made.results.look() == 1
        assert list(folder.parent.iterdir()) == []


async def test_what_is_pinned_stays_until_nothing_pins_it(kept: World, clock: Steps) -> None:
    store = KeepingStore(kept.made.database)
    async with http(kept) as client:
        run_id = await finished(client, kept)
        pin = Pin(run_id=run_id, reason="example", pinned_by="ada", pinned_at=clock())
        assert store.pin(pin)
        assert store.pin(pin)
        assert store.pinned() == {run_id}
        clock.go(days=400)
        assert kept.made.results.look() == 0
        assert (await client.get(f"runs/{run_id}/results/double")).status_code == 200
        store.unpin(run_id, reason="example")
        # An open reproduction compares with them.
        asked = (await client.post(f"runs/{run_id}/reproductions")).json()
        assert kept.made.results.look() == 0
        assert asked["stage"] != "ended"
        for _ in range(50):
            kept.made.reproduction_keeper.look()
            kept.made.reconciler.look()
        assert (await client.get(f"reproductions/{asked['id']}")).json()["stage"] == "ended"
        kept.made.results.look()
        assert (await client.get(f"runs/{run_id}/results/double")).status_code == 410
        assert not store.pin(pin)


async def test_a_run_that_goes_on_is_not_touched(kept: World, clock: Steps) -> None:
    async with http(kept) as client:
        await client.post("algorithms", json={"notebook": notebook()}, headers={"Authorization": "Bearer ada"})
        kept.fake.hold_back = True
        run_id = (await client.post("runs", json={"algorithm": "ada/double", "parameters": {"n": 3}})).json()["id"]
        clock.go(days=400)
        assert kept.made.results.look() == 0
        told = (await client.get(f"runs/{run_id}")).json()
        assert (told["results_state"], told["kept_until"]) == (None, None)


class Silent:
    """A quota service that tells what it is given to tell."""

    def __init__(self, hard: int | None, *, says: bool = True, answers: bool = True) -> None:
        self.hard, self.says, self.answers = hard, says, answers

    def __call__(self, _: str) -> Silent:
        if not self.answers:
            raise Unavailable(code="quota-unreachable", message="no answer")
        return self

    def limit(self, name: str) -> Silent | None:
        assert name == "results.days"
        return self if self.says else None


@pytest.mark.parametrize(
    ("quota", "days"),
    [
        (Silent(None), None),
        (Silent(5), 5),
        (Silent(0), 0),
        (Silent(5, says=False), 90),
        (Silent(5, answers=False), -1),
    ],
)
async def test_the_tier_says_how_long(kept: World, clock: Steps, quota: Silent, days: int | None) -> None:
    quota = copy.copy(quota)
    keeper = kept.made.results
    keeper._days = TierDays(quota, default=timedelta(days=90), benchmarks=timedelta(days=7))
    async with http(kept) as client:
        run_id = await finished(client, kept)
        run = kept.run(run_id)
        assert run.ended_at
        if days == -1:
            # Of what nobody knows the time nothing is removed; it is asked again.
            clock.go(days=400)
            assert keeper.look() == 0
            assert kept.run(run_id).kept_until is None
            quota.answers = True
            keeper.look()
            # Found out late, it is kept for a while from then.
            assert kept.run(run_id).kept_until == clock() + timedelta(days=14)
            return
        assert run.kept_until == (FOR_EVER if days is None else run.ended_at + timedelta(days=days))
        if days is None:
            clock.go(days=10_000)
            assert keeper.look() == 0
            assert (await client.get(f"runs/{run_id}")).json()["kept_until"] is None
            # What was promised is not taken back when the tier changes.
            quota.hard = 1
            keeper.look()
            assert kept.run(run_id).kept_until == FOR_EVER
