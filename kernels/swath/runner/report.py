"""The last word of a run: its report, and what stands in it about the software that did the work."""

from __future__ import annotations

import json
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from swath.contract.run import Ending, ErrorCode, OutputRecord, RunError, RunReport

TRACEBACK_CHARS = 20_000
MESSAGE_CHARS = 2_000


def versions() -> dict[str, str]:
    """Of Python and the packages that did the work."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in ("swath", "papermill", "nbclient", "ipykernel", "nbconvert"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def not_run(message: str, *, started_at: datetime) -> RunReport:
    """The report of a run whose input could not be used."""
    error = RunError(code=ErrorCode.INTERNAL, message=message[:MESSAGE_CHARS])
    return _failed(error, started_at=started_at, outputs=())


def runner_failed(error: Exception, *, started_at: datetime, outputs: tuple[OutputRecord, ...]) -> RunReport:
    """The report of a run in which the runner made a mistake of its own."""
    trace = "".join(traceback.format_exception(error))[-TRACEBACK_CHARS:]
    message = f"The runner itself failed ({type(error).__name__}: {error})."[:MESSAGE_CHARS]
    told = RunError(code=ErrorCode.INTERNAL, message=message, traceback=trace)
    return _failed(told, started_at=started_at, outputs=outputs)


def _failed(error: RunError, *, started_at: datetime, outputs: tuple[OutputRecord, ...]) -> RunReport:
    return RunReport(
        ending=Ending.ERROR,
        error=error,
        outputs=outputs,
        started_at=started_at,
        ended_at=datetime.now(UTC),
        versions=versions(),
    )


def write(path: Path, report: RunReport) -> None:
    """Write `report`, whole or not at all, and on disk when this returns."""
    partial = path.with_name(".report.partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(report.as_dict(), file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
