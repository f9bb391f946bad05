"""Runs of small notebooks by the real runner, in a process of its own, with this interpreter's kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from swath.contract.interface import Interface
from swath.contract.run import RunEvent, RunReport, RunSpec

Cell = str | tuple[str, str]
"""Source of a code cell, alone or with its tag; a source that starts with ``md:`` is Markdown."""


@dataclass
class Folder:
    """A run's folder."""

    path: Path

    def events(self) -> list[RunEvent]:
        lines = (self.path / "out/events.jsonl").read_text().splitlines()
        return [RunEvent.from_dict(json.loads(line)) for line in lines]

    def report(self) -> RunReport:
        return RunReport.from_dict(json.loads((self.path / "out/report.json").read_text()))

    def notebook(self) -> Any:
        return nbformat.read(self.path / "out/output.ipynb", as_version=4)

    def log(self) -> str:
        return "".join(event.text or "" for event in self.events() if event.type == "log")

    def start(self, *, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "swath.runner", str(self.path)]
        inherited = {**os.environ, **(environment or {})}
        return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=inherited)

    def run(self, *, environment: Mapping[str, str] | None = None) -> RunReport:
        process = self.start(environment=environment)
        said, complaint = process.communicate(timeout=120)
        assert (said, complaint) == ("", "")
        report = self.report()
        assert process.returncode == (0 if report.error is None else 1)
        return report


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., Folder]:
    """Lay out a run's folder."""

    def lay(
        cells: Sequence[Cell],
        *,
        outputs: Sequence[str] = (),
        parameters: Sequence[Mapping[str, Any]] = (),
        values: Mapping[str, Any] | None = None,
        wall_seconds: float = 60,
    ) -> Folder:
        folder = tmp_path / "run"
        (folder / "input").mkdir(parents=True)
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        for cell in cells:
            source, tags = (cell, []) if isinstance(cell, str) else (cell[0], [cell[1]])
            made = nbformat.v4.new_markdown_cell if source.startswith("md:") else nbformat.v4.new_code_cell
            notebook.cells.append(made(source.removeprefix("md:"), metadata={"tags": tags}))
        nbformat.write(notebook, folder / "input/notebook.ipynb")
        interface = Interface.from_dict(
            {"parameters": list(parameters), "outputs": [{"name": name} for name in outputs]}
        )
        spec = RunSpec(
            run_id="run-1",
            algorithm="ada/sample",
            version="1.0.0",
            digest="sha256:" + "0" * 64,
            parameters=dict(values or {}),
            interface=interface,
            wall_seconds=wall_seconds,
            memory_bytes=2**31,
            cpus=1,
            pids=200,
        )
        (folder / "input/spec.json").write_text(json.dumps(spec.as_dict()))
        return Folder(folder)

    return lay
