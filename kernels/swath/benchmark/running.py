"""One run of a scenario at the desk: by the runner that a service's runs have, in a folder that is thrown away."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swath.benchmark.folder import AlgorithmFolder
from swath.client.errors import MissingPackage, ServerFault
from swath.contract.parameters import check_parameters
from swath.contract.run import NOTEBOOK, REPORT, SPEC, WORK, RunReport, RunSpec
from swath.contract.scenarios import Scenario

_PIDS = 512
_MIB = 1 << 20
#: Beyond its own limit of time a runner is waited for so long, then ended.
_GRACE_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class DeskRun:
    """A run, over."""

    report: RunReport
    folder: Path
    seconds: float

    def output(self, name: str) -> tuple[Path, str] | None:
        """The file of an output and its media type; ``None`` when the run brought none of that name."""
        found = next((one for one in self.report.outputs if one.name == name), None)
        return None if found is None else (self.folder / "out" / found.path, found.media_type)


def check_here() -> None:
    """Whether notebooks can be run in this environment.

    Raises
    ------
    MissingPackage
    """
    for name in ("papermill", "ipykernel"):
        if importlib.util.find_spec(name) is None:
            raise MissingPackage(
                f"scenarios run in this environment, and it has no {name}",
                code="no-runner",
                mend="pip install 'swath[kernel]', or call the `swath` of the environment that the notebook names",
            )


def run_scenario(algorithm: AlgorithmFolder, scenario: Scenario, folder: Path) -> DeskRun:
    """Run `scenario` in `folder`, which is new.

    Raises
    ------
    ServerFault
        The runner ended without a report.
    """
    for name in ("input", "control", WORK):
        (folder / name).mkdir(parents=True)
    bound, _ = check_parameters(algorithm.interface, scenario.parameters)
    resources = algorithm.metadata.resources
    spec = RunSpec(
        run_id=f"desk-{scenario.name}",
        algorithm=f"desk/{algorithm.metadata.name}",
        version="0.0.0",
        digest="sha256:" + "0" * 64,
        parameters=bound,
        interface=algorithm.interface,
        wall_seconds=resources.wall_seconds,
        memory_bytes=resources.memory_mb * _MIB,
        cpus=resources.cpus,
        pids=_PIDS,
    )
    (folder / SPEC).write_text(json.dumps(spec.as_dict()))
    (folder / NOTEBOOK).write_bytes(algorithm.notebook.read_bytes())
    began = time.monotonic()
    said = _run(folder, seconds=resources.wall_seconds + _GRACE_SECONDS)
    seconds = time.monotonic() - began
    try:
        report = RunReport.from_dict(json.loads((folder / REPORT).read_bytes()))
    except (OSError, ValueError) as error:
        raise ServerFault(f"the runner ended without a report: {said[-500:]}", code="runner-lost") from error
    return DeskRun(report=report, folder=folder, seconds=seconds)


def _run(folder: Path, *, seconds: float) -> str:
    command = [sys.executable, "-m", "swath.runner", str(folder)]
    try:
        done = subprocess.run(
            command, env=_environment(os.environ), capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return "it did not end in time"
    return f"{done.stdout}{done.stderr}"


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the runner sees; as in a service's runs the time zone is UTC."""
    return {**environ, "TZ": "UTC"}
