"""Reading the files that an author wants to put beside a version: every finding at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swath.contract.digest import sha256_bytes
from swath.contract.fields import ContractError, nearest
from swath.contract.interface import GIVEN_OUTPUTS, Interface
from swath.contract.parameters import check_parameters
from swath.contract.scenarios import MAX_SCENARIOS, Expected, Scenario
from swath.scenario_files import CARD, NOTEBOOK, check_sizes, checked_path, parse_scenario, scenario_name

_MEND_SCENARIO = "mend the scenario's file; `swath benchmark` tries it at the desk"


class Findings:
    """What is wrong with some files, gathered."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def add(self, field: str, message: str, mend: str) -> None:
        """Note that the file or member `field` is wrong."""
        self.found.append({"field": field, "message": message, "mend": mend})


def read_dossier(
    files: Mapping[str, bytes], interface: Interface
) -> tuple[tuple[Scenario, ...], Sequence[Mapping[str, Any]]]:
    """The scenarios among `files`, for a version of the given interface, and everything that is wrong.

    Parameters
    ----------
    files
        Contents by path below the algorithm's folder.

    Returns
    -------
    tuple
        The scenarios by name, of use only without findings; and the findings.
    """
    findings = Findings()
    try:
        check_sizes(files)
    except ContractError as error:
        findings.add("files", str(error), "send fewer or smaller files")
        return (), findings.found
    for path in files:
        _check_file(path, files[path], findings)
    scenarios = [scenario for path in sorted(files) if (scenario := _scenario(path, files, findings))]
    if len(scenarios) > MAX_SCENARIOS:
        findings.add("scenarios", f"more than {MAX_SCENARIOS} scenarios", "join some of them")
    names = [scenario.name for scenario in scenarios]
    for name in sorted({name for name in names if names.count(name) > 1}):
        findings.add(f"scenarios/{name}", "two files hold a scenario of this name", "rename one of them")
    for scenario in scenarios:
        _check_scenario(scenario, files, interface, findings=findings)
    return tuple(scenarios), findings.found


def _check_file(path: str, content: bytes, findings: Findings) -> None:
    try:
        checked_path(path)
    except ContractError as error:
        findings.add(path[:100], str(error), "rename the file")
        return
    if path == NOTEBOOK:
        findings.add(path, "the notebook is the version itself", "leave it out; publish a version to change it")
    if path == CARD:
        try:
            content.decode()
        except UnicodeDecodeError:
            findings.add(path, "the card is not UTF-8 text", "save it as UTF-8")


def _scenario(path: str, files: Mapping[str, bytes], findings: Findings) -> Scenario | None:
    if not path.startswith("scenarios/"):
        return None
    if scenario_name(path) is None:
        findings.add(path, "a scenario is scenarios/<name>.yaml or .json", "rename the file or move it elsewhere")
        return None
    try:
        return parse_scenario(path, files[path])
    except ContractError as error:
        findings.add(path, str(error), _MEND_SCENARIO)
        return None


def _check_scenario(
    scenario: Scenario, files: Mapping[str, bytes], interface: Interface, *, findings: Findings
) -> None:
    where = f"scenarios/{scenario.name}"
    _, faults = check_parameters(interface, scenario.parameters)
    wants_fault = scenario.refused is not None and scenario.refused.code == "invalid"
    if faults and not wants_fault:
        for fault in faults:
            findings.add(f"{where}.parameters.{fault.field}", fault.message, fault.mend)
    if wants_fault and not faults:
        findings.add(
            f"{where}.refused",
            "these parameters fit the interface, so nothing would refuse the call",
            "give parameters that do not fit, or say cell-failed",
        )
    declared = [*(output.name for output in interface.outputs), *GIVEN_OUTPUTS]
    for name, expected in scenario.outputs.items():
        if name not in declared:
            meant = nearest(name, declared)
            mend = f"did you mean {meant!r}?" if meant else f"there are: {', '.join(declared)}"
            findings.add(f"{where}.outputs.{name}", "the version has no output of this name", mend)
        _check_reference(f"{where}.outputs.{name}", expected, files, findings=findings)


def _check_reference(where: str, expected: Expected, files: Mapping[str, bytes], *, findings: Findings) -> None:
    content = files.get(expected.reference)
    if content is None:
        findings.add(f"{where}.reference", f"there is no file {expected.reference}", "send it with the others")
        return
    found = sha256_bytes(content)
    if found != expected.sha256:
        findings.add(
            f"{where}.sha256",
            f"{expected.reference} has the sha256 {found}",
            "quote that, if this is the file that was meant; `swath benchmark --update` does",
        )
