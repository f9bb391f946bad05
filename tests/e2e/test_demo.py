"""`make demo`, from its command to its last line, and once more."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@dataclass
class Walk:
    """One run of the demo: what it printed, how long it took, what it left."""

    exit_code: int
    printed: str
    seconds: float
    left: dict[int, str]
    artifacts: set[str] = field(default_factory=set)

    def find(self, pattern: str) -> tuple[str, ...]:
        found = re.search(pattern, self.printed, re.MULTILINE)
        assert found, f"{pattern} is not in:\n{self.printed}"
        return found.groups()

    def wallet(self, name: str) -> tuple[float, float]:
        """Credits available, and held."""
        available, held = self.find(rf"^ +wallet +{name}: ([\d.]+) credits available, ([\d.]+) held")
        return float(available), float(held)

    @property
    def version(self) -> tuple[str, ...]:
        return self.find(r"^ +version +(ada/ndvi-timeseries@\d+\.\d+\.\d+) +(sha256:[0-9a-f]{64})$")

    @property
    def cost(self) -> float:
        return float(self.find(r"^ +cost +([\d.]+) credits")[0])

    @property
    def all_costs(self) -> float:
        """Of the run, and of the one that reproduced it."""
        return self.cost + float(self.find(r"^ +again +([\d.]+) credits")[0])


@pytest.fixture(scope="module")
def walks(house: Any, processes: Any) -> list[Walk]:
    """The demo on an empty data folder, and the demo again."""
    data = house.make().data
    made = []
    for _ in range(2):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, ROOT / "demo" / "demo.py", "--data", data],
            cwd=data.parent,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=200,
        )
        took = time.monotonic() - began
        kept = {path.name for path in (data / "marketplace" / "artifacts").rglob("*") if path.is_file()}
        text = done.stdout + (done.stderr if done.returncode else "")
        left = processes(data)
        made.append(Walk(exit_code=done.returncode, printed=text, seconds=took, left=left, artifacts=kept))
        if done.returncode:
            break
    return made


def test_it_ends_well(walks: list[Walk]) -> None:
    assert [walk.exit_code for walk in walks] == [0, 0], walks[-1].printed


def test_it_tells_the_version_and_that_the_run_finished(walks: list[Walk]) -> None:
    for walk in walks:
        assert walk.version
        assert walk.find(r"^ +run +[0-9a-f]{32} +(\w+)$") == ("finished",)
        assert float(walk.find(r"^ +took +([\d.]+) s")[0]) > 0


def test_the_caller_pays_what_the_run_cost_and_the_author_for_her_jupyterlab(walks: list[Walk]) -> None:
    first, second = walks
    assert 0 < first.cost <= float(first.find(r"at most ([\d.]+) were held")[0])
    (ben, bens_held), (ada, adas_held) = first.wallet("ben"), first.wallet("ada")
    assert bens_held == 0
    # Both began with the same allowance. Ada's pays for her server alone, of which the first hour is held.
    assert adas_held > 0
    assert ben == pytest.approx(ada + adas_held - first.all_costs, abs=0.0011)
    later, held = second.wallet("ben")
    assert (later, held) == (pytest.approx(ben - second.all_costs, abs=0.0011), 0)
    # The first walk's server was settled: it cost something, and far less than its first hour.
    paid = ada + adas_held - sum(second.wallet("ada"))
    assert 0 < paid < adas_held


def test_the_receipt_is_verified_and_the_run_reproduced(walks: list[Walk]) -> None:
    for walk in walks:
        assert re.search(r"^verified$", walk.printed, re.MULTILINE)
        assert walk.find(r"^verdict +(\S+)") == ("identical",)
        assert walk.find(r"^level +(\S+)")


def test_the_files_are_there_with_the_digests_that_are_told(walks: list[Walk], house: Any) -> None:
    del house
    last = walks[-1]
    folder = Path(last.find(r"--output (\S+)$")[0])
    told = re.findall(r"^ +(?:came out)? +(\S+) +\S+/\S+, [\d,]+ bytes\n +sha256:([0-9a-f]{64})$", last.printed, re.M)
    names = {Path(path).name.partition(".")[0] for path, _ in told}
    assert names == {"notebook", "notebook-html", "timeseries", "plot", "median", "summary"}
    for path, digest in told:
        file = folder / Path(path).name
        assert hashlib.sha256(file.read_bytes()).hexdigest() == digest, path


def test_what_went_in_is_told_with_digests(walks: list[Walk]) -> None:
    for walk in walks:
        count, collection = walk.find(r"^ +went in +(\d+) assets of (\S+)$")
        assert int(count) > 0
        assert collection in ("sentinel-2-l2a-field-spain", "landsat-8-simulated-season")
        assert walk.find(r"^ +\S+/\S+ sha256:([0-9a-f]{64})$")


def test_simulated_data_are_called_so(walks: list[Walk]) -> None:
    assert walks[0].find(r"^ +landsat-8-simulated-season +\d+ items +(SIMULATED)")


def test_nothing_of_it_runs_on(walks: list[Walk]) -> None:
    assert [walk.left for walk in walks] == [{}, {}]


def test_the_second_time_publishes_nothing(walks: list[Walk]) -> None:
    first, second = walks
    assert second.version == first.version
    assert second.artifacts == first.artifacts
    assert first.artifacts
    shipped = len(list((ROOT / "algorithms").glob("*/notebook.ipynb")))
    assert (first.printed + second.printed).count("published before, unchanged") == shipped
