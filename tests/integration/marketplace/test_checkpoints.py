"""Real notebooks whose credits end: asked to save what they have, then stopped, never paying above their budget."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.bootstrap import Settings
from swath_marketplace.bootstrap.running import local_executor
from swath_marketplace.domain.runs import RunStatus
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import given_up, make_world, notebook, user, write_environment
from swath_quota.client import HttpQuotaClient

pytestmark = [pytest.mark.integration, pytest.mark.slow]

#: Half a core and 2 GB: 0.76 millicredits a second at most, most of it for memory: a busy machine changes little.
RESOURCES = {"cpus": 0.5, "memory_mb": 2048, "wall_seconds": 600}
#: The fee of 2,000 and a little over 20 s: twice the two seconds of grace, the stop and the slack.
BUDGET = 2018

LOOP = """
import time, swath
rows = []
print('begun')
while not swath.checkpoint_requested():
    rows.append(len(rows))
    time.sleep(0.05)
swath.emit('partial', {'rows': len(rows)})
print('saved')
time.sleep(1000)
swath.emit('double', {'value': 2 * n})
"""
CALLBACK = """
import time, swath
swath.emit('partial', {'before': True})
@swath.on_checkpoint
def save():
    swath.emit('double', {'value': 2 * n})
    print('saved')
print('begun')
time.sleep(1000)
"""
DEAF = """
import time, swath
swath.emit('partial', {'early': True})
print('begun')
while True:
    try:
        time.sleep(1000)
    except KeyboardInterrupt:
        pass
swath.emit('double', {'value': n})
"""
OBEDIENT = """
import time, swath
print('begun')
while not swath.checkpoint_requested():
    time.sleep(0.05)
swath.emit('partial', {'broke': 'off'})
raise SystemExit
swath.emit('double', {'value': n})
"""


def until(condition: Callable[[], Any], *, seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return found


def start(stack: Any, source: str, *, name: str, budget: int = BUDGET) -> tuple[Any, str]:
    book = notebook(source, name=name, resources=RESOURCES)
    answer = stack.client("ada").post("algorithms", json={"notebook": book})
    assert answer.status_code == 201, answer.text
    bob = stack.client("bob")
    asked = {"algorithm": f"ada/{name}", "parameters": {"n": 21}, "budget_millicredits": budget}
    answer = bob.post("runs", json=asked)
    assert answer.status_code == 201, answer.text
    assert answer.json()["quote_millicredits"] == budget
    return bob, answer.json()["id"]


def end_of(bob: Any, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = until(
        lambda: (run := bob.get(f"runs/{run_id}").json())["status"] in ("finished", "error", "canceled") and run
    )
    return run


def reached_budget(stack: Any, bob: Any, run_id: str) -> dict[str, Any]:
    """The run, after what must be true of each that reached its budget."""
    run = end_of(bob, run_id)
    assert (run["status"], run["error"]["code"]) == ("error", "budget-reached"), run
    assert 2000 < run["cost_millicredits"] <= BUDGET
    assert "budget" in run["error"]["message"]
    wallet = stack.client("bob", service="quota").get("wallet").json()
    assert (wallet["held"], wallet["balance"]) == (0, 10_000_000 - run["cost_millicredits"])
    return run


def emitted(bob: Any, run_id: str, name: str) -> Any:
    return bob.get(f"runs/{run_id}/results/{name}").json()


def told(bob: Any, run_id: str) -> list[tuple[str, dict[str, Any]]]:
    """The run's whole stream: types and data."""
    text = bob.get(f"runs/{run_id}/events").text.replace("\r\n", "\n")
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_run_that_checkpoints_keeps_what_it_saved(short_grace_stack: Any) -> None:
    bob, run_id = start(short_grace_stack, LOOP, name="loop")
    run = reached_budget(short_grace_stack, bob, run_id)
    assert {output["name"] for output in run["outputs"]} >= {"partial", "notebook"}
    assert emitted(bob, run_id, "partial")["rows"] > 10
    assert "saved" in bob.get(f"runs/{run_id}/log").text
    stream = told(bob, run_id)
    asked = [data for kind, data in stream if kind == "checkpoint-requested"]
    assert [data["code"] for data in asked] == ["budget-reached"]
    assert stream[-1][1]["status"] == "error"


def test_a_callback_saves_beside_a_cell_that_waits(short_grace_stack: Any) -> None:
    bob, run_id = start(short_grace_stack, CALLBACK, name="callback")
    reached_budget(short_grace_stack, bob, run_id)
    assert emitted(bob, run_id, "double") == {"value": 42}
    assert "saved" in bob.get(f"runs/{run_id}/log").text


def test_a_run_that_ignores_the_request_is_stopped(short_grace_stack: Any) -> None:
    bob, run_id = start(short_grace_stack, DEAF, name="deaf")
    reached_budget(short_grace_stack, bob, run_id)
    assert emitted(bob, run_id, "partial") == {"early": True}


def test_a_run_that_breaks_off_as_asked_ends_for_that_reason(short_grace_stack: Any) -> None:
    bob, run_id = start(short_grace_stack, OBEDIENT, name="obedient")
    reached_budget(short_grace_stack, bob, run_id)
    assert emitted(bob, run_id, "partial") == {"broke": "off"}


def test_a_kill_while_a_checkpoint_is_asked_loses_nothing(short_grace_stack: Any) -> None:
    stack = short_grace_stack
    bob, run_id = start(stack, LOOP, name="loop")
    control = stack.data / "marketplace" / "runs" / run_id / "control" / "checkpoint.json"
    until(control.exists)
    stack.kill("marketplace")
    asked = json.loads(control.read_text())["asked_at"]
    stack.start("marketplace")
    run = reached_budget(stack, bob, run_id)
    assert run["checkpoint"]["asked_at"] == asked, "asked once"
    assert emitted(bob, run_id, "partial")["rows"] > 10
    assert [kind for kind, _ in told(bob, run_id)].count("checkpoint-requested") == 1


def test_a_kill_that_outlasts_the_budget_charges_no_more(short_grace_stack: Any) -> None:
    stack = short_grace_stack
    bob, run_id = start(stack, LOOP, name="loop")
    until(lambda: "begun" in bob.get(f"runs/{run_id}/log").text)
    stack.kill("marketplace")
    # Nobody looks while the budget is used up and more.
    record = json.loads((stack.data / "marketplace" / "runs" / run_id / "warden" / "warden.json").read_text())
    until(lambda: time.monotonic() - record["begun_seconds"] > 40)
    stack.start("marketplace")
    run = reached_budget(stack, bob, run_id)
    assert run["usage"]["wall_seconds"] > 40
    assert run["cost_millicredits"] == BUDGET
    assert emitted(bob, run_id, "partial")["rows"] > 10


def test_a_run_whose_hold_is_extended_goes_on_to_its_end(
    own_stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real sandbox and quota service under a reconciler of this process; less is held than the run will use."""
    tmp_path = tmp_path / "other"
    tmp_path.mkdir()
    write_environment(tmp_path, python=sys.executable)
    (tmp_path / "archive").mkdir()
    allowed = {f"SWATH_ALLOW_{allow.name}": True for allow in given_up()}
    settings = Settings(SWATH_DATA=tmp_path, **allowed)  # type: ignore[arg-type]
    executor = local_executor(settings, RunFolders(tmp_path / "marketplace" / "runs"))
    quota: Any = HttpQuotaClient(own_stack.url("quota"), "marketplace")
    world = make_world(tmp_path, quota=quota, executor=executor, checkpoint_grace_seconds=2, **allowed)
    cashier = type(world.runs._cashier)
    quote = cashier.quote
    monkeypatch.setattr(cashier, "quote", lambda *args, **more: replace(quote(*args, **more), hold=BUDGET))
    source = "import time, swath\ntime.sleep(n)\nswath.emit('double', {'value': 2 * n})"
    world.registry.publish(user("ada"), notebook(source, name="long", resources=RESOURCES))
    request = RunRequest(algorithm="ada/long", parameters={"n": 30})
    world.made.reconciler.start()
    try:
        run = world.runs.create(user("bob"), request)[0]
        assert run.quote_millicredits == BUDGET
        done = until(lambda: (found := world.run(run.id)).terminal and found)
    finally:
        world.made.reconciler.stop()
    assert done.status is RunStatus.FINISHED, done.error
    assert done.checkpoint is None
    assert done.quote_millicredits > BUDGET
    hold = quota.get_hold(run.hold_id)
    assert hold is not None
    quota.close()
    assert (hold.amount, hold.captured) == (done.quote_millicredits, done.cost_millicredits)
    world.made.database.dispose()
