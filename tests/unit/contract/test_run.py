"""The files of a run come back from their JSON, and nothing else passes for one."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from swath.contract.fields import ContractError
from swath.contract.interface import Interface
from swath.contract.run import (
    Ending,
    ErrorCode,
    EventType,
    InputRecord,
    OutputRecord,
    RunError,
    RunEvent,
    RunReport,
    RunSpec,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
OUTPUT = OutputRecord(name="a", path="files/a.csv", media_type="text/csv", bytes=3, sha256="a" * 64, description="b")
SPEC = RunSpec(
    run_id="r1",
    algorithm="ann/ndvi",
    version="1.0.0",
    digest="sha256:" + "0" * 64,
    parameters={"x": [1, None]},
    interface=Interface(),
    wall_seconds=900,
    memory_bytes=2**31,
    cpus=1.5,
    pids=256,
)
EVENT = RunEvent(seq=3, at=NOW, type=EventType.PROGRESS, fraction=0.5, message="half")
REPORT = RunReport(
    ending=Ending.ERROR,
    error=RunError(code=ErrorCode.CELL_FAILED, message="ValueError: x", cell=2, traceback="…"),
    outputs=(OUTPUT,),
    inputs=(
        InputRecord(collection="s2", item="i", asset="B04", sha256="b" * 64),
        InputRecord(collection="s2", item="j", asset="B08"),
    ),
    cells_total=4,
    cells_run=2,
    started_at=NOW,
    ended_at=NOW + timedelta(seconds=3),
    versions={"python": "3.11.2"},
)


@pytest.mark.parametrize("record", [SPEC, EVENT, REPORT, OUTPUT], ids=lambda record: type(record).__name__)
def test_round_trip_and_unknown_members(record):
    data = json.loads(json.dumps(record.as_dict()))
    assert type(record).from_dict(data) == record
    assert type(record).from_dict({**data, "of_a_newer_runner": 1}) == record


def test_moments_are_utc():
    east = RunEvent(seq=0, at=NOW.astimezone(timezone(timedelta(hours=5))), type=EventType.START).as_dict()
    assert east == {"seq": 0, "at": "2026-03-01T12:00:00.000005Z", "type": "start"}
    with pytest.raises(ContractError):
        RunEvent(seq=0, at=datetime(2026, 3, 1), type=EventType.START).as_dict()


BROKEN: list[tuple[Any, tuple[Any, ...], Any]] = [
    (SPEC, (), None),
    (SPEC, ("run_id",), 3),
    (SPEC, ("parameters",), []),
    (SPEC, ("interface",), {}),
    (SPEC, ("memory_bytes",), 1.5),
    (SPEC, ("memory_bytes",), -1),
    (SPEC, ("pids",), True),
    (SPEC, ("cpus",), float("nan")),
    (SPEC, ("wall_seconds",), 10**400),
    (SPEC, ("digest",), ...),
    (EVENT, ("type",), "party"),
    (EVENT, ("seq",), -1),
    (EVENT, ("at",), "2026-03-01T12:00:00"),
    (EVENT, ("at",), "now"),
    (EVENT, ("fraction",), 1.5),
    (EVENT, ("fraction",), "half"),
    (REPORT, ("ending",), "successful"),
    (REPORT, ("ending",), "finished"),
    (REPORT, ("error",), None),
    (REPORT, ("error", "code"), "bad luck"),
    (REPORT, ("outputs",), [OUTPUT.as_dict(), OUTPUT.as_dict()]),
    (REPORT, ("outputs", 0, "path"), "../../input/spec.json"),
    (REPORT, ("outputs", 0, "path"), "/etc/passwd"),
    (REPORT, ("outputs", 0, "path"), ""),
    (REPORT, ("outputs", 0, "path"), "a\0b"),
    (REPORT, ("outputs", 0, "sha256"), "a"),
    (REPORT, ("outputs", 0, "bytes"), -1),
    (REPORT, ("started_at",), ...),
    (REPORT, ("cells_run",), "2"),
]


@pytest.mark.parametrize(("record", "path", "value"), BROKEN)
def test_broken_files_are_refused(record, path, value):
    document: Any = copy.deepcopy(record.as_dict())
    if not path:
        document = value
    else:
        inner = document
        for step in path[:-1]:
            inner = inner[step]
        if value is ...:
            del inner[path[-1]]
        else:
            inner[path[-1]] = value
    with pytest.raises(ContractError):
        type(record).from_dict(document)
