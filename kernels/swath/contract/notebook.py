"""A notebook as it stands, read into a typed interface and its metadata, with every finding at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from swath.contract.declared import ParametersReader
from swath.contract.emits import read_outputs
from swath.contract.findings import Finding, Findings, Severity
from swath.contract.interface import Interface, Parameter
from swath.contract.leaks import find_assigned_secrets, find_paths, find_secrets, find_told_paths
from swath.contract.metadata import AlgorithmMetadata, read_metadata
from swath.contract.names import check_names
from swath.contract.source import Code, read_code, read_imports
from swath.contract.structure import Cell, Notebook, read_structure

PARAMETERS_TAG = "parameters"
INJECTED_TAG = "injected-parameters"
_MEND_TAG = "tag the one cell that declares the parameters with 'parameters' (Property Inspector > Cell Tags)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a notebook says."""

    interface: Interface | None
    """``None`` when an error keeps it from being known."""
    metadata: AlgorithmMetadata | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the notebook can be published: no finding is an error."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep it from being published."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def read_notebook(raw: bytes | str | Mapping[str, Any], *, environments: Collection[str] | None) -> Reading:
    """Read a notebook without running any of it.

    Parameters
    ----------
    raw
        The file's bytes, or the parsed JSON. It may be anything: what is wrong with it becomes findings, and nothing
        is raised.
    environments
        Names of the environments that exist; ``None`` leaves the notebook's unchecked.
    """
    findings = Findings()
    notebook = read_structure(raw, findings)
    if notebook is None:
        return Reading(interface=None, metadata=None, findings=findings.sorted())
    metadata = read_metadata(
        notebook.metadata.get("swath"), findings, environments=environments, heading=_heading(notebook)
    )
    codes = [read_code(cell.index, cell.source) for cell in notebook.code()]
    for code in codes:
        _check_code(code, findings)
    _check_texts(notebook, findings)
    _check_tags(notebook, findings)
    parameters = _parameters(notebook, codes, findings) if notebook.is_python else ()
    outputs = read_outputs(codes, read_imports(codes), findings) if notebook.is_python else ()
    interface = None if findings.has_error else Interface(parameters=parameters, outputs=outputs)
    return Reading(interface=interface, metadata=metadata, findings=findings.sorted())


def _heading(notebook: Notebook) -> str:
    for cell in notebook.cells:
        for line in cell.source.split("\n") if cell.kind == "markdown" else ():
            if line.startswith("# ") and (title := line[2:].strip(" \t\r#")):
                return title
    return ""


def _check_code(code: Code, findings: Findings) -> None:
    if code.tree is None:
        findings.error(
            "syntax-error",
            f"this cell is no Python: {code.fault}",
            "correct it, or make it a text cell",
            cell=code.cell,
            line=code.fault_line,
        )
    for line in code.installs:
        findings.warning(
            "installs-packages",
            "this line installs packages, which a run cannot: its environment is locked and it has no network",
            "choose an environment that has them, and remove the line",
            cell=code.cell,
            line=line,
        )
    find_assigned_secrets(code, findings)
    find_paths(code, findings)


def _check_texts(notebook: Notebook, findings: Findings) -> None:
    for cell in notebook.cells:
        find_secrets(cell.index, cell.source, findings)
        if cell.kind != "code":
            find_told_paths(cell.index, cell.source, findings)


def _check_tags(notebook: Notebook, findings: Findings) -> None:
    for cell in notebook.cells:
        if INJECTED_TAG in cell.tags:
            findings.error(
                "injected-cell",
                "this cell holds the parameters of a previous run and would override the caller's",
                "delete this cell",
                cell=cell.index,
            )
        if cell.kind == "code" and "raises-exception" in cell.tags:
            findings.warning(
                "raises-exception",
                "this cell is tagged raises-exception; a run ends as error at a cell that raises all the same",
                "catch the exception in the cell, and remove the tag",
                cell=cell.index,
            )


def _parameters(notebook: Notebook, codes: list[Code], findings: Findings) -> tuple[Parameter, ...]:
    tagged = [cell for cell in notebook.cells if PARAMETERS_TAG in cell.tags]
    cells = [cell for cell in tagged if cell.kind == "code"]
    for cell in tagged:
        if cell.kind != "code":
            findings.error(
                "bad-parameters-cell", "the cell tagged 'parameters' is no code cell", _MEND_TAG, cell=cell.index
            )
    if not tagged:
        findings.error(
            "no-parameters-cell",
            "no cell is tagged 'parameters'",
            f"{_MEND_TAG}; it may be empty if there are none",
        )
    for cell in cells[1:]:
        findings.error(
            "two-parameters-cells", "another cell is already tagged 'parameters'", "keep one of them", cell=cell.index
        )
    read = [_read_cell(cell, codes, findings) for cell in cells]
    if len(cells) == 1:
        check_names(codes, [one.name for one in read[0]], read_imports(codes), cells[0].index, findings)
    return read[0] if read else ()


def _read_cell(cell: Cell, codes: list[Code], findings: Findings) -> tuple[Parameter, ...]:
    """Names in annotations must be imported by then, so later cells do not count."""
    before = [code for code in codes if code.cell <= cell.index]
    return ParametersReader(before[-1], read_imports(before), findings).read()
