"""The scenarios of the shipped algorithms: found, run as a service runs them, and compared with their references."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import yaml
from swath.compare import compare_files
from swath.contract.interface import Interface
from swath.contract.notebook import read_notebook
from swath.contract.parameters import check_parameters
from swath.contract.run import RunReport, RunSpec
from swath.contract.scenarios import Expected, Scenario

ROOT = Path(__file__).parents[3]
ALGORITHMS = ROOT / "algorithms"
#: Collections that `swath archive init` makes on every machine.
ALWAYS = frozenset({"landsat-8-l1-sample", "landsat-8-simulated-season", "sentinel-2-l1c-sample"})


def sources() -> Path | None:
    """The folder of real Sentinel series, where there is one; else the archive holds what the registries have."""
    named = Path(os.environ.get("SWATH_ARCHIVE_SOURCES") or ROOT.parent / "shared" / "data")
    if not named.is_dir():
        # A checkout that lies one folder deeper.
        named = ROOT.parents[1] / "shared" / "data"
    return named if named.is_dir() else None


def slugs() -> tuple[str, ...]:
    """The shipped algorithms that have scenarios."""
    return tuple(sorted(path.parent.name for path in ALGORITHMS.glob("*/scenarios")))


def scenarios_of(slug: str) -> tuple[Scenario, ...]:
    """All scenarios of an algorithm, those included that this machine has no data for."""
    files = sorted((ALGORITHMS / slug / "scenarios").glob("*.yaml"))
    return tuple(Scenario.from_dict(file.stem, yaml.safe_load(file.read_text())) for file in files)


def runnable(slug: str, *, refused: bool = False) -> tuple[Scenario, ...]:
    """The scenarios that can be run here and that bring something back, or those that must be `refused`."""
    everywhere = sources() is None
    return tuple(
        one
        for one in scenarios_of(slug)
        if (one.refused is not None) == refused and (not everywhere or set(one.needs) <= ALWAYS)
    )


def interface_of(slug: str) -> Interface:
    """What the notebook's text says that a caller may give."""
    interface = read_notebook((ALGORITHMS / slug / "notebook.ipynb").read_bytes(), environments={"eo"}).interface
    assert interface is not None
    return interface


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one call."""

    findings: tuple[str, ...] = ()
    """Why the parameters were refused; nothing was run then."""
    report: RunReport | None = None
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """The refusal in its own words, whichever it was."""
        error = self.report.error if self.report else None
        return "\n".join([*self.findings, error.message if error else ""])


def run(slug: str, scenario: Scenario, *, folder: Path, archive: Path) -> Outcome:
    """Check the parameters and run the notebook by the real runner, in a process and a kernel of its own."""
    notebook = (ALGORITHMS / slug / "notebook.ipynb").read_bytes()
    reading = read_notebook(notebook, environments={"eo"})
    assert reading.interface is not None
    assert reading.metadata is not None
    bound, findings = check_parameters(reading.interface, scenario.parameters)
    if findings:
        return Outcome(findings=tuple(f"{one.field}: {one.message} {one.mend}" for one in findings))
    needs = reading.metadata.resources
    spec = RunSpec(
        run_id="run-1",
        algorithm=f"swath/{slug}",
        version="1.0.0",
        digest="sha256:" + "0" * 64,
        parameters=bound,
        interface=reading.interface,
        wall_seconds=needs.wall_seconds,
        memory_bytes=needs.memory_mb * 2**20,
        cpus=needs.cpus,
        pids=200,
    )
    (folder / "input").mkdir(parents=True)
    (folder / "input/notebook.ipynb").write_bytes(notebook)
    (folder / "input/spec.json").write_text(json.dumps(spec.as_dict()))
    command = [sys.executable, "-m", "swath.runner", str(folder)]
    given = {**os.environ, "SWATH_ARCHIVE": str(archive)}
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=240)
    assert (done.stdout, done.stderr) == ("", "")
    report = RunReport.from_dict(json.loads((folder / "out/report.json").read_text()))
    return Outcome(report=report, files={one.name: folder / "out" / one.path for one in report.outputs})


def refused_otherwise(scenario: Scenario, outcome: Outcome) -> str | None:
    """How a refusal differs from what its scenario says, or ``None``."""
    assert scenario.refused is not None
    error = outcome.report.error if outcome.report else None
    code = "invalid" if outcome.findings else (error.code if error else "not refused")
    if code != scenario.refused.code:
        return f"{code} instead of {scenario.refused.code}: {outcome.said}"
    said = " ".join(outcome.said.split())
    return None if scenario.refused.message in said else f"nothing of {scenario.refused.message!r} in {said!r}"


def disagreements(slug: str, scenario: Scenario, outcome: Outcome) -> list[str]:
    """Where the outputs are further from their references than was declared; empty when all agree."""
    if outcome.report is None or outcome.report.error is not None:
        return [f"it did not finish: {outcome.said}"]
    told = []
    for name, expected in scenario.outputs.items():
        reference = ALGORITHMS / slug / expected.reference
        if sha256(reference.read_bytes()).hexdigest() != expected.sha256:
            told.append(f"{name}: {expected.reference} is not the file whose sha256 the scenario quotes")
        elif name not in outcome.files:
            told.append(f"{name}: nothing was brought back")
        else:
            told += [f"{name}: {one}" for one in compare(reference, outcome.files[name], expected)]
    return told


def compare(reference: Path, found: Path, expected: Expected) -> list[str]:
    """The difference of two files beyond the tolerance, by the comparers that benchmarks use."""
    comparison = compare_files(reference, found, tolerance=expected.tolerance)
    places = [f"{one.where}: {one.found} instead of {one.expected}" for one in comparison.differences[:3]]
    return [] if comparison.verdict.same else ["; ".join([comparison.message, *places])]
