"""Benchmark scenarios: files beside an algorithm that say what a call of it has to bring back.

A scenario is ``scenarios/<name>.yaml`` (or ``.json``) beside the notebook::

    title: A whole crop cycle over one field
    parameters: {collection: sentinel-2-l2a-field-spain}
    outputs:
      median:
        reference: references/season/median.tif
        sha256: 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
        tolerance: {rtol: 1e-3, atol: 1e-4, share: 0.001}
      summary: {reference: references/season/summary.json, sha256: …, tolerance: {ignore: ["$.made_at"]}}
    needs: [sentinel-2-l2a-field-spain]

or one that must be refused, before it runs (``invalid``) or by the notebook itself (``cell-failed``)::

    title: Nothing there in that year
    parameters: {temporal_extent: ["1999-01-01", "1999-02-01"]}
    refused: {code: cell-failed, message: has nothing in}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from swath.contract.comparison import EXACT, Tolerance
from swath.contract.fields import ContractError, Fields
from swath.contract.interface import OUTPUT_NAME

#: Of a scenario's file, without its suffix.
SCENARIO_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
SCENARIO_FOLDER = "scenarios"
MAX_SCENARIOS = 50
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEMBERS = ("title", "parameters", "outputs", "refused", "needs")
_REFUSALS = ("invalid", "cell-failed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What one output has to be like."""

    reference: str
    """Path of the file to compare with, relative to the algorithm's folder, with forward slashes."""
    sha256: str
    """Of that file, hexadecimal."""
    tolerance: Tolerance = EXACT

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {"reference": self.reference, "sha256": self.sha256, "tolerance": self.tolerance.as_dict()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """That a call has to be refused, and how."""

    code: str
    """``invalid``: the parameters do not fit the interface; ``cell-failed``: the notebook raises."""
    message: str = ""
    """What the refusal has to say somewhere in its words."""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {"code": self.code, "message": self.message}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One call, and what has to come of it."""

    name: str
    title: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Expected] = field(default_factory=dict)
    """Output -> what it has to be like; empty for a call that must be refused."""
    refused: Refused | None = None
    needs: tuple[str, ...] = ()
    """Collections without which the archive next door cannot run it; it is passed over there, and says so."""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members but the name, as a scenario's file has them."""
        return {
            "title": self.title,
            "parameters": dict(self.parameters),
            "outputs": {name: expected.as_dict() for name, expected in self.outputs.items()},
            "refused": self.refused.as_dict() if self.refused else None,
            "needs": list(self.needs),
        }

    @classmethod
    def from_dict(cls, name: str, data: object) -> Scenario:
        """The scenario that a file holds.

        Raises
        ------
        ContractError
            Naming the member that is wrong, e.g. ``scenario season.outputs.median.sha256``.
        """
        where = f"scenario {name}"
        if not SCENARIO_NAME.fullmatch(name):
            raise ContractError(f"scenario {name[:70]!a}: a name is lower-case letters, digits and hyphens")
        fields = Fields(data, where)
        fields.only(*_MEMBERS)
        title = fields.text("title").strip()
        if not 0 < len(title) <= 200:
            raise ContractError(f"{where}.title: expected 1 to 200 characters")
        outputs = fields.mapping("outputs") if fields.has("outputs") else {}
        refused = _refused(fields.raw("refused"), f"{where}.refused") if fields.has("refused") else None
        if bool(outputs) == (refused is not None):
            raise ContractError(f"{where}: expected either 'outputs' or 'refused'")
        return cls(
            name=name,
            title=title,
            parameters=fields.mapping("parameters") if fields.has("parameters") else {},
            outputs={key: _expected(key, value, f"{where}.outputs.{key[:70]}") for key, value in outputs.items()},
            refused=refused,
            needs=fields.items("needs", _collection) if fields.has("needs") else (),
        )


def _expected(output: str, data: object, where: str) -> Expected:
    if not OUTPUT_NAME.fullmatch(output):
        raise ContractError(f"{where}: not a name an output can have")
    fields = Fields(data, where)
    fields.only("reference", "sha256", "tolerance")
    reference = fields.text("reference")
    path = PurePosixPath(reference)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in reference or "\0" in reference:
        raise ContractError(f"{where}.reference: expected a path below the algorithm's folder")
    sha256 = fields.text("sha256")
    if not _SHA256.fullmatch(sha256):
        raise ContractError(f"{where}.sha256: expected 64 hexadecimal digits")
    tolerance = Tolerance.from_dict(fields.raw("tolerance"), f"{where}.tolerance") if fields.has("tolerance") else EXACT
    return Expected(reference=str(path), sha256=sha256, tolerance=tolerance)


def _refused(data: object, where: str) -> Refused:
    fields = Fields(data, where)
    fields.only("code", "message")
    code = fields.text("code")
    if code not in _REFUSALS:
        raise ContractError(f"{where}.code: expected one of {', '.join(_REFUSALS)}")
    return Refused(code=code, message=fields.either("message", fields.text, otherwise="")[:500])


def _collection(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise ContractError("scenario.needs: expected ids of collections")
    return value
