"""SIGTERM ends a run as canceled, at any moment, with what there is so far; and nothing stays behind."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def scratch() -> Iterator[dict[str, str]]:
    """A temporary folder for runners that are killed and cannot tidy up; its path is short, as unix sockets need it."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield {"TMPDIR": folder}


def wait_for(condition: Any, *, seconds: float = 30) -> None:
    """Poll until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.01)


def running(pid: int) -> bool:
    """Whether a process of that id is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_cancel_amid_a_cell(prepare: Any) -> None:
    folder = prepare(["import os; print(os.getpid())", "import time; print('here'); time.sleep(60)", "print('never')"])
    process = folder.start()
    wait_for(lambda: (folder.path / "out/events.jsonl").exists() and "here" in folder.log())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 1
    report = folder.report()
    assert (report.error.code, report.error.cell, report.cells_run) == ("canceled", 1, 1)
    note, first, second, third = folder.notebook().cells
    assert "canceled" in note.source
    assert second.outputs[0].text == "here\n"
    assert third.execution_count is None
    assert not running(int(first.outputs[0].text))
    process.communicate()


@pytest.mark.parametrize("delay", [0.15, 0.25, 0.4])
def test_cancel_while_it_starts(prepare: Any, delay: float) -> None:
    folder = prepare(["import time; time.sleep(60)"])
    process = folder.start()
    wait_for(lambda: (folder.path / "out/events.jsonl").exists())
    time.sleep(delay - 0.15)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert folder.report().error.code == "canceled"


def test_the_kernel_goes_with_a_killed_runner(prepare: Any, scratch: dict[str, str]) -> None:
    folder = prepare(["import os; print(os.getpid())", "import time; time.sleep(60)"])
    process = folder.start(environment=scratch)
    wait_for(lambda: (folder.path / "out/events.jsonl").exists() and folder.log().strip())
    kernel = int(folder.log())
    process.kill()
    process.communicate()
    assert not (folder.path / "out/report.json").exists()
    try:
        wait_for(lambda: not running(kernel), seconds=15)
    finally:
        if running(kernel):
            os.kill(kernel, signal.SIGKILL)


def test_the_partial_notebook_is_whole_at_any_moment(prepare: Any, scratch: dict[str, str]) -> None:
    folder = prepare(["print('kept')", "import time; time.sleep(60)"])
    process = folder.start(environment=scratch)
    wait_for(lambda: (folder.path / "out/output.ipynb").exists())
    process.kill()
    process.communicate()
    assert len(folder.notebook().cells) == 2
