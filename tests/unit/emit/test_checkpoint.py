"""A run is asked to checkpoint by a file beside it; outside a run nobody ever asks."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import swath
from swath import checkpoint


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(checkpoint, "_watch", checkpoint._Watch())
    monkeypatch.setattr(checkpoint, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "_WATCH_SECONDS", 0.01)
    monkeypatch.setenv("SWATH_RUN_DIR", str(tmp_path))
    (tmp_path / "control").mkdir()
    yield tmp_path
    ask(tmp_path)
    if (thread := checkpoint._watch.thread) is not None:
        thread.join(timeout=10)


def ask(run_folder: Path) -> None:
    (run_folder / "control" / "checkpoint.json").write_text(json.dumps({"code": "budget-reached"}))


def test_it_is_false_until_asked_and_stays_true(run_folder: Path) -> None:
    assert not swath.checkpoint_requested()
    ask(run_folder)
    assert swath.checkpoint_requested()
    (run_folder / "control" / "checkpoint.json").unlink()
    assert swath.checkpoint_requested()


def test_a_tight_loop_looks_seldom(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_LOOK_SECONDS", 3600.0)
    assert not swath.checkpoint_requested()
    ask(run_folder)
    assert not swath.checkpoint_requested(), "within the pause the file is not looked for"


def test_callbacks_come_once_in_order_beside_the_code_that_runs(run_folder: Path) -> None:
    called: list[tuple[str, bool]] = []
    done = threading.Event()

    @swath.on_checkpoint
    def first() -> None:
        called.append(("first", threading.current_thread() is threading.main_thread()))
        raise RuntimeError("a callback that fails ends nothing")

    swath.on_checkpoint(lambda: called.append(("second", False)))
    swath.on_checkpoint(done.set)
    assert not done.wait(0.1)
    ask(run_folder)
    assert done.wait(10)
    assert called == [("first", False), ("second", False)]
    late = threading.Event()
    swath.on_checkpoint(late.set)
    assert late.wait(10), "one that comes after the request is called at once"
    assert len(called) == 2


def test_outside_a_run_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWATH_RUN_DIR", raising=False)
    monkeypatch.setattr(checkpoint, "_watch", checkpoint._Watch())

    def never() -> None:
        raise AssertionError

    assert swath.on_checkpoint(never) is never
    assert checkpoint._watch.thread is None
    assert not swath.checkpoint_requested()


def test_what_cannot_be_called_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="without arguments"):
        swath.on_checkpoint("save")  # type: ignore[type-var]


def test_a_waiting_callback_keeps_no_process_alive(tmp_path: Path) -> None:
    program = "import swath; swath.on_checkpoint(print); print('over')"
    env = {"SWATH_RUN_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "over\n")
