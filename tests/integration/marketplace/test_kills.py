"""`kill -9` of the marketplace, of wardens and of quota: every run ends truthfully, once, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.testing import notebook

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SMALL = {"memory_mb": 512, "wall_seconds": 300, "cpus": 0.5}
#: Goes on until the test lets it end: it looks for nothing outside, so the test waits for its first word and then acts.
SLOW = "import time\nprint('begun')\ntime.sleep(n)\nimport swath\nswath.emit('double', {'value': 2 * n})"


@pytest.fixture
def bob(own_stack: Any) -> Any:
    book = notebook(SLOW, name="slow", resources=SMALL)
    answer = own_stack.client("ada").post("algorithms", json={"notebook": book})
    assert answer.status_code == 201, answer.text
    return own_stack.client("bob")


def until(condition: Callable[[], Any], *, seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


def start(bob: Any, *, seconds: int, key: str | None = None) -> str:
    headers = {"Idempotency-Key": key} if key else {}
    answer = bob.post("runs", json={"algorithm": "ada/slow", "parameters": {"n": seconds}}, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    run_id: str = answer.json()["id"]
    return run_id


def begun(bob: Any, run_id: str) -> None:
    until(lambda: "begun" in bob.get(f"runs/{run_id}/log").text)


def end_of(bob: Any, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = until(
        lambda: (run := bob.get(f"runs/{run_id}").json())["status"] in ("finished", "error", "canceled") and run
    )
    return run


def warden_of(stack: Any, run_id: str) -> int:
    record = json.loads((stack.data / "marketplace" / "runs" / run_id / "warden" / "warden.json").read_text())
    pid: int = record["pid"]
    return pid


def wallet(stack: Any, who: str = "bob") -> dict[str, Any]:
    told: dict[str, Any] = stack.client(who, service="quota").get("wallet").json()
    return told


def processes_of(stack: Any) -> list[str]:
    """Processes of runs of this stack: wardens and what is in their control groups."""
    runs = {path.name for path in (stack.data / "marketplace" / "runs").iterdir()}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = ((folder / "cmdline").read_bytes() + (folder / "cgroup").read_bytes()).decode(errors="replace")
        except OSError:
            continue
        if any(run_id in text for run_id in runs):
            found.append(f"{folder.name}: {text[:200]!r}")
    return found


def test_runs_outlive_the_marketplace(own_stack: Any, bob: Any) -> None:
    going, ending = start(bob, seconds=8, key="going"), start(bob, seconds=1)
    begun(bob, going)
    begun(bob, ending)
    warden = warden_of(own_stack, going)
    own_stack.kill("marketplace")
    until(lambda: (own_stack.data / "marketplace" / "runs" / ending / "warden" / "exit.json").exists())
    own_stack.start("marketplace")
    assert start(bob, seconds=8, key="going") == going
    for run_id in (going, ending):
        run = end_of(bob, run_id)
        assert run["status"] == "finished", run["error"]
    assert warden_of(own_stack, going) == warden, "adopted, not started again"
    costs = sum(end_of(bob, run_id)["cost_millicredits"] for run_id in (going, ending))
    told = wallet(own_stack)
    assert (told["held"], told["balance"]) == (0, 10_000_000 - costs)
    assert processes_of(own_stack) == []


@pytest.mark.parametrize("marketplace_too", [False, True], ids=["warden", "both"])
def test_a_killed_warden_is_told_and_not_charged(own_stack: Any, bob: Any, marketplace_too: bool) -> None:
    run_id = start(bob, seconds=100)
    begun(bob, run_id)
    if marketplace_too:
        own_stack.kill("marketplace")
    os.kill(warden_of(own_stack, run_id), signal.SIGKILL)
    if marketplace_too:
        own_stack.start("marketplace")
    run = end_of(bob, run_id)
    assert (run["status"], run["error"]["code"], run["cost_millicredits"]) == ("error", "runner-lost", 0)
    assert wallet(own_stack)["available"] == 10_000_000
    assert processes_of(own_stack) == []


def test_quota_away_at_the_end_delays_the_end_and_charges_once(own_stack: Any, bob: Any) -> None:
    run_id = start(bob, seconds=2)
    begun(bob, run_id)
    own_stack.kill("quota")
    until(lambda: (own_stack.data / "marketplace" / "runs" / run_id / "warden" / "exit.json").exists())
    assert bob.get(f"runs/{run_id}").json()["status"] == "running"
    own_stack.restart("marketplace")
    own_stack.start("quota")
    run = end_of(bob, run_id)
    assert run["status"] == "finished"
    assert wallet(own_stack)["balance"] == 10_000_000 - run["cost_millicredits"]


def test_a_polite_stop_leaves_the_runs_alone(own_stack: Any, bob: Any) -> None:
    run_id = start(bob, seconds=3)
    begun(bob, run_id)
    own_stack.kill("marketplace", signal.SIGTERM)
    own_stack.start("marketplace")
    assert end_of(bob, run_id)["status"] == "finished"


def test_a_wish_to_cancel_survives_the_marketplace(own_stack: Any, bob: Any) -> None:
    run_id = start(bob, seconds=100)
    begun(bob, run_id)
    bob.delete(f"runs/{run_id}")
    own_stack.restart("marketplace")
    assert end_of(bob, run_id)["status"] == "canceled"
    assert processes_of(own_stack) == []


def test_random_kills_lose_nothing(own_stack: Any, bob: Any) -> None:
    """Short runs, and something is killed every moment; afterwards all is accounted for."""
    chance = random.Random(20261123)
    keys = [f"run-{number}" for number in range(10)]
    ids = {key: start(bob, seconds=chance.choice([0, 1, 2]), key=key) for key in keys}
    killed = {"marketplace": 0, "quota": 0, "warden": 0}
    while any(
        bob.get(f"runs/{run_id}").json()["status"] in ("created", "queued", "running") for run_id in ids.values()
    ):
        time.sleep(chance.uniform(0.2, 1.0))
        what = chance.choice(["marketplace", "marketplace", "quota", "warden"])
        if what == "warden":
            running = [one["id"] for one in bob.get("runs?status=running").json()["runs"]]
            if running and _kill(warden_of(own_stack, chance.choice(running))):
                killed["warden"] += 1
            continue
        own_stack.restart(what)
        killed[what] += 1
    runs = [end_of(bob, run_id) for run_id in ids.values()]
    lost = [run for run in runs if run["error"] and run["error"]["code"] == "runner-lost"]
    assert len(lost) <= killed["warden"]
    assert all(run["status"] == "finished" for run in runs if run not in lost), [run["error"] for run in runs]
    assert len(set(ids.values())) == len(keys) == bob.get("runs").json()["total"]
    told = wallet(own_stack)
    assert (told["held"], told["balance"]) == (0, 10_000_000 - sum(run["cost_millicredits"] for run in runs))
    assert sum(run["cost_millicredits"] for run in lost) == 0
    assert processes_of(own_stack) == []
    assert killed["marketplace"] > 0


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
