"""How a run that is waited for is shown: a bar in a terminal, a cell that updates in a notebook, lines in a log."""

from __future__ import annotations

import html
import importlib
import sys
import time
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from swath.client.follow import Event
from swath.display import clean, in_notebook, seconds_text


class Display(Protocol):
    """Shows a run's progress between enter and exit; showing never fails a run."""

    def show(self, *, status: str, fraction: float, note: str) -> None:
        """Show the present state."""

    def close(self) -> None:
        """Leave what was last shown standing."""


class Silent:
    """Shows nothing."""

    def show(self, *, status: str, fraction: float, note: str) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Nothing to do."""


class Lines:
    """One line whenever the status changes or another tenth is done: for logs and pipes."""

    def __init__(self, title: str, *, stream: TextIO) -> None:
        self._title = title
        self._stream = stream
        self._last: tuple[str, int] | None = None

    def show(self, *, status: str, fraction: float, note: str) -> None:
        """Write a line if there is something new to say."""
        now = (status, int(fraction * 10) if status == "running" else 0)
        if now != self._last:
            self._last = now
            share = f" {fraction:.0%}{f', {note}' if note else ''}" if status == "running" else ""
            print(f"{self._title}: {status}{share}", file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing to do."""


class Bar:
    """A bar on a terminal's standard error."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._escape = escape
        self._title = title
        self._task = self._progress.add_task(escape(title), total=1.0, note="")
        self._progress.start()

    def show(self, *, status: str, fraction: float, note: str) -> None:
        """Move the bar."""
        self._progress.update(
            self._task,
            completed=fraction,
            description=self._escape(f"{self._title} {status}"),
            note=self._escape(note[:60]),
        )

    def close(self) -> None:
        """Leave the bar as it is."""
        self._progress.stop()

    @property
    def console(self) -> Any:
        """What to print on while the bar stands."""
        return self._progress.console


class Cell:
    """A display in a notebook that is updated in place."""

    def __init__(self, title: str) -> None:
        shown = importlib.import_module("IPython.display")
        self._html = shown.HTML
        self._title = title
        self._since = time.monotonic()
        self._last = ""
        self._handle = shown.display(self._html(self._markup("created", 0.0, "")), display_id=True)

    def show(self, *, status: str, fraction: float, note: str) -> None:
        """Update the display, unless it would look the same."""
        markup = self._markup(status, fraction, note)
        if markup != self._last and self._handle is not None:
            self._last = markup
            self._handle.update(self._html(markup))

    def close(self) -> None:
        """Nothing to do."""

    def _markup(self, status: str, fraction: float, note: str) -> str:
        passed = seconds_text(time.monotonic() - self._since)
        text = html.escape(clean(f"{self._title}: {status} {fraction:.0%}, {passed}" + (f", {note}" if note else "")))
        return f"<div><progress max='1' value='{fraction:.3f}' style='width:16em'></progress> {text}</div>"


def choose(title: str, *, wanted: bool) -> Display:
    """The display that fits where this process writes to; a script whose output nobody watches stays silent."""
    title = clean(title)
    if not wanted:
        return Silent()
    if in_notebook():
        return Cell(title)
    return Bar(title) if sys.stderr.isatty() else Silent()


class Watched:
    """Feeds a display from a run's events. Use as a context manager."""

    def __init__(self, display: Display, *, status: str = "created", fraction: float = 0.0) -> None:
        self.display = display
        self._status = status
        self._fraction = fraction
        self._note = ""

    def __enter__(self) -> Self:
        self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.display.close()

    def take(self, event: Event) -> None:
        """Show what `event` changes."""
        data = event.data
        if event.type == "status":
            self._status = str(data.get("status", self._status))
            self._forward(data.get("progress"))
            if self._status == "finished":
                self._fraction, self._note = 1.0, ""
        else:
            # A run whose first event has come is running, whatever was last asked.
            self._status = "running" if self._status in ("created", "queued") else self._status
            self._forward(data.get("fraction"))
            if event.type == "cell-start" and isinstance(data.get("cell"), int):
                total = data.get("total_cells")
                self._note = f"cell {data['cell'] + 1}" + (f" of {total}" if isinstance(total, int) else "")
            elif event.type in ("progress", "checkpoint-requested") and data.get("message"):
                self._note = str(data["message"])
        self._show()

    def _forward(self, fraction: Any) -> None:
        if isinstance(fraction, int | float):
            self._fraction = max(self._fraction, min(float(fraction), 1.0))

    def _show(self) -> None:
        self.display.show(status=self._status, fraction=self._fraction, note=clean(self._note).replace("\n", " "))
