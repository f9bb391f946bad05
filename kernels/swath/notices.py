"""Show in a notebook what the platform has to say to its user: credits that run low, a server that is about to stop.

The hub writes a line to a file that a Lab server sees read-only; after each cell one ``stat`` tells whether there is a
new one. No network, and never an exception into the user's cell. An IPython extension (``%load_ext swath.notices``),
which Swath's kernels load by themselves.
"""

from __future__ import annotations

import html
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VARIABLE = "SWATH_NOTICES"
_MOST_BYTES = 64 * 1024
_STYLE = (
    "border-left: 4px solid #d97706; background: #fffbeb; color: #451a03; padding: 0.5em 0.75em; margin: 0.25em 0;"
    " font-family: sans-serif"
)


class Watcher:
    """New lines of one file, each shown once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._read = 0

    def new(self) -> list[dict[str, str]]:
        """What was added since the last call."""
        size = os.stat(self._path).st_size
        if size < self._read:
            # Begun anew with a new server.
            self._read = 0
        if size == self._read:
            return []
        with open(self._path, "rb") as stream:
            stream.seek(self._read)
            text = stream.read(_MOST_BYTES)
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        notices = []
        for line in whole.splitlines():
            try:
                notice = json.loads(line)
                notices.append({"text": str(notice["text"]), "at": str(notice["at"])})
            except (ValueError, KeyError, TypeError):
                continue
        return notices

    def __call__(self, *_: object) -> None:
        """After a cell; whatever goes wrong here is not the cell's concern."""
        try:
            for notice in self.new():
                _show(notice)
        except Exception:  # noqa: S110 - a file that is not there is no news, and nothing of ours may disturb a notebook
            pass


def watch() -> bool:
    """Show new notices after each cell of this kernel; whether there is anything to watch. Idempotent."""
    path = os.environ.get(VARIABLE)
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if not path or shell is None:
        return False
    if getattr(shell, "_swath_notices", None) is None:
        shell._swath_notices = Watcher(path)
        shell.events.register("post_run_cell", shell._swath_notices)
    return True


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython."""
    del shell
    watch()


def unload_ipython_extension(shell: Any) -> None:
    """Called by IPython."""
    watcher = getattr(shell, "_swath_notices", None)
    if watcher is not None:
        shell.events.unregister("post_run_cell", watcher)
        shell._swath_notices = None


def _show(notice: dict[str, str]) -> None:
    from IPython.display import display

    when = notice["at"][11:16]
    box = f'<div role="status" style="{_STYLE}"><strong>Swath, {html.escape(when)} UTC.</strong> '
    text = notice["text"]
    display(  # type: ignore[no-untyped-call]
        {"text/plain": f"Swath, {when} UTC. {text}", "text/html": f"{box}{html.escape(text)}</div>"}, raw=True
    )
