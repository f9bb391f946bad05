"""Rounds with real runs, real sandboxes and the real comparer: red, mended, and cut off in the middle."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from swath_marketplace.testing import notebook

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SMALL = {"memory_mb": 768, "wall_seconds": 120, "cpus": 1}
#: Two outputs of two kinds; the second reads what cannot be known before, within what the scenario allows.
CELLS = (
    "import swath\nif n > 100:\n    raise ValueError(f'there is nothing beyond 100, and this is {n}')",
    "import time\ntime.sleep(wait)\nswath.emit('double', {'value': 2.0 * n, 'made': time.time()})",
    "import csv, pathlib\nwith open('rows.csv', 'w') as file:\n"
    "    csv.writer(file).writerows([['x', 'y'], [1, 2.0 * n], [2, 4.0]])\n"
    "swath.emit('rows', pathlib.Path('rows.csv'))",
)
PARAMETERS = "# How many\nn: int = 3\n# Seconds\nwait: float = 0.0"
GREEN = {"three": "green", "beyond": "green", "wrong": "green"}
VERSION = "algorithms/ada/scale/versions/1.0.0"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def dossier(value: float = 6.0, *, wait: float = 0.0) -> dict[str, bytes]:
    """Three scenarios: one that runs, and two that have to be refused."""
    double = json.dumps({"value": value, "made": 0}).encode()
    rows = b"x,y\r\n1,6.0\r\n2,4.0\r\n"
    three = {
        "title": "Three doubled",
        "parameters": {"n": 3, "wait": wait},
        "outputs": {
            "double": {
                "reference": "references/three/double.json",
                "sha256": _sha256(double),
                "tolerance": {"rtol": 1e-3, "ignore": ["$.made"]},
            },
            "rows": {"reference": "references/three/rows.csv", "sha256": _sha256(rows)},
        },
    }
    beyond = {"title": "x", "parameters": {"n": 101}, "refused": {"code": "cell-failed", "message": "nothing beyond"}}
    wrong = {"title": "x", "parameters": {"n": "many"}, "refused": {"code": "invalid"}}
    return {
        "references/three/double.json": double,
        "references/three/rows.csv": rows,
        **{
            f"scenarios/{name}.json": json.dumps(data).encode()
            for name, data in (("three", three), ("beyond", beyond), ("wrong", wrong))
        },
    }


def put(ada: Any, files: dict[str, bytes]) -> None:
    parts = [("files", (path, content)) for path, content in files.items()]
    answer = ada.put(f"{VERSION}/dossier", files=parts)
    assert answer.status_code == 201, answer.text


def publish(stack: Any) -> Any:
    ada = stack.client("ada")
    book = notebook(*CELLS, parameters=PARAMETERS, name="scale", resources=SMALL)
    answer = ada.post("algorithms", json={"notebook": book, "version": "1.0.0"})
    assert answer.status_code == 201, answer.text
    return ada


def until(condition: Callable[[], Any], *, seconds: float = 150) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return found


def ended(ada: Any, *, count: int) -> dict[str, Any]:
    """The newest round, when `count` have ended."""

    def look() -> dict[str, Any] | None:
        told = ada.get(f"{VERSION}/rounds").json()
        return told["rounds"][0] if len(told["rounds"]) >= count and not told["open"] else None

    found: dict[str, Any] = until(look)
    return found


def outcomes(one: dict[str, Any]) -> dict[str, str]:
    return {result["scenario"]: result["outcome"] for result in one["results"]}


def audit(stack: Any) -> dict[str, Any]:
    told: dict[str, Any] = (
        stack.client("operator", service="quota").get("wallet", params={"account": "platform"}).json()
    )
    return told


def test_a_reference_moved_by_a_percent_is_found_and_mended(own_stack: Any) -> None:
    ada = publish(own_stack)
    put(ada, dossier(value=6.003))
    first = ended(ada, count=1)
    assert outcomes(first) == GREEN, [result["message"] for result in first["results"]]
    three = next(result for result in first["results"] if result["scenario"] == "three")
    assert three["comparisons"]["double"]["verdict"] == "within-tolerance"
    assert three["comparisons"]["double"]["largest"] == pytest.approx(0.003)
    assert three["comparisons"]["rows"]["verdict"] == "identical"
    assert three["repeated"]["double"]["verdict"] in ("identical", "within-tolerance")
    runs = [ada.get(f"runs/{run_id}").json() for run_id in three["run_ids"]]
    assert {(run["caller"], run["purpose"], run["status"]) for run in runs} == {("platform", "benchmark", "finished")}
    assert runs[0]["id"] != runs[1]["id"]
    assert own_stack.client("bob").get(f"runs/{runs[0]['id']}").status_code == 404
    assert own_stack.client("bob").get(f"{VERSION}/rounds").json()["rounds"][0]["green"] is True
    until(lambda: "1 scenarios brought back" in level(ada))
    # One percent beyond the tenth of a percent that the scenario allows.
    put(ada, dossier(value=6.0 * 1.011))
    second = ended(ada, count=2)
    assert outcomes(second)["three"] == "red"
    assert not second["green"]
    (broken,) = own_stack.client("bob").get("breaks").json()["breaks"]
    assert (broken["scenario"], broken["output"], broken["runs"]) == ("three", "double", list(_runs_of(second)))
    assert broken["comparison"]["differences"][0]["where"] == "$.value"
    # Assessments hear of a round once its end is stored.
    until(lambda: "double differs from its reference" in level(ada))
    (notice,) = ada.get("notices", params={"unread": True}).json()["notices"]
    assert notice["kind"] == "benchmark-broken"
    assert ada.post(f"notices/{notice['id']}/read").json()["read_at"]
    put(ada, dossier())
    third = ended(ada, count=3)
    assert outcomes(third)["three"] == "green"
    assert own_stack.client("bob").get("breaks").json()["total"] == 0
    until(lambda: "1 scenarios brought back" in level(ada))
    drift = ada.get(f"{VERSION}/drift").json()["scenarios"]["three"]
    assert drift["seconds"]["verdict"] == "too-few"
    assert len(drift["seconds"]["samples"]) == 2, "green ones alone"
    assert [sample["verdict"] for sample in drift["outputs"]["double"]] == [
        "within-tolerance",
        "differs",
        "identical",
    ]
    wallet = audit(own_stack)
    assert wallet["held"] == 0
    assert wallet["tier"] == "platform"


def _runs_of(one: dict[str, Any]) -> tuple[str, ...]:
    return tuple(next(result["run_ids"] for result in one["results"] if result["scenario"] == "three"))


def level(ada: Any) -> str:
    """What assessments say of the benchmarks."""
    told = ada.get(f"{VERSION}/maturity").json()["assessment"]["results"]
    return next(str(result["told"]) for result in told if result["criterion"] == "benchmarks")


def test_killed_in_mid_round_no_scenario_is_run_twice_or_lost(own_stack: Any) -> None:
    ada = publish(own_stack)
    put(ada, dossier(wait=2.0))
    seen: set[str] = set()
    for moment in (0.0, 0.7, 1.5):
        known = frozenset(seen)
        until(lambda known=known: _new_runs(ada, known) or _over(ada))
        seen |= _new_runs(ada, frozenset())
        # Somewhere within a run, or between two; wherever it is, the same has to come of it.
        time.sleep(moment)
        own_stack.kill("marketplace", signal.SIGKILL)
        own_stack.start("marketplace")
    one = ended(ada, count=1)
    assert outcomes(one) == GREEN, [result["message"] for result in one["results"]]
    used = sorted(run_id for result in one["results"] for run_id in result["run_ids"])
    assert len(used) == 3
    every = own_stack.client("operator").get("runs", params={"everybody": True, "limit": 200}).json()["runs"]
    assert sorted(run["id"] for run in every) == used, "no run but those of the round"
    assert {run["purpose"] for run in every} == {"benchmark"}
    assert audit(own_stack)["held"] == 0


def _new_runs(ada: Any, seen: frozenset[str]) -> set[str]:
    going = ada.get(f"{VERSION}/rounds").json()["open"]
    found = {run["run"] for one in going for run in ada.get(f"rounds/{one['id']}").json()["runs"] if run["run"]}
    return found - seen


def _over(ada: Any) -> bool:
    return bool(ada.get(f"{VERSION}/rounds").json()["rounds"])
