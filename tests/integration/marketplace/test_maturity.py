"""Maturity of a real version: what its run in the real sandbox told is the evidence, and it survives a kill."""

from __future__ import annotations

import time
from typing import Any

import pytest
from swath_marketplace.testing import notebook

pytestmark = pytest.mark.integration

TELLS = "import swath\nfor step in (1, 2, 3):\n    swath.progress(step / 4, f'field {step}')"
EMIT = "swath.emit('double', {'value': 2 * n}, format='json')"
PATH = "algorithms/ada/tells/versions/1.0.0"
WORDS = "I ran it twice and read every cell of it."


def test_what_a_run_told_is_evidence(own_stack: Any) -> None:
    ada, root = own_stack.client("ada"), own_stack.client("operator")
    book = notebook(TELLS, EMIT, name="tells", resources={"memory_mb": 512, "wall_seconds": 120})
    assert ada.post("algorithms", json={"notebook": book, "version": "1.0.0"}).status_code == 201
    before = {one["criterion"]: one for one in ada.get(f"{PATH}/maturity").json()["assessment"]["results"]}
    assert not before["executable"]["met"]

    run = ada.post("runs", json={"algorithm": "ada/tells", "parameters": {}}).json()["id"]
    deadline = time.monotonic() + 120
    while (told := ada.get(f"runs/{run}").json())["status"] not in ("finished", "error"):
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
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
