"""An echo process for tests of OGC API - Processes: a notebook with every type, and a script that does what it does.

The shipped ``algorithms/echo`` takes text of a form, which OGC's own test suite answers with ``teststring``, whatever a
description says. This one has no such input, and a pause, so that the suite has something to wait for.
"""

from __future__ import annotations

import json
import time
from hashlib import sha256
from typing import Any

from swath_marketplace.domain.endings import ProcessEnd
from swath_marketplace.domain.runs import Run
from swath_marketplace.executors.fake import process_end, write_report
from swath_marketplace.run_folder import RunFolder
from swath_marketplace.testing import code

_PARAMETERS = """\
text: str = "hello"  # Any text
texts: list[str] = ["a", "b"]  # Several texts
integer: Annotated[int, Interval(ge=0, lt=1000)] = 7  # A whole number
number: float = 0.5  # A number
flag: bool = True  # True or false
maybe: Optional[int] = None  # A whole number, or null
size: Literal[1, 2, 3] = 2  # One of three
day: date = date(2023, 4, 2)  # A day
moment: datetime = datetime(2023, 4, 2, 10, 30, tzinfo=timezone.utc)  # A moment
area: BBox = {"west": 5.0, "south": 51.0, "east": 5.1, "north": 51.1}  # A box
shape: GeoJSON = {"type": "Point", "coordinates": [5.05, 51.05]}  # A geometry
period: TemporalInterval = ["2023-04-01", "2023-05-01"]  # A time
pause: Annotated[int, Interval(ge=0, le=60)] = 0  # Seconds to wait first"""
_IMPORTS = """\
import time
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Annotated, Literal, Optional

import swath
from swath import BBox, GeoJSON, Interval, TemporalInterval"""
NAMES = ("texts", "integer", "number", "flag", "maybe", "size", "day", "moment", "area", "shape", "period")
_WORK = """\
time.sleep(pause)
Path("echo.txt").write_text(text)
swath.emit("text", Path("echo.txt"), description="The text")
{emits}
swath.emit("everything", {{"text": text, "integer": integer, "area": area}}, description="Some of it at once")"""


def echo_notebook(
    *, name: str = "echo", version: str = "1.0.0", wall_seconds: int = 120, text: str = ""
) -> dict[str, Any]:
    """A notebook that gives back what it is given."""
    emits = "\n".join(f'swath.emit("{one}", {one}, format="json")' for one in NAMES)
    work = _WORK.format(emits=emits) + text
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "swath": {
                "name": name,
                "title": "Echo for conformance",
                "summary": "Gives back what it is given",
                "version": version,
                "license": "Apache-2.0",
                "keywords": ["test"],
                "resources": {"cpus": 1, "memory_mb": 512, "wall_seconds": wall_seconds, "dask": False},
            },
        },
        "cells": [code(_IMPORTS), code(_PARAMETERS, tags=["parameters"]), code(work)],
    }


def echoing(run: Run, folder: RunFolder) -> ProcessEnd | None:
    """What a run of `echo_notebook` leaves: its parameters, as they were bound. ``fail`` for a text fails it."""
    given = run.parameters
    if given["text"] == "fail":
        write_report(folder, outputs={}, error={"code": "cell-failed", "message": "it was told to fail", "cell": 2})
        return process_end(exit_code=1)
    if given["pause"] and given["text"] == "wait":
        time.sleep(min(given["pause"], 1) / 2)
    everything = {name: given[name] for name in ("text", "integer", "area")}
    contents = {name: json.dumps(given[name]).encode() for name in NAMES}
    outputs = {"text": given["text"].encode(), **contents, "everything": json.dumps(everything).encode()}
    write_report(folder, outputs=outputs)
    _name_types(folder)
    return process_end()


def _name_types(folder: RunFolder) -> None:
    """Write the media types that emit would have written."""
    path = folder.out / "report.json"
    report = json.loads(path.read_text())
    for output in report["outputs"]:
        output["media_type"] = "text/plain" if output["name"] == "text" else "application/json"
        assert output["sha256"] == sha256((folder.out / output["path"]).read_bytes()).hexdigest()
    path.write_text(json.dumps(report))
