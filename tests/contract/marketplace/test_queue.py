"""Shares in SQL are what the runs make them: in the transaction of an admission and of an end, on both databases."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from swath_marketplace.domain import transitions
from swath_marketplace.domain.algorithms import AlgorithmVersion, Resources
from swath_marketplace.domain.endings import Ending
from swath_marketplace.domain.fairness import Slots, Terms
from swath_marketplace.domain.runs import Checkpoint, ErrorInfo, Run, RunStatus, Stage, Usage
from swath_marketplace.domain.shares import Rules, Share
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.database import Database
from swath_marketplace.store.runs import RunStore

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RULES = Rules(half_life_seconds=3600)
SLOTS = Slots(cpus=4, memory_mb=8000, per_caller=2)
FINISHED = Ending(outcome=RunStatus.FINISHED)
FAULT = Ending(outcome=RunStatus.ERROR, error=ErrorInfo(code="runner-lost", message="gone"), platform_fault=True)


@pytest.fixture
def store(database: Database) -> RunStore:
    return RunStore(database, rules=RULES)


@pytest.fixture
def held(store: RunStore, database: Database) -> Callable[..., Run]:
    version = AlgorithmVersion(
        algorithm_id="",
        owner="ada",
        name="double",
        version="1.0.0",
        digest="sha256:1",
        notebook_sha256="0" * 64,
        interface={"parameters": [], "outputs": []},
        metadata={"title": "t", "summary": "s", "keywords": []},
        environment="eo",
        environment_lock_sha256="1" * 64,
        resources=Resources(),
        published_at=NOW,
    )

    def decide(algorithm_id: str, _: Any) -> AlgorithmVersion:
        from dataclasses import replace

        return replace(version, algorithm_id=algorithm_id)

    algorithm_id = AlgorithmStore(database).publish(owner="ada", name="double", at=NOW, decide=decide)[0].algorithm_id

    def made(run_id: str, caller: str = "bob", *, at: datetime = NOW, **resources: Any) -> Run:
        run = Run(
            id=run_id,
            algorithm_id=algorithm_id,
            owner="ada",
            name="double",
            version="1.0.0",
            digest="sha256:1",
            caller=caller,
            parameters={},
            resources=Resources(**{"cpus": 1, "memory_mb": 1000, "wall_seconds": 100, **resources}),
            quote_millicredits=10**9,
            created_at=at,
        )
        stored = store.create(run, key=None, request_sha256="s", holder="me", until=at)[0]
        return store.save(transitions.held(stored, at=at), keep_lease=False)

    return made


def admit(store: RunStore, *, at: datetime = NOW, **more: Any) -> list[str]:
    return list(store.admit(holder="me", until=at + timedelta(minutes=1), now=at, **{"slots": SLOTS, **more}))


def end(store: RunStore, run_id: str, *, seconds: float, ending: Ending = FINISHED) -> None:
    run = store.get(run_id)
    assert run
    run = store.save(transitions.started(run, at=NOW))
    run = store.save(transitions.process_over(run))
    usage = Usage(wall_seconds=seconds, cpu_seconds=seconds, memory_mb=run.resources.memory_mb)
    store.save(transitions.ended(run, ending, usage=usage, outputs=()))


def as_recomputed(store: RunStore) -> dict[str, Share]:
    kept = store.queue.shares()
    made = store.queue.rebuild(now=NOW + timedelta(days=1))
    assert set(kept) == set(made)
    for caller, share in made.items():
        assert kept[caller].at == share.at
        assert kept[caller].cpu_seconds == pytest.approx(share.cpu_seconds, rel=1e-9, abs=1e-9)
        assert kept[caller].memory_mb_seconds == pytest.approx(share.memory_mb_seconds, rel=1e-9, abs=1e-9)
    assert dict(store.queue.shares()) == dict(made)
    return dict(kept)


def test_an_admission_charges_the_limit_and_the_end_what_was_taken(store: RunStore, held: Callable[..., Run]) -> None:
    held("r1", wall_seconds=600, cpus=2)
    assert store.queue.shares() == {}
    assert admit(store) == ["r1"]
    run = store.get("r1")
    assert run
    assert (run.stage, run.admitted_at) == (Stage.STARTING, NOW)
    assert store.queue.shares()["bob"] == Share(caller="bob", cpu_seconds=1200, memory_mb_seconds=600_000, at=NOW)
    end(store, "r1", seconds=60.5)
    assert as_recomputed(store)["bob"].cpu_seconds == 121


def test_a_fault_of_the_platform_counts_nothing(store: RunStore, held: Callable[..., Run]) -> None:
    held("r1")
    admit(store)
    end(store, "r1", seconds=50, ending=FAULT)
    assert as_recomputed(store)["bob"].cpu_seconds == 0


def test_a_run_that_never_started_counts_nothing(store: RunStore, held: Callable[..., Run]) -> None:
    held("r1")
    admit(store)
    run = store.get("r1")
    assert run
    store.save(transitions.never_started(run, RunStatus.CANCELED))
    assert as_recomputed(store)["bob"].cpu_seconds == 0


def test_a_clock_that_goes_back_forgets_nothing(store: RunStore, held: Callable[..., Run]) -> None:
    later, earlier = NOW + timedelta(hours=1), NOW - timedelta(days=30)
    held("r1", "bob"), held("r2", "cyd")
    assert len(admit(store, at=later)) == 2
    held("r3", "bob", at=earlier)
    assert admit(store, at=earlier) == ["r3"]
    run = store.get("r3")
    assert run
    assert run.admitted_at == later, "on the queue's clock"
    assert as_recomputed(store)["bob"].cpu_seconds == 200


def test_shares_survive_a_changed_half_life_and_a_lost_table(
    store: RunStore, held: Callable[..., Run], database: Database
) -> None:
    held("r1")
    admit(store)
    held("r2")
    assert admit(store, at=NOW + timedelta(hours=1)) == ["r2"]
    kept = store.queue.shares()
    assert kept["bob"].cpu_seconds == pytest.approx(150)
    with database.write() as connection:
        connection.execute(sa.text("DELETE FROM shares"))
    assert store.queue.rebuild(now=NOW + timedelta(days=1)) == kept
    other = RunStore(database, rules=Rules(half_life_seconds=1800))
    assert other.queue.rebuild(now=NOW + timedelta(days=1))["bob"].cpu_seconds == pytest.approx(125)


def test_a_clock_that_ran_ahead_and_was_mended_holds_nobody_up(store: RunStore, held: Callable[..., Run]) -> None:
    held("r1", wall_seconds=100)
    assert admit(store, at=NOW + timedelta(days=3650)) == ["r1"]
    run = store.get("r1")
    assert run
    made = store.queue.rebuild(now=NOW)
    assert (
        made == store.queue.shares() == {"bob": Share(caller="bob", cpu_seconds=100, memory_mb_seconds=100_000, at=NOW)}
    )
    run = store.save(transitions.started(run, at=NOW))
    run = store.save(transitions.process_over(run))
    usage = Usage(wall_seconds=40, memory_mb=1000)
    store.save(transitions.ended(run, FINISHED, usage=usage, outputs=()))
    assert as_recomputed(store)["bob"].cpu_seconds == 40, "also for one who read the run before"


def test_a_caller_with_many_runs_hides_nobody(store: RunStore, held: Callable[..., Run]) -> None:
    for number in range(120):
        held(f"a{number:03d}", "ada")
    held("b", "bob", at=NOW + timedelta(seconds=1))
    assert admit(store, slots=Slots(cpus=2, memory_mb=8000)) == ["a000", "b"]


def test_terms_of_tiers_are_kept(store: RunStore, held: Callable[..., Run]) -> None:
    for number in range(4):
        held(f"a{number}", "ada")
    assert admit(store, terms={"ada": Terms(concurrent=3)}) == ["a0", "a1", "a2"]


def test_many_reconcilers_charge_each_run_once(store: RunStore, held: Callable[..., Run], database: Database) -> None:
    chance = random.Random(7)
    for number in range(24):
        held(f"r{number:02d}", chance.choice(["ada", "bob", "cyd"]))
    roomy = Slots(cpus=100, memory_mb=10**6, per_caller=100)
    given: list[str] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            mine = RunStore(database, rules=RULES)
            for run_id in admit(mine, slots=roomy):
                given.append(run_id)
                end(mine, run_id, seconds=chance.uniform(1, 100))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(given) == [f"r{number:02d}" for number in range(24)]
    as_recomputed(store)


def test_ends_in_a_row_from_many_threads_lose_no_charge(store: RunStore, held: Callable[..., Run]) -> None:
    for number in range(12):
        held(f"r{number:02d}")
    assert len(admit(store, slots=Slots(cpus=100, memory_mb=10**6, per_caller=100))) == 12
    failures: list[BaseException] = []

    def one(number: int) -> None:
        try:
            end(store, f"r{number:02d}", seconds=number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert as_recomputed(store)["bob"].cpu_seconds == sum(range(12))


def test_a_checkpoint_is_saved_told_once_and_comes_back(store: RunStore, held: Callable[..., Run]) -> None:
    held("r1")
    admit(store)
    run = store.get("r1")
    assert run
    run = store.save(transitions.started(run, at=NOW))
    asked = Checkpoint(code="budget-reached", message="m", asked_at=NOW, stop_after_seconds=31.25)
    run = store.save(transitions.checkpoint_asked(run, asked))
    run = store.save(transitions.checkpoint_asked(run, asked))
    run = store.save(transitions.hold_extended(run, 2 * 10**9))
    assert store.get("r1") == run
    assert (run.checkpoint, run.quote_millicredits) == (asked, 2 * 10**9)
    events = [event for event in store.status_events("r1") if event.detail]
    assert [(event.detail["type"], event.detail["code"], event.at) for event in events] == [
        ("checkpoint-requested", "budget-reached", NOW)
    ]
