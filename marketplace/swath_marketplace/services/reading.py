"""Reading a notebook that somebody wants to publish: every finding at once, from its form to what it asks for."""

from __future__ import annotations

import copy
import hashlib
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from swath.contract.digest import canonical_json
from swath.contract.findings import Finding, Severity
from swath.contract.interface import Interface
from swath.contract.notebook import read_notebook
from swath_service.errors import Invalid

from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.fairness import Slots
from swath_marketplace.domain.nesting import is_too_deep


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """A notebook, read."""

    ok: bool
    """Whether it can be published."""
    findings: Sequence[Mapping[str, Any]]
    interface: Interface | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The notebook's ``swath`` block, defaults filled in; empty when it has none that can be read."""
    content: bytes
    """The notebook as it is stored: canonical JSON, so that spaces and the order of members make no other version."""

    @property
    def content_sha256(self) -> str:
        """Hexadecimal sha256 of `content`."""
        return hashlib.sha256(self.content).hexdigest()


def check_notebook(notebook: Any, *, environments: Collection[str], slots: Slots, dask_runs: bool) -> Checked:
    """Everything that is to be said about `notebook`.

    Raises
    ------
    Invalid
        When it is not even a JSON object that can be stored.
    """
    content = _stored(notebook)
    reading = read_notebook(notebook, environments=environments)
    metadata = reading.metadata.as_dict() if reading.metadata else {}
    resources = Resources.from_dict(metadata["resources"]) if metadata else None
    findings = [*_form(notebook), *reading.findings]
    if resources is not None:
        findings += _resources(resources, slots=slots, dask_runs=dask_runs)
    ok = reading.ok and not any(finding.severity is Severity.ERROR for finding in findings)
    return Checked(
        ok=ok and reading.interface is not None and bool(metadata),
        findings=[finding.as_dict() for finding in findings],
        interface=reading.interface,
        metadata=metadata,
        content=content,
    )


def _stored(notebook: Any) -> bytes:
    if not isinstance(notebook, dict) or is_too_deep(notebook):
        raise _no_notebook("a notebook is a JSON object, nested no deeper than a notebook is")
    try:
        return canonical_json(notebook)
    except ValueError as error:
        raise _no_notebook(f"this cannot be stored as JSON: {error}") from error


def _no_notebook(message: str) -> Invalid:
    mend = "send the .ipynb file's content under the member `notebook`"
    return Invalid(
        code="not-a-notebook",
        message=message,
        mend=mend,
        findings=[{"field": "notebook", "message": message, "mend": mend}],
    )


def _form(notebook: dict[str, Any]) -> list[Finding]:
    # Slow to import, and only publishers need it.
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # It may repair what it is given, and what is published is what was sent.
            nbformat.validate(copy.deepcopy(notebook))
    except Exception as error:
        # nbformat meets malformed input with errors of many types; each means the same.
        first = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        return [
            Finding(
                code="invalid-nbformat",
                severity=Severity.ERROR,
                message=f"this is not a valid notebook of format 4: {first}",
                mend="open and save it in JupyterLab, or convert it with `jupyter nbconvert --to notebook`",
            )
        ]
    return []


def _resources(resources: Resources, *, slots: Slots, dask_runs: bool) -> list[Finding]:
    found = []
    if not slots.fits(resources):
        found.append(
            Finding(
                code="resources-too-large",
                severity=Severity.ERROR,
                message=f"it asks for {resources.cpus:g} CPUs and {resources.memory_mb} MB, and a run gets at most "
                f"{slots.cpus:g} CPUs and {slots.memory_mb} MB here",
                mend="ask for less in the notebook's swath metadata, under resources",
            )
        )
    if resources.dask and not dask_runs:
        found.append(
            Finding(
                code="dask-not-available",
                severity=Severity.ERROR,
                message="it asks for Dask, and this Swath gives no cluster to runs",
                mend="take resources.dask out, or ask the operator to allow Dask in runs (SWATH_ALLOW_DASK_RUNS)",
            )
        )
    return found
