"""An algorithm's folder, read for its benchmarks: the notebook's interface and the scenarios, every fault at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swath.benchmark.references import with_hashes
from swath.client.algorithms import read_notebook_file
from swath.client.errors import Invalid, NotFound
from swath.contract.digest import sha256_file
from swath.contract.fields import ContractError, nearest
from swath.contract.interface import GIVEN_OUTPUTS, Interface
from swath.contract.metadata import AlgorithmMetadata
from swath.contract.notebook import read_notebook
from swath.contract.parameters import check_parameters
from swath.contract.scenarios import SCENARIO_FOLDER, Scenario
from swath.scenario_files import NOTEBOOK, parse_scenario, scenario_name

_MEND = "mend the scenario's file; docs/trust-benchmarks.md has an example of each member"


@dataclass(frozen=True, kw_only=True)
class AlgorithmFolder:
    """What is benchmarked."""

    path: Path
    notebook: Path
    interface: Interface
    metadata: AlgorithmMetadata
    scenarios: Mapping[Path, Scenario]
    """By the file that each stands in."""


def read_algorithm(place: Path, *, names: list[str] | None = None, updating: bool = False) -> AlgorithmFolder:
    """The algorithm in the folder `place`, or beside the notebook `place`.

    Parameters
    ----------
    names
        Of the scenarios that are wanted; all by default.
    updating
        References are about to be written: they may be missing, and so may their hashes.

    Raises
    ------
    NotFound
        There is no such folder, notebook or scenario.
    Invalid
        With everything that is wrong with the notebook or the scenarios.
    """
    notebook = place / NOTEBOOK if place.is_dir() else place
    folder = notebook.parent
    reading = read_notebook(read_notebook_file(notebook), environments=None)
    if reading.interface is None or reading.metadata is None:
        raise Invalid(
            f"{notebook} cannot be published, so it cannot be benchmarked",
            code="notebook-invalid",
            mend="mend what the findings name",
            findings=[finding.as_dict() for finding in reading.errors],
        )
    findings: list[dict[str, Any]] = []
    found: dict[Path, Scenario] = {}
    for file in sorted(path for path in (folder / SCENARIO_FOLDER).glob("*") if path.is_file()):
        path = file.relative_to(folder).as_posix()
        if file.name.startswith(".") or (names and scenario_name(path) not in names):
            continue
        try:
            content = file.read_bytes()
            scenario = parse_scenario(path, with_hashes(path, content, {}) if updating else content)
        except ContractError as error:
            findings.append(_finding(path, str(error)))
            continue
        findings += _faults(scenario, folder, reading.interface, updating=updating)
        found[file] = scenario
    if findings:
        raise Invalid("these scenarios cannot be run", code="scenarios-invalid", mend=_MEND, findings=findings)
    unknown = sorted(set(names or ()) - {scenario.name for scenario in found.values()})
    if not found or unknown:
        raise _nothing(folder, unknown)
    return AlgorithmFolder(
        path=folder, notebook=notebook, interface=reading.interface, metadata=reading.metadata, scenarios=found
    )


def _faults(scenario: Scenario, folder: Path, interface: Interface, *, updating: bool) -> list[dict[str, Any]]:
    where = f"{SCENARIO_FOLDER}/{scenario.name}"
    findings = []
    _, faults = check_parameters(interface, scenario.parameters)
    if scenario.refused is None or scenario.refused.code != "invalid":
        findings += [_finding(f"{where}.parameters.{one.field}", one.message, one.mend) for one in faults]
    elif not faults:
        message = "these parameters fit the interface, so nothing would refuse the call"
        findings.append(_finding(f"{where}.refused", message, "give parameters that do not fit, or say cell-failed"))
    declared = [*(output.name for output in interface.outputs), *GIVEN_OUTPUTS]
    for name, expected in scenario.outputs.items():
        if name not in declared:
            meant = nearest(name, declared)
            mend = f"did you mean {meant!r}?" if meant else f"there are: {', '.join(declared)}"
            findings.append(_finding(f"{where}.outputs.{name}", "the notebook has no output of this name", mend))
        if not updating:
            findings += _reference_faults(f"{where}.outputs.{name}", folder / expected.reference, expected.sha256)
    return findings


def _reference_faults(where: str, reference: Path, sha256: str) -> list[dict[str, Any]]:
    if not reference.is_file():
        message, mend = f"there is no file {reference.name} there", "`swath benchmark --update` writes what came"
        return [_finding(f"{where}.reference", message, mend)]
    if sha256_file(reference) != sha256:
        message = f"{reference.name} has another sha256"
        return [_finding(f"{where}.sha256", message, "quote its own, if this is the file that was meant")]
    return []


def _finding(field: str, message: str, mend: str = _MEND) -> dict[str, Any]:
    return {"field": field, "message": message, "mend": mend}


def _nothing(folder: Path, names: list[str]) -> NotFound:
    wanted = f"called {', '.join(names)} " if names else ""
    return NotFound(
        f"there is no scenario {wanted}in {folder / SCENARIO_FOLDER}",
        code="no-scenarios",
        mend="write scenarios/<name>.yaml beside the notebook",
    )
