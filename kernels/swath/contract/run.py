"""The files of a run's folder: what the runner is told, what it tells while it runs, and what it reports.

Readers here leave unknown members alone, because the runner comes from an environment's lock and the server from its
own: either may be the newer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, TypeVar

from swath.contract.fields import ContractError, Fields
from swath.contract.interface import Interface

#: Names below a run's folder.
SPEC = "input/spec.json"
NOTEBOOK = "input/notebook.ipynb"
EVENTS = "out/events.jsonl"
REPORT = "out/report.json"
OUTPUTS = "out/outputs.jsonl"
INPUTS = "out/inputs.jsonl"
OUTPUT_NOTEBOOK = "out/output.ipynb"
OUTPUT_HTML = "out/output.html"
WORK = "out/work"

_SHA256 = re.compile(r"[0-9a-f]{64}")
Member = TypeVar("Member", bound=StrEnum)


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


class EventType(StrEnum):
    """What a line of the event log tells."""

    START = "start"
    CELL_START = "cell-start"
    CELL_END = "cell-end"
    LOG = "log"
    PROGRESS = "progress"
    OUTPUT = "output"
    END = "end"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSpec:
    """What the runner is to do."""

    run_id: str
    algorithm: str
    """``owner/name``."""
    version: str
    digest: str
    parameters: Mapping[str, Any]
    """Bound JSON values, defaults filled in."""
    interface: Interface
    kernel: str = "python3"
    wall_seconds: float
    memory_bytes: int
    cpus: float
    pids: int

    def as_dict(self) -> dict[str, Any]:
        """JSON object."""
        return {
            "run_id": self.run_id,
            "algorithm": self.algorithm,
            "version": self.version,
            "digest": self.digest,
            "parameters": dict(self.parameters),
            "interface": self.interface.as_dict(),
            "kernel": self.kernel,
            "wall_seconds": self.wall_seconds,
            "memory_bytes": self.memory_bytes,
            "cpus": self.cpus,
            "pids": self.pids,
        }

    @classmethod
    def from_dict(cls, data: object) -> RunSpec:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "spec")
        return cls(
            run_id=fields.text("run_id"),
            algorithm=fields.text("algorithm"),
            version=fields.text("version"),
            digest=fields.text("digest"),
            parameters=fields.mapping("parameters"),
            interface=Interface.from_dict(fields.raw("interface")),
            kernel=fields.either("kernel", fields.text, otherwise="python3"),
            wall_seconds=fields.number("wall_seconds", least=0),
            memory_bytes=fields.integer("memory_bytes", least=0),
            cpus=fields.number("cpus", least=0),
            pids=fields.integer("pids", least=0),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEvent:
    """One line of the event log."""

    seq: int
    """Counts from 0 without gaps; a reader that lost its place asks for what follows the last one it saw."""
    at: datetime
    type: EventType
    cell: int | None = None
    total_cells: int | None = None
    fraction: float | None = None
    """Progress in 0..1."""
    stream: str | None = None
    """``stdout`` or ``stderr`` of a log event."""
    text: str | None = None
    name: str | None = None
    """Of an output."""
    message: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON object of the members that are set."""
        told: dict[str, Any] = {"seq": self.seq, "at": moment(self.at), "type": self.type.value}
        for name in ("cell", "total_cells", "fraction", "stream", "text", "name", "message"):
            if (value := getattr(self, name)) is not None:
                told[name] = value
        return told

    @classmethod
    def from_dict(cls, data: object) -> RunEvent:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "event")
        fraction = fields.maybe("fraction", fields.number)
        if fraction is not None and not 0 <= fraction <= 1:
            raise ContractError("event.fraction: expected a number from 0 to 1")
        return cls(
            seq=fields.integer("seq", least=0),
            at=read_moment(fields.text("at"), "event.at"),
            type=_member(EventType, fields.text("type"), "event.type"),
            cell=fields.maybe("cell", fields.integer),
            total_cells=fields.maybe("total_cells", fields.integer),
            fraction=fraction,
            stream=fields.maybe("stream", fields.text),
            text=fields.maybe("text", fields.text),
            name=fields.maybe("name", fields.text),
            message=fields.maybe("message", fields.text),
        )


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
            code=_member(ErrorCode, fields.text("code"), "error.code"),
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
            ending=_member(Ending, fields.text("ending"), "report.ending"),
            error=RunError.from_dict(fields.raw("error")) if fields.has("error") else None,
            outputs=fields.items("outputs", OutputRecord.from_dict),
            inputs=fields.items("inputs", InputRecord.from_dict) if fields.has("inputs") else (),
            cells_total=fields.integer("cells_total", least=0),
            cells_run=fields.integer("cells_run", least=0),
            started_at=read_moment(fields.text("started_at"), "report.started_at"),
            ended_at=read_moment(fields.text("ended_at"), "report.ended_at"),
            versions={name: str(version) for name, version in versions.items()},
        )


def moment(at: datetime) -> str:
    """`at` as ISO 8601 in UTC with a ``Z``; a naive one is a mistake of the program."""
    if at.tzinfo is None:
        raise ContractError("a moment needs its time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_moment(text: str, where: str) -> datetime:
    """An aware datetime in UTC; raises `ContractError`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ContractError(f"{where}: not an ISO 8601 moment") from None
    if at.tzinfo is None:
        raise ContractError(f"{where}: a moment needs its offset")
    return at.astimezone(UTC)


def _member(kind: type[Member], value: str, where: str) -> Member:
    try:
        return kind(value)
    except ValueError:
        raise ContractError(f"{where}: {value[:40]!r} is none of {', '.join(kind)}") from None
