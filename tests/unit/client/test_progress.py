"""Progress as people see it."""

from __future__ import annotations

import io
from typing import Any

from swath.client.follow import Event
from swath.client.progress import Lines, Silent, Watched, choose


class Recorder:
    def __init__(self) -> None:
        self.shown: list[tuple[str, float, str]] = []
        self.closed = False

    def show(self, *, status: str, fraction: float, note: str) -> None:
        self.shown.append((status, fraction, note))

    def close(self) -> None:
        self.closed = True


def _shown(*events: tuple[str, dict[str, Any]]) -> list[tuple[str, float, str]]:
    recorder = Recorder()
    with Watched(recorder) as watched:
        for kind, data in events:
            watched.take(Event(type=kind, data=data))
    assert recorder.closed
    return recorder.shown


def test_an_event_of_a_run_shows_that_it_runs() -> None:
    assert _shown(("start", {}))[-1][0] == "running"


def test_progress_never_goes_back_and_never_over_the_end() -> None:
    fractions = [0.5, 0.2, 7.0, None, "x"]
    shown = _shown(*[("progress", {"fraction": fraction}) for fraction in fractions])
    assert [fraction for _, fraction, _ in shown] == [0.0, 0.5, 0.5, 1.0, 1.0, 1.0]


def test_cells_are_counted_as_a_reader_counts() -> None:
    assert _shown(("cell-start", {"cell": 0, "total_cells": 4}))[-1][2] == "cell 1 of 4"


def test_a_message_is_one_clean_line() -> None:
    assert _shown(("progress", {"fraction": 0.1, "message": "a\n\x1b[2Jb"}))[-1][2] == "a b"


def test_lines_are_written_when_there_is_something_new() -> None:
    stream = io.StringIO()
    lines = Lines("x", stream=stream)
    for status, fraction in [("queued", 0), ("queued", 0), ("running", 0.01), ("running", 0.05), ("running", 0.31)]:
        lines.show(status=status, fraction=fraction, note="")
    assert stream.getvalue().splitlines() == ["x: queued", "x: running 1%", "x: running 31%"]


def test_a_script_nobody_watches_stays_silent() -> None:
    assert isinstance(choose("x", wanted=True), Silent)
    assert isinstance(choose("x", wanted=False), Silent)
