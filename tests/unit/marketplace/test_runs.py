"""Runs from request to settlement, over a fake executor and a fake quota service."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.domain.errors import EnvironmentGone, KeyReused, LeaseLost, RunNotTerminal, RunRefused
from swath_marketplace.domain.runs import Run, RunStatus, SettlementKind, Stage
from swath_marketplace.executors.fake import finishing, process_end, write_report
from swath_marketplace.run_folder import RunFolder, RunFolders
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import World, notebook, operator, service, user, write_environment
from swath_quota.client import Hold, HoldStatus
from swath_service.errors import Forbidden, Invalid, NotFound, Unauthenticated, Unavailable

ADA, BOB = user("ada"), user("bob")


@pytest.fixture(autouse=True)
def _published(world: World) -> None:
    world.registry.publish(ADA, notebook(), version="1.0.0")


def ask(world: World, actor: Any = BOB, *, key: str | None = None, **more: Any) -> Run:
    asked = {"algorithm": "ada/double@^1", "parameters": {"n": 3}, **more}
    return world.runs.create(actor, RunRequest(**asked), key=key)[0]


def hold_of(world: World, run: Run) -> Hold:
    hold = world.quota.get_hold(run.hold_id)
    assert hold is not None
    return hold


def test_a_run_is_held_started_collected_and_settled(world: World) -> None:
    run = ask(world)
    assert (run.status, run.parameters) == (RunStatus.QUEUED, {"n": 3})
    assert hold_of(world, run).amount == run.quote_millicredits == world.quota.wallet("bob").held
    done = world.look_until(run.id)
    assert done.status is RunStatus.FINISHED
    assert (done.settlement, done.progress) == (SettlementKind.CAPTURED, 1.0)
    hold = hold_of(world, run)
    assert (hold.status, hold.captured) == (HoldStatus.CAPTURED, done.cost_millicredits)
    wallet = world.quota.wallet("bob")
    assert (wallet.held, wallet.entries[0].amount) == (0, done.cost_millicredits)
    assert world.quota.wallet("ada").balance == wallet.balance + (done.cost_millicredits or 0), (
        "the author pays nothing"
    )
    assert [event.status.value for event in world.made.context.run_store.status_events(run.id)] == [
        "created",
        "queued",
        "running",
        "finished",
    ]
    assert world.fake.forgotten == {run.id}


def test_the_cost_is_the_formula_over_what_was_measured(world: World) -> None:
    world.fake.script = finishing(outputs={"double": b"6"}, cpu_seconds=3600)
    done = world.look_until(ask(world).id)
    # 1 CPU-hour and an hour of 2 GB and the fee are 1.5 + 2 + 2 credits: above what 900 s may cost, so capped there.
    assert done.cost_millicredits == done.quote_millicredits == 375 + 500 + 2000
    world.fake.script = finishing(outputs={"double": b"6"}, cpu_seconds=36)
    assert world.look_until(ask(world).id).cost_millicredits == 15 + 20 + 2000


@pytest.mark.parametrize(
    ("end", "status", "charged"),
    [
        (process_end(reason="time-limit", cpu_seconds=36), "error", True),
        (process_end(exit_code=1, cpu_seconds=36), "error", True),
        (process_end(reason="failed-to-start"), "error", False),
        (None, "error", False),
    ],
    ids=["time-limit", "died", "failed-to-start", "lost"],
)
def test_what_the_platform_is_to_blame_for_is_free(world: World, end: Any, status: str, charged: bool) -> None:
    world.fake.script = lambda run, folder: end
    done = world.look_until(ask(world).id)
    assert done.status.value == status
    assert done.error is not None
    assert bool(done.cost_millicredits) == charged
    assert hold_of(world, done).status is (HoldStatus.CAPTURED if charged else HoldStatus.RELEASED)
    assert world.quota.wallet("bob").held == 0


def test_what_a_run_used_is_metered_once(world: World) -> None:
    world.fake.script = finishing(outputs={"double": b"6" * 2**20}, cpu_seconds=36)
    done = world.look_until(ask(world).id)
    [told] = world.quota.usage("bob").meters
    assert (told.hold_id, told.cost, told.final) == (done.hold_id, done.cost_millicredits, True)
    assert told.usage == hold_of(world, done).usage
    assert done.usage
    assert told.usage["memory_mb_seconds"] == done.usage.memory_mb * done.usage.wall_seconds
    kept = sum(output.bytes for output in done.outputs) / 2**20
    assert told.usage["storage_mb"] == pytest.approx(kept, abs=1e-6)
    assert kept >= 1


def test_time_in_the_queue_is_free(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.quota.assign_tier("bob", tier="general")
    world.fake.script = finishing(outputs={"double": b"6"}, cpu_seconds=36)
    at_once = world.look_until(ask(world).id)
    world.fake.hold_back = True
    waiting = [ask(world) for _ in range(3)][-1]
    world.made.reconciler.look()
    assert world.run(waiting.id).stage is Stage.HELD
    usage_then = world.quota.progress(waiting.hold_id)
    assert (usage_then.meter, usage_then.cost) == (None, 0), "nothing is metered while it waits"
    # An hour passes in the queue.
    later = world.made.reconciler._clock() + timedelta(hours=1)
    for part in (world.made.reconciler, world.made.reconciler._stepper, world.made.reconciler._stepper._cashier):
        monkeypatch.setattr(part, "_clock", lambda: later)
    world.fake.hold_back = False
    for run_id in list(world.fake.starts):
        world.fake.let_end(run_id)
    done = world.look_until(waiting.id)
    assert done.started_at
    assert done.queued_at
    assert (done.started_at - done.queued_at) >= timedelta(minutes=59)
    assert done.usage == at_once.usage
    assert done.cost_millicredits == at_once.cost_millicredits


def test_a_hold_that_is_gone_is_not_asked_for_twice(world: World) -> None:
    world.fake.hold_back = True
    run = ask(world)
    world.look_until(run.id, Stage.RUNNING)
    world.quota.release(run.hold_id, reason="by an operator")
    world.fake.let_end(run.id)
    done = world.look_until(run.id)
    assert (done.settlement, done.cost_millicredits) == (SettlementKind.RELEASED, 0)


def test_a_start_that_fails_ends_the_run_without_a_charge(world: World) -> None:
    world.fake.fail_start = "no bwrap here"
    done = world.look_until(ask(world).id)
    assert done.error
    assert (done.error.code, done.cost_millicredits) == ("failed-to-start", 0)
    assert "bwrap" not in done.error.message, "what is wrong with the machine is told in the log, not to the caller"
    assert hold_of(world, done).status is HoldStatus.RELEASED


def test_a_repeated_key_is_the_same_run(world: World) -> None:
    first = ask(world, key="k1")
    again, created = world.runs.create(BOB, RunRequest(algorithm="ada/double@^1", parameters={"n": 3}), key="k1")
    assert (again.id, created) == (first.id, False)
    assert world.runs.list(BOB, limit=10, offset=0)[1] == 1
    assert ask(world, ADA, key="k1").id != first.id, "keys belong to their caller"


def test_a_key_with_another_request_is_refused(world: World) -> None:
    ask(world, key="k1")
    with pytest.raises(KeyReused):
        ask(world, key="k1", parameters={"n": 4})
    assert world.runs.list(BOB, limit=10, offset=0)[1] == 1


def test_a_refusal_is_told_at_once_and_again(world: World) -> None:
    world.registry.publish(ADA, notebook(name="big", resources={"memory_mb": 8192, "wall_seconds": 86_400}))
    for run in range(80):
        try:
            ask(world, algorithm="ada/big", key=f"k{run}", parameters={})
        except RunRefused as refused:
            told, key = refused, f"k{run}"
            break
    else:
        pytest.fail("the wallet never ran dry")
    run_id = told.extra["run"]
    stored = world.run(run_id)
    assert stored.refusal
    assert (stored.status, stored.settlement) == (RunStatus.ERROR, SettlementKind.REFUSED)
    assert world.quota.get_hold(stored.hold_id) is None
    with pytest.raises(RunRefused) as again:
        ask(world, algorithm="ada/big", key=key, parameters={})
    assert again.value.extra["run"] == run_id
    assert run_id not in world.fake.starts


BAD = {
    "unknown parameter": ({"parameters": {"q": 1}}, "parameters-invalid"),
    "two faults at once": ({"parameters": {"n": "x", "q": 1}}, "parameters-invalid"),
    "mistyped": ({"parameters": {"n": "three"}}, "parameters-invalid"),
    "boolean for a number": ({"parameters": {"n": True}}, "parameters-invalid"),
    "null": ({"parameters": {"n": None}}, "parameters-invalid"),
    "code in a name": ({"parameters": {"n = 1; import os": 1}}, "parameters-invalid"),
    "not JSON": ({"parameters": {"n": float("nan")}}, "parameters-invalid"),
    "bad name": ({"algorithm": "double"}, "bad-reference"),
    "bad range": ({"algorithm": "ada/double@^^1"}, "bad-range"),
    "budget below the price": ({"budget_millicredits": 10}, "budget-too-small"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_has_its_own_error_and_leaves_nothing(world: World, case: str) -> None:
    change, code = BAD[case]
    with pytest.raises(Invalid) as refused:
        ask(world, **change)
    assert refused.value.code == code
    assert refused.value.mend or refused.value.findings
    if case == "two faults at once":
        assert {finding["field"] for finding in refused.value.findings} == {"n", "q"}
    assert world.runs.list(BOB, limit=10, offset=0)[1] == 0
    wallet = world.quota.wallet("bob")
    assert (wallet.held, wallet.available) == (0, wallet.balance)


def test_defaults_are_filled_in(world: World) -> None:
    assert ask(world, parameters={}).parameters == {"n": 3}


def test_a_version_whose_environment_changed_starts_nothing(world: World, data: Path) -> None:
    write_environment(data, python=sys.executable, lock="newer lock")
    with pytest.raises(EnvironmentGone):
        ask(world)
    assert world.runs.list(BOB, limit=10, offset=0)[1] == 0
    write_environment(data, python=sys.executable)
    assert ask(world).status is RunStatus.QUEUED


def test_a_quota_service_that_does_not_know_us_is_not_the_callers_trouble(world: World) -> None:
    ask(world)
    refusing = Unauthenticated(code="unknown-token", message="no", mend="")
    world.quota.hold = lambda **_: (_ for _ in ()).throw(refusing)  # type: ignore[method-assign]
    run = ask(world)
    assert run.status is RunStatus.CREATED
    del world.quota.hold
    assert world.look_until(run.id).status is RunStatus.FINISHED


def test_runs_are_of_users(world: World) -> None:
    with pytest.raises(Forbidden):
        ask(world, service("bob"))
    with pytest.raises(Forbidden):
        ask(world, user("bob", scopes=["custom:swath:read"]))


def test_a_run_is_seen_by_its_caller_and_operators_alone(world: World) -> None:
    run = ask(world)
    for actor in (ADA, user("cyd"), service("bob")):
        with pytest.raises(NotFound):
            world.runs.get(actor, run.id)
        with pytest.raises(NotFound):
            world.runs.cancel(actor, run.id)
    assert world.runs.get(operator(), run.id).id == run.id
    assert world.runs.list(ADA, limit=10, offset=0)[1] == 0
    assert world.runs.list(operator(), everybody=True, limit=10, offset=0)[1] == 1
    with pytest.raises(Forbidden):
        world.runs.list(ADA, everybody=True, limit=10, offset=0)
    assert world.registry.get(ADA, "ada/double").runs_count == 1


def test_quota_away_leaves_the_run_created_until_it_is_back(world: World) -> None:
    ask(world)  # prices are known from here on
    world.quota.down = True
    run = ask(world)
    assert run.status is RunStatus.CREATED
    world.made.reconciler.look()
    assert world.run(run.id).stage is Stage.CREATED
    world.quota.down = False
    assert world.look_until(run.id).status is RunStatus.FINISHED


def test_without_prices_nothing_is_begun(world: World) -> None:
    world.quota.down = True
    with pytest.raises(Unavailable):
        ask(world)
    assert world.runs.list(BOB, limit=10, offset=0)[1] == 0


def test_quota_away_at_the_end_keeps_the_run_until_it_is_settled(world: World) -> None:
    world.fake.hold_back = True
    run = ask(world)
    world.look_until(run.id, Stage.RUNNING)
    world.quota.down = True
    world.fake.let_end(run.id)
    world.look_until(run.id, Stage.SETTLING)
    assert world.run(run.id).status is RunStatus.RUNNING
    world.quota.down = False
    done = world.look_until(run.id)
    assert (done.status, hold_of(world, done).status) == (RunStatus.FINISHED, HoldStatus.CAPTURED)


def test_cancel_while_it_runs_stops_it_and_charges_what_it_used(world: World) -> None:
    world.fake.hold_back = True
    run = ask(world)
    world.look_until(run.id, Stage.RUNNING)
    assert world.runs.cancel(BOB, run.id).status is RunStatus.RUNNING
    done = world.look_until(run.id)
    assert (done.status, done.error) == (RunStatus.CANCELED, None)
    assert 2000 < (done.cost_millicredits or 0) < done.quote_millicredits
    assert hold_of(world, done).status is HoldStatus.CAPTURED
    assert world.runs.cancel(BOB, run.id) == done, "canceling again changes nothing"


def test_cancel_in_the_queue_costs_nothing(world: World) -> None:
    world.quota.assign_tier("bob", tier="general")
    world.fake.hold_back = True
    runs = [ask(world) for _ in range(3)]
    world.made.reconciler.look()
    waiting = world.run(runs[2].id)
    assert waiting.stage is Stage.HELD
    world.runs.cancel(BOB, waiting.id)
    done = world.look_until(waiting.id)
    assert (done.status, done.cost_millicredits) == (RunStatus.CANCELED, 0)
    assert hold_of(world, done).status is HoldStatus.RELEASED
    assert waiting.id not in world.fake.starts


def test_cancel_before_the_hold_leaves_no_hold(world: World) -> None:
    ask(world)
    world.quota.down = True
    run = ask(world)
    world.runs.cancel(BOB, run.id)
    world.quota.down = False
    done = world.look_until(run.id)
    assert (done.status, done.settlement) == (RunStatus.CANCELED, SettlementKind.RELEASED)
    assert hold_of(world, done).status is HoldStatus.RELEASED


def test_the_tier_says_how_many_of_one_caller_go_at_a_time(world: World) -> None:
    # Two batch jobs at once, as the Copernicus Data Space Ecosystem gives its general users.
    world.quota.assign_tier("bob", tier="general")
    world.fake.hold_back = True
    runs = [ask(world) for _ in range(4)]
    for _ in range(3):
        world.made.reconciler.look()
    assert [world.run(run.id).stage for run in runs] == [Stage.RUNNING, Stage.RUNNING, Stage.HELD, Stage.HELD]
    other = ask(world, user("cyd"))
    world.look_until(other.id, Stage.RUNNING)
    world.fake.let_end(runs[0].id)
    world.look_until(runs[0].id)
    world.look_until(runs[2].id, Stage.RUNNING)
    assert world.run(runs[3].id).stage is Stage.HELD


def test_the_log_of_progress_reaches_the_run(world: World) -> None:
    world.fake.hold_back = True

    def script(run: Run, folder: RunFolder) -> Any:
        line = '{"seq": 0, "at": "2026-01-01T00:00:00Z", "type": "progress", "fraction": 0.4}\n'
        (folder.out / "events.jsonl").write_text(line)
        write_report(folder, outputs={"double": b"6"})
        return process_end()

    world.fake.script = script
    run = ask(world)
    world.look_until(run.id, Stage.RUNNING)
    world.made.reconciler.look()
    assert world.run(run.id).progress == pytest.approx(0.4)


def test_results_are_there_when_it_is_over(world: World) -> None:
    world.fake.hold_back = True
    run = ask(world)
    world.look_until(run.id, Stage.RUNNING)
    with pytest.raises(RunNotTerminal):
        world.runs.result(BOB, run.id, "double")
    world.fake.let_end(run.id)
    world.look_until(run.id)
    output, path = world.runs.result(BOB, run.id, "double")
    assert (path.read_bytes(), output.bytes) == (b"6", 1)
    for name in ("other", "../report.json", ""):
        with pytest.raises(NotFound):
            world.runs.result(BOB, run.id, name)


def test_a_missing_output_is_found_from_outside(world: World) -> None:
    world.fake.script = finishing(outputs={})
    done = world.look_until(ask(world).id)
    assert done.error
    assert (done.status, done.error.code) == (RunStatus.ERROR, "output-missing")


def test_a_reconciler_that_lost_its_lease_writes_nothing(world: World) -> None:
    world.fake.hold_back = True
    run = ask(world)
    stale = world.look_until(run.id, Stage.RUNNING)
    store = world.made.context.run_store
    store.let_go(world.made.reconciler.holder)
    now = world.run(run.id).created_at
    assert store.claim(holder="boot:1:1:other", now=now, until=now.replace(year=now.year + 1)) == [run.id]
    with pytest.raises(LeaseLost):
        store.save(replace(stale, progress=0.9))
    assert world.run(run.id).progress == 0.0


def test_a_run_that_always_fails_to_step_is_ended_without_a_charge(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ask(world)
    monkeypatch.setattr("swath_marketplace.services.reconciler._LONGEST_BACKOFF_SECONDS", 0.01)

    def broken(_: Run) -> Any:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(world.made.context.registry, "package_of", broken)
    done = world.look_until(run.id)
    assert done.error
    assert (done.error.code, done.cost_millicredits) == ("internal", 0)
    assert hold_of(world, done).status is HoldStatus.RELEASED


def test_folders_take_no_name_that_leads_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        RunFolders(tmp_path / "runs").of("../other")
