"""The run's live record: `events.jsonl`, one event a line, flushed as it happens."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from swath.contract.run import EventType, RunEvent

#: A log event carries at most this much text; longer output is cut into several.
EVENT_CHARS = 16_384
#: All log text of one run together; what is over is dropped and said so once, here and in the notebook.
LOG_CHARS = 8_000_000

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]")


def plain(text: str) -> str:
    """`text` without terminal control sequences."""
    return _ANSI.sub("", text)


class Journal:
    """Writes the events of one run, numbered from 0 without gaps.

    Parameters
    ----------
    path
        The `events.jsonl` to write; an older file is replaced.
    """

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._file: TextIO = path.open("w", encoding="utf-8")
        self._seq = 0
        self._log_chars = 0
        self.fraction = 0.0

    def write(self, kind: EventType, **fields: Any) -> None:
        """Append one event; `fields` are members of `RunEvent`."""
        event = RunEvent(seq=self._seq, at=datetime.now(UTC), type=kind, **fields)
        self._seq += 1
        self._file.write(json.dumps(event.as_dict(), ensure_ascii=False) + "\n")
        self._file.flush()

    def progress(self, fraction: float | None, *, message: str = "", cell: int | None = None) -> None:
        """Report progress; it never goes back, so a lower `fraction` repeats the highest so far."""
        if fraction is not None:
            self.fraction = max(self.fraction, min(max(fraction, 0.0), 1.0))
        self.write(EventType.PROGRESS, fraction=round(self.fraction, 4), message=message or None, cell=cell)

    def log(self, text: str, *, stream: str, cell: int | None = None) -> str:
        """Append output of the notebook, up to `LOG_CHARS` in the whole run.

        Returns
        -------
        str
            What of `text` was kept; the place where it is cut says so.
        """
        room = LOG_CHARS - self._log_chars
        if room <= 0:
            return ""
        self._log_chars += len(text)
        kept = text if len(text) <= room else f"{text[:room]}\n[output cut here: over {LOG_CHARS} characters]\n"
        clean = plain(kept)
        for start in range(0, len(clean), EVENT_CHARS):
            self.write(EventType.LOG, stream=stream, text=clean[start : start + EVENT_CHARS], cell=cell)
        return kept

    def close(self) -> None:
        """Close the file; nothing can be written after."""
        self._file.close()
