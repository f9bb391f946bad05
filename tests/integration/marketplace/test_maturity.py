"""Maturity of real versions: runs in the real sandbox and rounds of benchmarks are the evidence."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from swath_marketplace.testing import notebook

pytestmark = [pytest.mark.integration, pytest.mark.slow]

RESOURCES = {"memory_mb": 512, "wall_seconds": 120, "cpus": 1}

TELLS = "import swath\nfor step in (1, 2, 3):\n    swath.progress(step / 4, f'field {step}')"
EMIT = "swath.emit('double', {'value': 2 * n}, format='json')"
PATH = "algorithms/ada/tells/versions/1.0.0"
WORDS = "I ran it twice and read every cell of it."


SECTIONS = ("What it does", "Method", "Parameters", "Outputs", "Limits", "Validation", "Cost and scale", "Licence")
CARD = "".join(f"## {one}\n\nThree words suffice.\n\n" for one in (*SECTIONS, "Contact"))
CARD += "## References\n\nTucker (1979): https://doi.org/10.1016/0034-4257(79)90013-0 says how.\n"


def until(condition: Callable[[], Any], *, seconds: float = 240) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)
    return found


def dossier(*, of_2: float = 4.0) -> dict[str, bytes]:
    """Three calls with their references, of which one can be moved, and one that must be refused."""
    files = {
        "README.md": CARD.encode(),
        "scenarios/text.json": b'{"title": "no number", "parameters": {"n": "x"}, "refused": {"code": "invalid"}}',
    }
    for n, value in ((1, 2.0), (2, of_2), (4, 8.0)):
        reference = json.dumps({"value": value}).encode()
        expected = {
            "reference": f"references/of-{n}/double.json",
            "sha256": hashlib.sha256(reference).hexdigest(),
            "tolerance": {"rtol": 1e-3},
        }
        scenario = {"title": f"{n} doubled", "parameters": {"n": n}, "outputs": {"double": expected}}
        files |= {expected["reference"]: reference, f"scenarios/of-{n}.json": json.dumps(scenario).encode()}  # type: ignore[dict-item]
    return files


def put(ada: Any, files: Mapping[str, bytes]) -> None:
    answer = ada.put(f"{PATH}/dossier", files=[("files", part) for part in files.items()])
    assert answer.status_code == 201, answer.text


def after_round(ada: Any, count: int) -> dict[str, Any]:
    """How mature it is when `count` rounds have ended and counted."""
    told: dict[str, Any] = {}

    def over() -> bool:
        told.update(ada.get(f"{PATH}/maturity").json())
        causes = [one["cause"] for one in ada.get(f"{PATH}/assessments").json()["assessments"]]
        return causes.count("round") >= count

    until(over)
    told.update(ada.get(f"{PATH}/maturity").json())
    return told


def test_rounds_raise_and_lower_a_level_and_with_it_what_is_earned(own_stack: Any) -> None:
    ada, bob = own_stack.client("ada"), own_stack.client("bob")
    about = {"name": "tells", "resources": RESOURCES, "summary": "Doubles any number that it is given"}
    book = notebook(TELLS, EMIT, **about)
    assert ada.post("algorithms", json={"notebook": book, "version": "1.0.0"}).status_code == 201
    price = {"per": "run", "millicredits": 3_000}
    assert ada.put("algorithms/ada/tells/price", json=price).json()["code"] == "not-mature"

    put(ada, dossier())
    verified = after_round(ada, 1)
    assert (verified["level"], verified["reason"]) == ("verified", "earned"), verified["next"]
    assert [one["criterion"] for one in verified["next"]["missing"]] == ["validation-report"]
    assert ada.put("algorithms/ada/tells/price", json=price).status_code == 200
    asked = {"algorithm": "ada/tells", "parameters": {}}
    assert bob.post("quotes", json=asked).json()["added_value"]["maturity"] == "verified"

    # One percent beyond the tenth of a percent that the scenario allows.
    put(ada, dossier(of_2=4.0 * 1.011))
    fallen = after_round(ada, 2)
    assert (fallen["level"], fallen["reason"]) == ("incubating", "fell")
    assert "fell from verified on " in fallen["message"]
    assert "of-2: output double differs from its reference" in fallen["message"]
    broken = next(one for one in fallen["next"]["missing"] if one["criterion"] == "benchmarks")
    assert broken["evidence"]["broken"]["of-2"]["outputs"] == {"double": "differs"}
    assert bob.post("quotes", json=asked).json()["added_value"] is None

    put(ada, dossier())
    assert ada.get(f"{PATH}/maturity").json()["level"] == "verified"
    assert bob.post("quotes", json=asked).json()["added_value"]["maturity"] == "verified"


def test_what_a_run_told_is_evidence_and_a_kill_changes_nothing(own_stack: Any) -> None:
    ada, root = own_stack.client("ada"), own_stack.client("operator")
    book = notebook(TELLS, EMIT, name="tells", resources=RESOURCES)
    assert ada.post("algorithms", json={"notebook": book, "version": "1.0.0"}).status_code == 201
    before = {one["criterion"]: one for one in ada.get(f"{PATH}/maturity").json()["assessment"]["results"]}
    assert not before["executable"]["met"]

    run = ada.post("runs", json={"algorithm": "ada/tells", "parameters": {}}).json()["id"]
    told = until(lambda: (it := ada.get(f"runs/{run}").json())["status"] in ("finished", "error") and it)
    assert told["status"] == "finished", told["error"]

    # A review that counts has the version assessed at once; runs alone are looked at once an hour.
    body = {"kind": "technical", "verdict": "approve", "text": WORDS}
    assert root.post(f"{PATH}/reviews", json=body).json()["counts"] is True
    found = ada.get(f"{PATH}/maturity").json()["assessment"]
    results = {one["criterion"]: one for one in found["results"]}
    for key in ("executable", "basic-logging", "advanced-logging", "technical-review"):
        assert results[key]["met"], results[key]
    assert results["executable"]["evidence"]["run"] == run
    assert results["basic-logging"]["evidence"]["cells"] == 3
    assert results["advanced-logging"]["evidence"] == {"run": run, "messages": 3}

    own_stack.restart("marketplace")
    assert ada.get(f"{PATH}/maturity").json()["assessment"] == found, "assessed again, and nothing was new"
