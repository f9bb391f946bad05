"""The files of a run's folder: what the runner is told, what it tells while it runs, and what it reports.

Readers here leave unknown members alone, because the runner comes from an environment's lock and the server from its
own: either may be the newer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from swath.contract.fields import ContractError, Fields
from swath.contract.interface import Interface
from swath.contract.report import Ending, ErrorCode, InputRecord, OutputRecord, RunError, RunReport
from swath.contract.times import moment, read_moment

__all__ = [
    "EVENTS",
    "INPUTS",
    "NOTEBOOK",
    "OUTPUTS",
    "OUTPUT_HTML",
    "OUTPUT_NOTEBOOK",
    "REPORT",
    "SPEC",
    "WORK",
    "Ending",
    "ErrorCode",
    "EventType",
    "InputRecord",
    "OutputRecord",
    "RunError",
    "RunEvent",
    "RunReport",
    "RunSpec",
    "moment",
    "read_moment",
]

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
            type=fields.member("type", EventType),
            cell=fields.maybe("cell", fields.integer),
            total_cells=fields.maybe("total_cells", fields.integer),
            fraction=fraction,
            stream=fields.maybe("stream", fields.text),
            text=fields.maybe("text", fields.text),
            name=fields.maybe("name", fields.text),
            message=fields.maybe("message", fields.text),
        )
