"""Runs that are made to come out the same, or not, and what their reproduction has to say.

Every run is real: a notebook in the sandbox, over an archive and an environment of its own, that are changed between
the original and its reproduction. Used by `reproduce100.py`, and by a test with a few of each.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

USERS = ["cal", "dee", "eve", "fay"]
PARAMETERS = "# Which of its kind\nn: int = 1"
OVER = {"finished", "error", "canceled"}
#: Reads the bytes of scenes, and says so as `open_cube` would; where reading is watched, the watching is believed.
READ = """
import os
from pathlib import Path
from swath.inputs import record_inputs

fields = Path(os.environ['SWATH_ARCHIVE']) / 'fields'

def read(item):
    href = str(fields / item / 'data.bin')
    record_inputs([{'id': item, 'assets': {'data': {'href': href}}}], collection='fields', assets=['data'])
    return Path(href).read_bytes()
"""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way in which a run comes out the same or not."""

    name: str
    cells: tuple[str, ...]
    verdict: str
    cause: str | None = None
    """Code that is among the causes."""
    says: str = ""
    """What the causes or the differences say somewhere."""
    phase: int = 0
    """0: nothing is changed; 1: scenes are; 2: packages are; 3: versions are."""
    tolerances: Mapping[str, Mapping[str, Any]] | None = None


def _emit(value: str) -> str:
    return f"import swath\nswath.emit('result', {{'value': {value}}})"


KINDS: tuple[Kind, ...] = (
    Kind(name="arithmetic", cells=(_emit("[n * k for k in range(100)]"),), verdict="identical"),
    Kind(name="scene", cells=(READ, _emit("sum(read(f'S{n}'))")), verdict="identical"),
    Kind(
        name="seeded",
        cells=("import random\nrandom.seed(n)", _emit("[random.random() for _ in range(50)]")),
        verdict="identical",
    ),
    Kind(
        name="seed",
        cells=("import random", _emit("random.random()")),
        verdict="differs",
        cause="chance",
        says="random numbers without a seed",
    ),
    Kind(
        name="clock",
        cells=("from datetime import datetime, UTC", _emit("datetime.now(UTC).isoformat()")),
        verdict="differs",
        cause="chance",
        says="the clock",
    ),
    Kind(
        name="order",
        cells=("names = {f'field-{k}' for k in range(40)}", _emit("[name for name in names]")),
        verdict="differs",
        cause="chance",
        says="the order of a set",
    ),
    Kind(
        name="noise",
        cells=("import random", _emit("[1 + 1e-9 * random.random() for _ in range(50)]")),
        verdict="within-tolerance",
        tolerances={"result": {"rtol": 1e-6}},
    ),
    Kind(
        name="raster",
        cells=(
            "import random\nimport numpy as np\nimport xarray as xr\nimport rioxarray\nimport swath",
            "values = np.arange(400, dtype='float32').reshape(20, 20)\nvalues[7, 11] = 1000 + 100 * random.random()",
            "grid = xr.DataArray(values, dims=('y', 'x'), coords={'y': np.arange(20.0, 0, -1), 'x': np.arange(20.0)})",
            "swath.emit('result', grid.rio.write_crs('EPSG:32630'))",
        ),
        verdict="differs",
        cause="chance",
        says="row 7",
    ),
    Kind(
        name="replaced",
        cells=(READ, _emit("sum(read(f'R{n}'))")),
        verdict="differs",
        cause="input-replaced",
        says="scene fields/R",
        phase=1,
    ),
    Kind(
        name="gone",
        cells=(READ, _emit("sum(read(f'G{n}'))")),
        verdict="cannot",
        cause="input-gone",
        says="scene fields/G",
        phase=1,
    ),
    Kind(
        name="grown",
        cells=(
            READ,
            _emit("[sum(read(path.name)) for path in sorted(fields.glob(f'W{n}-*'))]"),
        ),
        verdict="differs",
        cause="input-added",
        says="-new",
        phase=1,
    ),
    Kind(
        name="package",
        cells=("import probe", _emit("probe.said")),
        verdict="differs",
        cause="packages-changed",
        says="probe 1.0 → 2.0",
        phase=2,
    ),
    Kind(
        name="altered",
        cells=("import trinket", _emit("trinket.said")),
        verdict="differs",
        cause="packages-changed",
        says="trinket has other content under the same version",
        phase=2,
    ),
    Kind(
        name="broken",
        cells=("import probe", _emit("probe.only_in_the_first")),
        verdict="cannot",
        cause="run-failed",
        says="probe 1.0 → 2.0",
        phase=2,
    ),
    Kind(
        name="yanked",
        cells=(_emit("n"),),
        verdict="cannot",
        cause="version-yanked",
        says="it was wrong",
        phase=3,
    ),
)


@dataclass(kw_only=True)
class Case:
    """One run and its reproduction."""

    kind: Kind
    number: int
    user: str
    run_id: str = ""
    reproduction_id: str = ""
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Whether the verdict and its causes are what they have to be."""
        codes = [cause["code"] for cause in self.found.get("causes", ())]
        told = json.dumps(self.found, ensure_ascii=False)
        named = self.kind.cause in codes if self.kind.cause else not codes
        return self.found.get("verdict") == self.kind.verdict and named and self.kind.says in told


def cases_of(counts: Mapping[str, int]) -> list[Case]:
    """So many cases of each kind, spread over the users."""
    found = []
    for kind in KINDS:
        for number in range(counts.get(kind.name, 0)):
            found.append(Case(kind=kind, number=number, user=USERS[len(found) % len(USERS)]))
    return found


def notebook(kind: Kind) -> dict[str, Any]:
    """The notebook that a kind's runs are calls of."""

    def cell(name: str, source: str, *tags: str) -> dict[str, Any]:
        meta = {"tags": list(tags)} if tags else {}
        code = {"cell_type": "code", "metadata": meta, "source": source, "outputs": [], "execution_count": None}
        return {"id": name, **code}

    swath = {
        "name": f"case-{kind.name}",
        "title": f"A run of the kind {kind.name}",
        "summary": "To be run again",
        "license": "Apache-2.0",
        "version": "1.0.0",
        "resources": {"cpus": 0.5, "memory_mb": 1024, "wall_seconds": 120},
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [cell("params", PARAMETERS, "parameters"), *(cell(f"c{i}", text) for i, text in enumerate(kind.cells))]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel, "swath": swath}, "cells": cells}


class Place:
    """The archive and the environment that runs see, and what is done to them.

    Parameters
    ----------
    data
        The data folder of a Swath that is yet to be started.
    """

    def __init__(self, data: Path) -> None:
        self.fields = data / "archive" / "fields"
        self.environment = data / "environments" / "eo"
        self.python = self.environment / "bin" / "python"

    def make(self, cases: Sequence[Case]) -> None:
        """Make both, with the scenes that `cases` read."""
        self.fields.mkdir(parents=True)
        letters = {"scene": "S{}", "replaced": "R{}", "gone": "G{}", "grown": "W{}-first"}
        for case in cases:
            if letter := letters.get(case.kind.name):
                self.scene(letter.format(case.number), bytes(range(200)))
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", self.environment], check=True)
        (ours,) = (Path(sys.prefix) / "lib").glob("python3*/site-packages")
        named = [line for file in ours.glob("*.pth") for line in file.read_text().splitlines() if line.startswith("/")]
        (self._site / "beside.pth").write_text("\n".join([str(ours), *named]) + "\n")
        self.package("probe", "1.0", "said = 'first'\nonly_in_the_first = 1\n")
        self.package("trinket", "1.0", "said = 'first'\n")

    @property
    def _site(self) -> Path:
        (site,) = self.environment.glob("lib/python3*/site-packages")
        return site

    def scene(self, item: str, content: bytes) -> None:
        """Put an item with one asset into the archive; one that is there is replaced."""
        folder = self.fields / item
        folder.mkdir(exist_ok=True)
        (folder / "data.bin").write_bytes(content)
        document = {
            "type": "Feature",
            "stac_version": "1.1.0",
            "id": item,
            "collection": "fields",
            "assets": {"data": {"href": "./data.bin"}},
        }
        (folder / f"{item}.json").write_text(json.dumps(document))

    def package(self, name: str, version: str, source: str) -> None:
        """Install a package; another version of it is replaced."""
        (self._site / name).mkdir(exist_ok=True)
        (self._site / name / "__init__.py").write_text(source)
        for old in self._site.glob(f"{name}-*.dist-info"):
            for file in old.iterdir():
                file.unlink()
            old.rmdir()
        info = self._site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "RECORD").write_text(f"{name}/__init__.py,,\n{info.name}/METADATA,,\n")

    def change_scenes(self, cases: Sequence[Case]) -> None:
        """What is done before the reproductions of phase 1."""
        for case in cases:
            if case.kind.name == "replaced":
                self.scene(f"R{case.number}", bytes(reversed(range(1, 201))))
            elif case.kind.name == "gone":
                (self.fields / f"G{case.number}" / "data.bin").unlink()
            elif case.kind.name == "grown":
                self.scene(f"W{case.number}-new", b"more")

    def change_packages(self) -> None:
        """What is done before those of phase 2."""
        self.package("probe", "2.0", "said = 'second'\n")
        (self._site / "trinket" / "__init__.py").write_text("said = 'second'\n")


def reproduce(
    cases: Sequence[Case],
    place: Place,
    client: Callable[[str], httpx.Client],
    *,
    say: Callable[[str], None] = lambda _: None,
    seconds: float = 1200,
) -> None:
    """Run every case, change what is to be changed, and reproduce; the answers are put into the cases.

    Raises
    ------
    RuntimeError
        An original did not finish, or something took longer than `seconds`.
    """
    doors = {user: client(user) for user in USERS}
    for kind in {case.kind.name: case.kind for case in cases}.values():
        made = doors[USERS[0]].post("algorithms", json={"notebook": notebook(kind)})
        if made.status_code != 201:
            raise RuntimeError(f"{kind.name} could not be published: {made.text}")
    end = time.monotonic() + seconds
    for case in cases:
        asked = {"algorithm": f"{USERS[0]}/case-{case.kind.name}", "parameters": {"n": case.number}}
        case.run_id = _sent(doors[case.user].post("runs", json=asked))["id"]
    for case in cases:
        run = _until(doors[case.user], f"runs/{case.run_id}", lambda told: told["status"] in OVER, end)
        if run["status"] != "finished":
            raise RuntimeError(f"{case.kind.name}: the original ended as {run['status']}: {run['error']}")
    say(f"{len(cases)} originals have finished")
    for phase in range(4):
        those = [case for case in cases if case.kind.phase == phase]
        if phase == 1:
            place.change_scenes(cases)
        elif phase == 2:
            place.change_packages()
        elif phase == 3 and those:
            yank = doors[USERS[0]].post(
                "algorithms/cal/case-yanked/versions/1.0.0/yank", json={"reason": "it was wrong"}
            )
            yank.raise_for_status()
        for case in those:
            body = {"tolerances": case.kind.tolerances} if case.kind.tolerances else {}
            told = _sent(doors[case.user].post(f"runs/{case.run_id}/reproductions", json=body))
            case.reproduction_id = told["id"]
        for case in those:
            door = doors[case.user]
            case.found = _until(door, f"reproductions/{case.reproduction_id}", lambda told: told["verdict"], end)
        say(f"phase {phase}: {len(those)} reproduced")


def _sent(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code >= 300:
        raise RuntimeError(f"{answer.request.url} answered {answer.status_code}: {answer.text}")
    told: dict[str, Any] = answer.json()
    return told


def _until(door: httpx.Client, path: str, over: Callable[[dict[str, Any]], Any], end: float) -> dict[str, Any]:
    while True:
        told = _sent(door.get(path))
        if over(told):
            return told
        if time.monotonic() > end:
            raise RuntimeError(f"{path} took too long: {told}")
        time.sleep(0.2)
