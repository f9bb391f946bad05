"""What came of a scenario at the desk; the words and rules are those of a service's rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swath.benchmark.folder import AlgorithmFolder
from swath.benchmark.running import DeskRun, run_scenario
from swath.contract.comparison import EXACT, Comparison, Verdict
from swath.contract.digest import sha256_file
from swath.contract.parameters import check_parameters
from swath.contract.scenarios import Refused, Scenario

#: Runs a scenario in a new folder.
Runner = Callable[[AlgorithmFolder, Scenario, Path], DeskRun]


@dataclass(frozen=True, kw_only=True)
class DeskResult:
    """One scenario, run at the desk."""

    scenario: str
    outcome: str
    """``green``, ``red`` or ``passed-over``."""
    message: str
    cell: int | None = None
    seconds: float | None = None
    """The median of its runs."""
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    repeated: Mapping[str, Comparison] = field(default_factory=dict)
    produced: Mapping[str, Path] = field(default_factory=dict)
    """What the first run brought of the outputs that are expected."""

    def as_dict(self) -> dict[str, Any]:
        """JSON object."""
        return {
            "scenario": self.scenario,
            "outcome": self.outcome,
            "message": self.message,
            "cell": self.cell,
            "wall_seconds": self.seconds,
            "comparisons": {name: one.as_dict() for name, one in self.comparisons.items()},
            "repeated": {name: one.as_dict() for name, one in self.repeated.items()},
        }


def benchmark(
    algorithm: AlgorithmFolder,
    scenario: Scenario,
    work: Path,
    *,
    collections: frozenset[str] | None,
    once: bool = False,
    compare_references: bool = True,
    runner: Runner = run_scenario,
) -> DeskResult:
    """Run `scenario` and say what came of it.

    Parameters
    ----------
    work
        A new folder for the runs and the pictures of differences.
    collections
        Those of the archive at hand; ``None``: nobody knows, so nothing is passed over.
    once
        Without the second run that has to bring the same back.
    compare_references
        Without, references are neither read nor needed: they are about to be written.
    """
    lacking = [] if collections is None else [name for name in scenario.needs if name not in collections]
    if lacking:
        return _told(scenario, "passed-over", f"the archive at hand lacks {', '.join(lacking)}")
    refused = scenario.refused
    if refused is not None and refused.code == "invalid":
        return _refused_before(algorithm, scenario, refused)
    first = runner(algorithm, scenario, work / "first")
    if refused is not None:
        return _refused_within(scenario, refused, first)
    runs = [first]
    for run in _until_failed(runs, lambda: runner(algorithm, scenario, work / "second"), once=once):
        if (failure := _failure(scenario, run, runs)) is not None:
            return failure
    comparisons = _with_references(algorithm, scenario, first, work / "pictures") if compare_references else {}
    repeated = {} if once else _with_each_other(scenario, first, runs[1], work / "pictures-repeat")
    return _of_outputs(scenario, runs, comparisons=comparisons, repeated=repeated)


def outdated(folder: Path, scenario: Scenario, result: DeskResult) -> dict[str, Path]:
    """What the first run brought of those outputs whose reference is missing, too far off, or not what its hash says.

    Nothing when the second run brought something else: what differs from run to run is no reference.
    """
    if any(not one.verdict.same for one in result.repeated.values()):
        return {}
    found = {}
    for name, produced in result.produced.items():
        expected, compared = scenario.outputs[name], result.comparisons.get(name)
        reference = folder / expected.reference
        if compared is None or not compared.verdict.same or sha256_file(reference) != expected.sha256:
            found[name] = produced
    return found


def _until_failed(runs: list[DeskRun], again: Callable[[], DeskRun], *, once: bool) -> Any:
    yield runs[0]
    if not once:
        runs.append(again())
        yield runs[1]


def _refused_before(algorithm: AlgorithmFolder, scenario: Scenario, refused: Refused) -> DeskResult:
    _, findings = check_parameters(algorithm.interface, scenario.parameters)
    told = "; ".join(f"{one.field}: {one.message}" for one in findings)
    if not findings:
        return _told(scenario, "red", "the parameters were accepted, and had to be refused")
    if refused.message not in told:
        return _told(scenario, "red", f"the parameters were refused, but not with {refused.message!r}: {told}")
    return _told(scenario, "green", f"refused as it has to be: {told}")


def _refused_within(scenario: Scenario, refused: Refused, run: DeskRun) -> DeskResult:
    error = run.report.error
    if error is None:
        return _told(scenario, "red", "the call finished, and had to be refused", [run])
    if error.code != refused.code:
        why = f"the run ended with {error.code}, and had to with {refused.code}"
        return _told(scenario, "red", why, [run], cell=error.cell)
    if refused.message not in f"{error.message}\n{error.traceback or ''}":
        why = f"the call was refused, but not with {refused.message!r}: {error.message}"
        return _told(scenario, "red", why, [run], cell=error.cell)
    return _told(scenario, "green", "the notebook refused the call as it has to", [run])


def _failure(scenario: Scenario, run: DeskRun, runs: Sequence[DeskRun]) -> DeskResult | None:
    error = run.report.error
    if error is not None:
        where = "" if error.cell is None else f"cell {error.cell}: "
        return _told(scenario, "red", f"{where}{error.message} ({error.code})", runs, cell=error.cell)
    absent = [name for name in scenario.outputs if run.output(name) is None]
    return _told(scenario, "red", f"the run brought no output {', '.join(absent)}", runs) if absent else None


def _with_references(
    algorithm: AlgorithmFolder, scenario: Scenario, run: DeskRun, pictures: Path
) -> dict[str, Comparison]:
    references = {name: algorithm.path / one.reference for name, one in scenario.outputs.items()}
    return _compared(scenario, references, run, pictures)


def _with_each_other(scenario: Scenario, first: DeskRun, second: DeskRun, pictures: Path) -> dict[str, Comparison]:
    before = {name: found[0] for name in scenario.outputs if (found := first.output(name))}
    return _compared(scenario, before, second, pictures)


def _compared(scenario: Scenario, expected: Mapping[str, Path], run: DeskRun, pictures: Path) -> dict[str, Comparison]:
    from swath.compare import compare_files

    told = {}
    for name, path in expected.items():
        found = run.output(name)
        assert found is not None
        told[name] = compare_files(
            path,
            found[0],
            media_type=found[1],
            tolerance=scenario.outputs[name].tolerance if name in scenario.outputs else EXACT,
            pictures=pictures,
            name=name,
        )
    return told


def _of_outputs(
    scenario: Scenario,
    runs: Sequence[DeskRun],
    *,
    comparisons: Mapping[str, Comparison],
    repeated: Mapping[str, Comparison],
) -> DeskResult:
    for found, against in ((comparisons, "its reference"), (repeated, "the first run's, when it ran again")):
        for name, one in found.items():
            if not one.verdict.same:
                why = f"output {name} differs from {against}: {one.message}"
                return _told(scenario, "red", why, runs, comparisons=comparisons, repeated=repeated)
    exact = all(one.verdict is Verdict.IDENTICAL for one in (*comparisons.values(), *repeated.values()))
    why = "every output is as its reference" if exact else "every output is within its tolerance"
    return _told(scenario, "green", why, runs, comparisons=comparisons, repeated=repeated)


def _told(
    scenario: Scenario,
    outcome: str,
    message: str,
    runs: Sequence[DeskRun] = (),
    *,
    cell: int | None = None,
    comparisons: Mapping[str, Comparison] | None = None,
    repeated: Mapping[str, Comparison] | None = None,
) -> DeskResult:
    from statistics import median

    finished = runs[0] if runs and runs[0].report.error is None else None
    produced = {name: found[0] for name in scenario.outputs if finished and (found := finished.output(name))}
    return DeskResult(
        scenario=scenario.name,
        outcome=outcome,
        message=message,
        cell=cell,
        seconds=round(median(run.seconds for run in runs), 3) if runs else None,
        comparisons=dict(comparisons or {}),
        repeated=dict(repeated or {}),
        produced=produced,
    )
