"""Each notebook ends as what it is: nothing that did not run to its end is called finished."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.integration

TIMER = "import os, threading; threading.Timer(0.2, lambda: os._exit(0)).start()"
THREAD = "import sys, threading; threading.Thread(target=sys.exit).start()"
INTERRUPT = "import _thread, time; _thread.interrupt_main(); time.sleep(9)"
PERSISTENT = """import time
while True:
    try:
        time.sleep(9)
    except KeyboardInterrupt:
        pass"""

#: name, cells, error code (None: finished), failing cell, part of the message, cells run
ENDINGS: list[tuple[str, list[Any], str | None, int | None, str, int]] = [
    ("plain", ["md:# Title", "a = 1", "assert a == 1"], None, None, "", 2),
    ("empty notebook", [], None, None, "", 0),
    ("empty cells", ["", "  \n", "md:text"], None, None, "", 0),
    ("failed cell", ["a = 1", "md:so", "1 / 0", "b = 1"], "cell-failed", 2, "ZeroDivisionError: division by zero", 1),
    ("syntax error", ["x = ("], "cell-failed", 0, "SyntaxError", 0),
    ("failing shell", ["%%bash\nexit 3"], "cell-failed", 0, "CalledProcessError", 0),
    ("asks for input", ["input('name?')"], "cell-failed", 0, "input", 0),
    ("sys.exit(0) amid", ["import sys", "sys.exit(0)", "b = 1"], "exited-early", 1, "SystemExit: 0", 1),
    ("sys.exit() at the end", ["import sys; sys.exit()"], "exited-early", 0, "SystemExit", 0),
    ("sys.exit(3)", ["import sys; sys.exit(3)", "1"], "exited-early", 0, "SystemExit: 3", 0),
    ("quit()", ["quit()", "b = 1"], "exited-early", 0, "asked its kernel to exit", 0),
    ("exit() in the last cell", ["a = 1", "exit()"], "exited-early", 1, "asked its kernel to exit", 1),
    ("exit in a thread is that thread's", [THREAD], None, None, "", 1),
    ("os._exit(0)", ["import os; os._exit(0)", "b = 1"], "kernel-died", 0, "exit code 0", 0),
    ("os._exit in a thread", [TIMER, "import time; time.sleep(30)"], "kernel-died", 1, "exit code 0", 1),
    ("killed", ["import os; os.kill(os.getpid(), 9)"], "kernel-died", 0, "signal 9 (SIGKILL)", 0),
    ("crashed", ["import ctypes; ctypes.string_at(0)"], "kernel-died", 0, "SIGSEGV", 0),
    ("tagged error", [("1 / 0", "raises-exception"), "b = 1"], None, None, "", 2),
    ("tagged exit", [("import sys; sys.exit()", "raises-exception"), "b = 1"], "exited-early", 0, "", 0),
    ("skipped by its tag", [("1 / 0", "skip-execution"), "b = 1"], None, None, "", 1),
    ("interrupts itself", [INTERRUPT], "cell-failed", 0, "KeyboardInterrupt", 0),
]


@pytest.mark.parametrize(
    ("cells", "code", "cell", "said", "cells_run"),
    [pytest.param(*case[1:], id=case[0]) for case in ENDINGS],
)
def test_ends_truthfully(
    prepare: Any, cells: list[Any], code: str | None, cell: int | None, said: str, cells_run: int
) -> None:
    folder = prepare(cells)
    report = folder.run()
    assert report.ending == ("error" if code else "finished")
    assert (report.error.code if report.error else None) == code
    if report.error:
        assert report.error.cell == cell
        assert said in report.error.message
        assert "\x1b" not in report.error.traceback
    assert report.cells_run == cells_run
    assert [output.name for output in report.outputs] == ["notebook", "notebook-html"]
    assert all((folder.path / "out" / output.path).stat().st_size == output.bytes for output in report.outputs)


def test_a_failed_cell_brings_its_traceback_and_the_cells_so_far(prepare: Any) -> None:
    folder = prepare(["print('before')", "def f():\n    raise ValueError('no data')\nf()", "print('after')"])
    report = folder.run()
    assert "ValueError: no data" in report.error.traceback
    assert "line 2" in report.error.traceback
    note, first, second, third = folder.notebook().cells
    assert "cell-failed" in note.source
    assert first.outputs[0].text == "before\n"
    assert second.outputs[0].ename == "ValueError"
    assert third.execution_count is None
    assert third.metadata.papermill.status == "pending"


def test_a_kernel_that_dies_behind_its_last_cell_did_not_finish(prepare: Any) -> None:
    report = prepare(["import os, threading; threading.Timer(0, lambda: os._exit(0)).start()"]).run()
    assert report.error.code == "kernel-died"


def test_a_crash_tells_where(prepare: Any) -> None:
    report = prepare(["import ctypes; ctypes.string_at(0)"]).run()
    assert "Fatal Python error: Segmentation fault" in report.error.traceback


def test_an_allowed_error_is_told_in_the_log(prepare: Any) -> None:
    folder = prepare([("1 / 0", "raises-exception"), "print('on')"])
    folder.run()
    assert "ZeroDivisionError: division by zero, allowed by the cell's tag raises-exception" in folder.log()


def test_time_limit_interrupts_and_keeps_what_there_is(prepare: Any) -> None:
    folder = prepare(["print('begun')", "import time; time.sleep(60)", "print('never')"], wall_seconds=9)
    report = folder.run()
    assert (report.error.code, report.error.cell, report.cells_run) == ("time-limit", 1, 1)
    assert (report.ended_at - report.started_at).total_seconds() < 9
    assert folder.notebook().cells[1].outputs[0].text == "begun\n"


def test_time_limit_ends_a_cell_that_will_not_listen(prepare: Any) -> None:
    folder = prepare([PERSISTENT, "print('never')"], wall_seconds=9)
    report = folder.run()
    assert (report.error.code, report.error.cell) == ("time-limit", 0)


def test_a_notebook_within_its_time_is_finished(prepare: Any) -> None:
    assert prepare(["import time; time.sleep(0.5)"], wall_seconds=30).run().error is None


@pytest.mark.parametrize(
    ("code", "interface_outputs", "expected", "named"),
    [
        ("swath.emit('one', 1)", ["one", "two", "three"], "output-missing", "two, three"),
        ("swath.emit('one', 1)", ["one"], None, ""),
        ("swath.emit('one', 1); p = swath.emit('two', 2); p.unlink()", ["one", "two"], "output-invalid", "two"),
        ("p = swath.emit('one', 1); p.write_text('{')", ["one"], "output-invalid", "no JSON"),
        ("p = swath.emit('one', 1); p.write_text('')", [], "output-invalid", "empty"),
        ("p = swath.emit('one', 1); p.unlink(); p.symlink_to('/etc/hostname')", ["one"], "output-invalid", "one"),
        ("1 / 0", ["one"], "cell-failed", "ZeroDivisionError"),
    ],
)
def test_declared_outputs_are_there_and_readable(
    prepare: Any, code: str, interface_outputs: list[str], expected: str | None, named: str
) -> None:
    report = prepare(["import swath", code], outputs=interface_outputs).run()
    assert (report.error.code if report.error else None) == expected
    assert named in (report.error.message if report.error else "")


def test_a_raster_whose_reference_system_is_gone_is_invalid(prepare: Any) -> None:
    code = """import numpy, rasterio, swath
path = swath.emit('one', 1)
with rasterio.open(path.with_name('x.tif'), 'w', driver='GTiff', width=2, height=2, count=1, dtype='uint8',
                   transform=rasterio.Affine(10, 0, 0, 0, -10, 0)) as file:
    file.write(numpy.ones((1, 2, 2), 'uint8'))
import json, os, pathlib
record = pathlib.Path(os.environ['SWATH_RUN_DIR'], 'out/outputs.jsonl')
line = json.loads(record.read_text())
record.write_text(json.dumps({**line, 'path': 'files/x.tif', 'media_type': 'image/tiff'}) + '\\n')"""
    report = prepare([code], outputs=["one"]).run()
    assert report.error.code == "output-invalid"
    assert "names no coordinate reference system" in report.error.message


def test_an_emit_that_fails_fails_its_cell(prepare: Any) -> None:
    code = "import numpy, xarray, swath\nswath.emit('r', xarray.DataArray(numpy.ones((2, 2)), dims=('y', 'x')))"
    report = prepare([code], outputs=["r"]).run()
    assert (report.error.code, report.error.cell) == ("cell-failed", 0)
    assert "no coordinate reference system" in report.error.message


@pytest.mark.parametrize(
    ("spec", "said"),
    [("{", "specification"), ('{"run_id": "x"}', "specification"), (None, "specification")],
)
def test_a_spec_that_cannot_be_read_is_told(prepare: Any, spec: str | None, said: str) -> None:
    folder = prepare(["1"])
    path = folder.path / "input/spec.json"
    path.unlink() if spec is None else path.write_text(spec)
    report = folder.run()
    assert report.error.code == "internal"
    assert said in report.error.message


def test_a_notebook_that_is_none_is_told(prepare: Any) -> None:
    folder = prepare(["1"])
    (folder.path / "input/notebook.ipynb").write_text("not json")
    report = folder.run()
    assert report.error.code == "internal"
    assert "notebook.ipynb" in report.error.message
