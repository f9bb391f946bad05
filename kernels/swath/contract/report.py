"""What the runner leaves behind: how a run ended, what it brought back and what it read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from swath.contract.fields import ContractError, Fields
from swath.contract.times import moment, read_moment

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Ending(StrEnum):
    """How a run ended, as the runner saw it."""

    FINISHED = "finished"
    ERROR = "error"


class ErrorCode(StrEnum):
    """Why a run ended as error."""

    CELL_FAILED = "cell-failed"
    EXITED_EARLY = "exited-early"
    KERNEL_DIED = "kernel-died"
    TIME_LIMIT = "time-limit"
    MEMORY_LIMIT = "memory-limit"
    OUTPUT_MISSING = "output-missing"
    OUTPUT_INVALID = "output-invalid"
    KILLED = "killed"
    RUNNER_LOST = "runner-lost"
    CANCELED = "canceled"
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputRecord:
    """One file that a run brought back."""

    name: str
    path: str
    """Relative to ``out/``, never outside it."""
    media_type: str
    bytes: int
    sha256: str
    description: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "name": self.name,
            "path": self.path,
            "media_type": self.media_type,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "description": self.description,
        }

    @classmethod
    def from_dict(cls, data: object) -> OutputRecord:
        """Read back what `as_dict` wrote; raises `ContractError`, also for a path that leaves ``out/``."""
        fields = Fields(data, "output")
        path = PurePosixPath(fields.text("path"))
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in str(path):
            raise ContractError("output.path: expected a path below out/")
        sha256 = fields.text("sha256")
        if not _SHA256.fullmatch(sha256):
            raise ContractError("output.sha256: expected 64 hexadecimal digits")
        return cls(
            name=fields.text("name"),
            path=str(path),
            media_type=fields.text("media_type"),
            bytes=fields.integer("bytes", least=0),
            sha256=sha256,
            description=fields.either("description", fields.text, otherwise=""),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class InputRecord:
    """One asset of the archive that a run read."""

    collection: str
    item: str
    asset: str
    sha256: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON object; `sha256` only where it is known."""
        told = {"collection": self.collection, "item": self.item, "asset": self.asset}
        return {**told, "sha256": self.sha256} if self.sha256 else told

    @classmethod
    def from_dict(cls, data: object) -> InputRecord:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "input")
        return cls(
            collection=fields.text("collection"),
            item=fields.text("item"),
            asset=fields.text("asset"),
            sha256=fields.maybe("sha256", fields.text),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunError:
    """Why a run ended as error, for its caller and for its author."""

    code: ErrorCode
    message: str
    cell: int | None = None
    """0-based position in the published notebook; ``None`` when no cell is to blame."""
    traceback: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {"code": self.code.value, "cell": self.cell, "message": self.message, "traceback": self.traceback}

    @classmethod
    def from_dict(cls, data: object) -> RunError:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "error")
        return cls(
            code=fields.member("code", ErrorCode),
            message=fields.text("message"),
            cell=fields.maybe("cell", fields.integer),
            traceback=fields.either("traceback", fields.text, otherwise=""),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """What the runner leaves behind as its last act; without one the runner was lost."""

    ending: Ending
    error: RunError | None = None
    outputs: tuple[OutputRecord, ...] = ()
    inputs: tuple[InputRecord, ...] = ()
    cells_total: int = 0
    cells_run: int = 0
    started_at: datetime
    ended_at: datetime
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of Python and the packages that did the work."""

    def __post_init__(self) -> None:
        if (self.ending is Ending.ERROR) != (self.error is not None):
            raise ContractError("report: an error stands in it exactly when it ended as error")
        if len({output.name for output in self.outputs}) < len(self.outputs):
            raise ContractError("report.outputs: two have the same name")

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "ending": self.ending.value,
            "error": self.error.as_dict() if self.error else None,
            "outputs": [output.as_dict() for output in self.outputs],
            "inputs": [read.as_dict() for read in self.inputs],
            "cells_total": self.cells_total,
            "cells_run": self.cells_run,
            "started_at": moment(self.started_at),
            "ended_at": moment(self.ended_at),
            "versions": dict(self.versions),
        }

    @classmethod
    def from_dict(cls, data: object) -> RunReport:
        """Read back what `as_dict` wrote.

        Raises
        ------
        ContractError
            Also for a report that contradicts itself: it was written where the notebook's code could reach it.
        """
        fields = Fields(data, "report")
        versions = fields.mapping("versions") if fields.has("versions") else {}
        return cls(
            ending=fields.member("ending", Ending),
            error=RunError.from_dict(fields.raw("error")) if fields.has("error") else None,
            outputs=fields.items("outputs", OutputRecord.from_dict),
            inputs=fields.items("inputs", InputRecord.from_dict) if fields.has("inputs") else (),
            cells_total=fields.integer("cells_total", least=0),
            cells_run=fields.integer("cells_run", least=0),
            started_at=read_moment(fields.text("started_at"), "report.started_at"),
            ended_at=read_moment(fields.text("ended_at"), "report.ended_at"),
            versions={name: str(version) for name, version in versions.items()},
        )
