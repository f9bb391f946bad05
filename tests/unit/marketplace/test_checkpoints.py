"""Budgets of running runs: extended, asked, stopped, paid; over a fake executor and a fake quota service."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.domain.budgets import SLACK_SECONDS
from swath_marketplace.domain.endings import Claim, ProcessEnd, judge
from swath_marketplace.domain.runs import Checkpoint, Desired, ErrorInfo, Run, RunStatus, Stage
from swath_marketplace.executors.fake import process_end, write_report
from swath_marketplace.executors.protocol import Going
from swath_marketplace.run_folder import RunFolder
from swath_marketplace.services import budgets as watching
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import World, make_world, notebook, user
from swath_quota.client import Purpose, PurposeKind
from swath_service.errors import Invalid, Unavailable

BOB = user("bob")
#: 1 CPU and 1,024 MB for an hour: the fee of 2,000 and 2,500 an hour, 4,500 at most.
RESOURCES = {"cpus": 1, "memory_mb": 1024, "wall_seconds": 3600}
ENDING = 30 + 5 + SLACK_SECONDS


def cost(seconds: float) -> int:
    return round(2000 + 2500 * seconds / 3600)


@pytest.fixture(autouse=True)
def _at_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(watching, "_REFUSED_SECONDS", 0.0)


@pytest.fixture
def going(world: World) -> World:
    world.registry.publish(user("ada"), notebook(resources=RESOURCES), version="1.0.0")
    world.fake.hold_back = True
    world.fake.script = lambda run, folder: process_end()
    return world


def start(world: World, **more: Any) -> Run:
    run: Run = world.runs.create(BOB, RunRequest(algorithm="ada/double", parameters={"n": 3}, **more))[0]
    return world.look_until(run.id, Stage.RUNNING)


def at(world: World, run: Run, seconds: float, *, busy: float = 1.0) -> Run:
    """`run` after a look at it when it has gone on for so long."""
    world.fake.going[run.id] = Going(wall_seconds=seconds, cpu_seconds=seconds * busy)
    world.made.reconciler.look()
    return world.run(run.id)


def asked_file(world: World, run: Run) -> Path:
    return world.made.folders.of(run.id).control / "checkpoint.json"


def stopping(world: World, run: Run, *, outputs: dict[str, bytes], cpu_seconds: float, wall_seconds: float) -> None:
    """What the run will have left when it is stopped."""
    write_report(
        world.made.folders.of(run.id), outputs=outputs, error={"code": "canceled", "message": "The run was canceled."}
    )
    stop = world.fake.stop

    def stopped(run: Run) -> None:
        stop(run)
        end = process_end(reason="stopped", exit_code=None, cpu_seconds=cpu_seconds)
        world.fake._ends[run.id] = replace(end, wall_seconds=wall_seconds)
        world.fake._end(run.id)

    world.fake.stop = stopped  # type: ignore[method-assign]


def test_a_budget_is_what_is_held(going: World) -> None:
    run = start(going, budget_millicredits=2500)
    hold = going.quota.get_hold(run.hold_id)
    assert hold is not None
    assert (hold.amount, run.quote_millicredits, run.budget_millicredits) == (2500, 2500, 2500)
    whole = start(going, budget_millicredits=10_000)
    assert (whole.quote_millicredits, whole.budget_millicredits) == (4500, 10_000)


def test_a_budget_with_which_nothing_can_be_done_is_refused(going: World) -> None:
    least = cost(2 * ENDING)
    with pytest.raises(Invalid) as refused:
        start(going, budget_millicredits=least - 1)
    assert refused.value.code == "budget-too-small"
    assert refused.value.extra["least_millicredits"] == least
    assert going.quota.wallet("bob").held == 0
    assert start(going, budget_millicredits=least).quote_millicredits == least


def test_a_run_that_reaches_its_budget_is_asked_then_stopped_and_keeps_what_it_emitted(going: World) -> None:
    run = start(going, budget_millicredits=2500)
    # 500 beyond the fee are 720 s; the last moment is an ending before.
    assert at(going, run, 720 - ENDING - 1).checkpoint is None
    asked = at(going, run, 720 - ENDING + 1)
    assert asked.checkpoint is not None
    assert asked.checkpoint.code == "budget-reached"
    assert asked.checkpoint.stop_after_seconds == pytest.approx(720 - ENDING + 31)
    assert json.loads(asked_file(going, run).read_text())["code"] == "budget-reached"
    assert at(going, run, 720 - ENDING + 30).stage is Stage.RUNNING, "it has its grace"
    stopping(going, run, outputs={"double": b"6"}, cpu_seconds=716, wall_seconds=716)
    at(going, run, 720 - ENDING + 31)
    done = going.look_until(run.id)
    assert done.status is RunStatus.ERROR
    assert done.error is not None
    assert done.error.code == "budget-reached"
    assert "2.5 credits" in done.error.message
    assert "cost 2.497" in done.error.message
    assert (done.cost_millicredits, [output.name for output in done.outputs]) == (cost(716), ["double"])
    hold = going.quota.get_hold(run.hold_id)
    assert hold is not None
    assert hold.captured == cost(716) <= 2500
    events = [event.detail for event in going.made.context.run_store.status_events(run.id) if event.detail]
    assert [event["type"] for event in events] == ["checkpoint-requested"]


def test_it_never_pays_more_than_was_held(going: World) -> None:
    run = start(going, budget_millicredits=2500)
    at(going, run, 700)
    stopping(going, run, outputs={}, cpu_seconds=9000, wall_seconds=9000)
    at(going, run, 731)
    done = going.look_until(run.id)
    assert done.cost_millicredits == 2500


def test_a_run_that_uses_less_than_it_might_is_not_asked_early(going: World) -> None:
    run = start(going, budget_millicredits=2500)
    # Idle: 1,000 an hour, 1,800 s for 500; an ending at full use is 26.
    assert at(going, run, 1600, busy=0).checkpoint is None
    assert at(going, run, 1720, busy=0).checkpoint is not None


def test_a_run_that_finishes_within_the_grace_is_finished(going: World) -> None:
    run = start(going, budget_millicredits=2500)
    assert at(going, run, 700).checkpoint
    write_report(going.made.folders.of(run.id), outputs={"double": b"6"})
    going.fake.let_end(run.id)
    assert going.look_until(run.id).status is RunStatus.FINISHED


def test_a_run_whose_ceiling_is_held_is_never_asked(going: World) -> None:
    run = start(going)
    assert at(going, run, 3599).checkpoint is None


def test_a_crash_after_the_request_was_saved_loses_nothing(going: World, data: Path) -> None:
    run = start(going, budget_millicredits=2500)
    tell = going.fake.ask_checkpoint
    going.fake.ask_checkpoint = lambda run, told: None  # type: ignore[method-assign]
    assert at(going, run, 700).checkpoint is not None
    assert not asked_file(going, run).exists(), "the service died before it told the run"
    going.fake.ask_checkpoint = tell  # type: ignore[method-assign]
    second = make_world(data, quota=going.quota, executor=going.fake, slots_cpus=4, slots_memory_mb=8192)
    second.made.context.run_store.let_go(going.made.reconciler.holder)
    assert at(second, run, 710).checkpoint == going.run(run.id).checkpoint, "the first request stands"
    assert asked_file(second, run).exists()
    stopping(second, run, outputs={"double": b"6"}, cpu_seconds=735, wall_seconds=735)
    at(second, run, 731)
    done = second.look_until(run.id)
    assert done.error is not None
    assert (done.error.code, done.cost_millicredits) == ("budget-reached", 2500)
    second.made.database.dispose()


# --- extension


def lower_hold(world: World, monkeypatch: pytest.MonkeyPatch, amount: int) -> None:
    """As a quote of a typical run would: less is held than the run can cost."""
    cashier = type(world.runs._cashier)
    quote = cashier.quote
    monkeypatch.setattr(cashier, "quote", lambda *args, **more: replace(quote(*args, **more), hold=amount))


def test_a_hold_grows_while_budget_and_wallet_allow(going: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lower_hold(going, monkeypatch, 2200)
    run = start(going, budget_millicredits=3000)
    assert run.quote_millicredits == 2200
    # 200 beyond the fee are 288 s.
    assert at(going, run, 229).quote_millicredits == 2200
    assert at(going, run, 231).quote_millicredits == 2400
    grown = at(going, run, 500)
    assert (grown.quote_millicredits, grown.checkpoint) == (2800, None)
    grown = at(going, run, 1000)
    assert (grown.quote_millicredits, grown.checkpoint) == (3000, None)
    hold = going.quota.get_hold(run.hold_id)
    assert hold is not None
    assert hold.amount == 3000 == going.quota.wallet("bob").held
    asked = at(going, run, 1440 - ENDING + 1)
    assert asked.checkpoint is not None
    assert asked.checkpoint.code == "budget-reached"


def test_an_empty_wallet_asks_for_a_checkpoint_at_the_last_moment(
    going: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower_hold(going, monkeypatch, 2200)
    run = start(going)
    left = going.quota.wallet("bob").available
    other = Purpose(kind=PurposeKind.LAB, reference="l")
    going.quota.hold(hold_id="lab-1", account="bob", amount=left - 50, purpose=other, expires_in_seconds=10**6)
    grown = at(going, run, 250)
    assert (grown.quote_millicredits, grown.checkpoint) == (2250, None), "all that there is"
    assert at(going, run, 300).checkpoint is None, "four fifths are no reason to ask"
    asked = at(going, run, 360 - ENDING + 1)
    assert asked.checkpoint is not None
    assert asked.checkpoint.code == "credits-exhausted"
    stopping(going, run, outputs={}, cpu_seconds=350, wall_seconds=350)
    at(going, run, 360)
    done = going.look_until(run.id)
    assert done.error is not None
    assert done.error.code == "credits-exhausted"
    assert done.cost_millicredits == cost(350)


def test_a_silent_wallet_stops_nothing(going: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lower_hold(going, monkeypatch, 2200)
    run = start(going)
    at(going, run, 10)

    def silent(*_: object, **__: object) -> Any:
        raise Unavailable(code="quota-unreachable", message="m", mend="m")

    extend = going.quota.extend
    going.quota.extend = silent  # type: ignore[method-assign]
    assert at(going, run, 1000).checkpoint is None
    going.quota.extend = extend  # type: ignore[method-assign]
    assert at(going, run, 1001).quote_millicredits > 2200


def test_an_extension_that_a_crash_cut_off_is_found_again(
    going: World, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower_hold(going, monkeypatch, 2200)
    run = start(going)
    going.quota.extend(run.hold_id, expires_in_seconds=10**6, amount=2400)
    second = make_world(data, quota=going.quota, executor=going.fake, slots_cpus=4, slots_memory_mb=8192)
    second.made.context.run_store.let_go(going.made.reconciler.holder)
    assert at(second, run, 10).quote_millicredits == 2400
    second.made.database.dispose()


# --- the judgement

ASKED = Checkpoint(
    code="budget-reached",
    message="m",
    asked_at=None,
    stop_after_seconds=1,  # type: ignore[arg-type]
)


def judged(end: ProcessEnd | None, claim: Claim | None, *, desired: Desired = Desired.FINISHED, found: Any = ()) -> Any:
    return judge(
        end=end,
        claim=claim,
        cancel_wanted=desired is Desired.CANCELED,
        declared=["double"],
        found=found,
        checkpoint=ASKED,
    )


@pytest.mark.parametrize(
    ("end", "claim", "code", "fault"),
    [
        (process_end(reason="stopped"), "canceled", "budget-reached", False),
        (process_end(reason="stopped"), None, "budget-reached", False),
        (process_end(), "exited-early", "budget-reached", False),
        (process_end(), "output-missing", "budget-reached", False),
        (process_end(), "cell-failed", "cell-failed", False),
        (process_end(reason="time-limit"), None, "time-limit", False),
        (process_end(reason="memory-limit"), None, "memory-limit", False),
        (None, None, "runner-lost", True),
    ],
)
def test_how_a_run_that_was_asked_ends(end: Any, claim: str | None, code: str, fault: bool) -> None:
    told = Claim(finished=False, error=ErrorInfo(code=claim, message="m", cell=1)) if claim else None
    ending = judged(end, told)
    assert ending.error is not None
    assert (ending.outcome, ending.error.code, ending.platform_fault) == (RunStatus.ERROR, code, fault)


def test_what_was_asked_does_not_spoil_a_good_end_and_yields_to_the_callers_wish() -> None:
    assert judged(process_end(), Claim(finished=True, error=None), found={"double"}).outcome is RunStatus.FINISHED
    assert judged(process_end(), Claim(finished=True, error=None)).error.code == "budget-reached"
    assert judged(process_end(reason="stopped"), None, desired=Desired.CANCELED).outcome is RunStatus.CANCELED


def test_a_run_that_was_killed_without_a_report_keeps_what_it_emitted(going: World) -> None:
    def script(_: Run, folder: RunFolder) -> ProcessEnd:
        write_report(folder, outputs={"double": b"6"})
        records = json.loads((folder.out / "report.json").read_text())["outputs"]
        (folder.out / "report.json").unlink()
        lines = [json.dumps(records[0]), "no json", json.dumps({**records[0], "name": "undeclared"})]
        (folder.out / "outputs.jsonl").write_text("\n".join(lines))
        return process_end(reason="memory-limit", exit_code=None)

    going.fake.script, going.fake.hold_back = script, False
    run: Run = going.runs.create(BOB, RunRequest(algorithm="ada/double", parameters={"n": 3}))[0]
    done = going.look_until(run.id)
    assert [(output.name, output.bytes) for output in done.outputs] == [("double", 1)]
