"""Two copies of Swath beside each other, and one of them killed in the middle of work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NAME = "eve"
HEALTH = [f"services/{name}/health" for name in ("quota", "marketplace", "archive")]
#: Runs until a file appears in the archive, which is the one thing that a run sees change.
WAITING = """
import os
import time
from pathlib import Path

import swath

began = time.monotonic()
swath.progress(0.5, "waiting")
while not (Path(os.environ["SWATH_ARCHIVE"]) / signal).exists():
    time.sleep(0.1)
swath.emit("waited", time.monotonic() - began, description="Seconds it waited")
"""


@pytest.fixture(scope="module")
def second(house: Any, copy: Any) -> Iterator[Any]:
    """Another copy beside the one that runs."""
    made = house.make()
    made.start()
    yield made
    made.end()


def test_both_answer_and_know_nothing_of_each_other(copy: Any, second: Any) -> None:
    assert copy.url != second.url
    assert not set(copy.state["ports"].values()) & set(second.state["ports"].values())
    for one in (copy, second):
        assert [(path, one.get(path).status_code) for path in HEALTH] == [(path, 200) for path in HEALTH]
        assert one.get("hub/health").status_code == 200
    here, there = copy.person("kim").token("e2e"), second.person("kim").token("e2e")
    assert copy.get("services/quota/wallet", here).json()["account"] == "kim"
    assert second.get("services/quota/wallet", there).json()["account"] == "kim"
    assert copy.get("services/quota/wallet", there).status_code == 401
    assert second.get("services/quota/wallet", here).status_code == 401


def test_a_second_start_on_the_same_folder_is_refused_with_what_to_do(second: Any) -> None:
    before = second.state["hub"]
    refused = second.swath("up", "--detach", check=False)
    assert refused.returncode == 1
    assert f"Swath already runs on {second.data}" in refused.stderr
    assert "swath status" in refused.stderr
    assert second.state["hub"] == before
    assert second.get("hub/health").status_code == 200


@dataclass
class Lab:
    """Her running server and one kernel of it."""

    address: str
    token: str
    execute_in: Any
    kernel: str = ""

    @property
    def head(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"}

    def run(self, code: str) -> str:
        if not self.kernel:
            made = httpx.post(f"{self.address}api/kernels", headers=self.head, json={}, timeout=60, trust_env=False)
            assert made.status_code == 201, made.text
            self.kernel = made.json()["id"]
        socket = self.address.replace("http", "ws", 1) + f"api/kernels/{self.kernel}/channels"
        printed: str = self.execute_in(socket, self.head, code, 90)
        return printed.strip()


@pytest.fixture(scope="module")
def lab(second: Any, person_module: Any) -> Lab:
    eve = second.person(NAME)
    token = eve.token("e2e")
    eve.spawn(token, on_progress=lambda _: None)
    return Lab(address=f"{second.url}user/{NAME}/", token=token, execute_in=person_module._execute_in)


def _waiting_notebook(folder: Path) -> Path:
    parameters = nbformat.v4.new_code_cell("signal: str = 'go'  # File to wait for", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[parameters, nbformat.v4.new_code_cell(WAITING)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.swath = {
        "name": "waiting",
        "title": "Waiting",
        "summary": "Waits for a file of the archive.",
        "version": "1.0.0",
        "license": "Apache-2.0",
        "resources": {"cpus": 1, "memory_mb": 512, "wall_seconds": 240},
    }
    path = folder / "waiting.ipynb"
    nbformat.write(notebook, path)
    return path


def _events(copy: Any, run: str, token: str) -> list[str]:
    """Types of all that happened to a run that is over."""
    text = copy.get(f"services/marketplace/runs/{run}/events", token).text
    return [json.loads(line[5:]).get("type", "status") for line in text.splitlines() if line.startswith("data:")]


def test_a_killed_hub_costs_nobody_a_run_or_a_kernel(second: Any, lab: Lab, until: Any, tmp_path: Path) -> None:
    token = lab.token
    lab.run("kept = 6 * 7")
    pid = lab.run("import os; print(os.getpid())")
    second.as_user(token, "publish", str(_waiting_notebook(tmp_path)))
    wanted = {"algorithm": f"{NAME}/waiting@^1", "parameters": {"signal": "go-on.txt"}}
    run = second.post("services/marketplace/runs", token, wanted).json()["id"]

    def state() -> dict[str, Any]:
        told: dict[str, Any] = second.get(f"services/marketplace/runs/{run}", token).json()
        return told

    until(lambda: state()["progress"] == 0.5, what="the run is in the middle of its work")
    second.kill_hub()
    assert json.loads(second.swath("status", "--json", check=False).stdout)["running"] is False

    second.start()
    assert (state()["status"], state()["progress"]) == ("running", 0.5)
    doors = json.loads(second.swath("status", "--json").stdout)["doors"]
    assert set(doors) == {"hub", "quota", "marketplace", "archive", "dask-gateway"}
    assert all(doors.values())
    assert lab.run("print(kept)") == "42"
    assert lab.run("print(os.getpid())") == pid

    (second.data / "archive" / "go-on.txt").write_text("go on")
    ended = until(lambda: state() if state()["status"] in ("finished", "error", "canceled") else None, seconds=120)
    assert ended["status"] == "finished", ended["error"]
    seen = _events(second, run, token)
    assert (seen.count("start"), seen.count("end"), seen.count("output")) == (1, 1, 1)
    assert [output["name"] for output in ended["outputs"]].count("waited") == 1
    entries = second.get("services/quota/wallet", token).json()["entries"]
    paid = [entry for entry in entries if entry["reference"] == f"run-{run}"]
    assert [(entry["kind"], entry["amount"]) for entry in paid] == [("capture", ended["cost_millicredits"])]


def test_what_ran_before_the_crash_ends_with_the_rest(second: Any, lab: Lab, processes: Any, until: Any) -> None:
    """The server that outlived its hub is still in the new one's hands."""
    assert processes(second.data)
    second.swath("down")
    assert until(lambda: not processes(second.data), seconds=15, what="no process of the copy is left")
