"""What a run tells while it runs: its event log, read line by line, believed in nothing but its form."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from swath.contract.fields import ContractError
from swath.contract.run import EventType, RunEvent

from swath_marketplace.run_folder import RunFolders

_FILE = "events.jsonl"
#: The runner cuts what a notebook says well before this; a longer file was written by the notebook itself.
_MAX_FILE_BYTES = 64 << 20
_MAX_LINE_BYTES = 256 << 10


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedEvent:
    """One line."""

    end: int
    """Where the next line begins: bytes from the start of the log. A reader goes on from here."""
    event: RunEvent

    def as_dict(self) -> dict[str, Any]:
        """JSON form, of text that every encoder takes."""
        return {
            name: writable(value) if isinstance(value, str) else value for name, value in self.event.as_dict().items()
        }


def writable(text: str) -> str:
    """`text` without lone surrogates, which JSON can carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


class EventLogs:
    """Event logs of all runs; lines that are not events are passed over.

    Safe to use while a run is writing, and from many threads.
    """

    def __init__(self, folders: RunFolders) -> None:
        self._folders = folders
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[int, float]] = {}

    def read(self, run_id: str, *, start: int = 0) -> Iterator[LoggedEvent]:
        """The events from byte `start` on that are complete now."""
        stream = self._folders.of(run_id).open_out(_FILE)
        if stream is None:
            return
        with stream:
            size = min(os.fstat(stream.fileno()).st_size, _MAX_FILE_BYTES)
            if not 0 <= start < size:
                return
            stream.seek(start)
            at, left = start, size - start
            while left > 0:
                line = stream.readline(min(_MAX_LINE_BYTES, left))
                at, left = at + len(line), left - len(line)
                if not line.endswith(b"\n"):
                    if len(line) < _MAX_LINE_BYTES:
                        return
                    continue
                event = _event(line)
                if event is not None:
                    yield LoggedEvent(end=at, event=event)

    def has_end(self, run_id: str) -> bool:
        """Whether the log of a run that is over ends with the run's own word; a runner that was killed has none."""
        stream = self._folders.of(run_id).open_out(_FILE)
        if stream is None:
            return False
        with stream:
            size = min(os.fstat(stream.fileno()).st_size, _MAX_FILE_BYTES)
        # The runner's last line; the half of a line that this may begin in is no event.
        tail = self.read(run_id, start=max(0, size - _MAX_LINE_BYTES))
        return any(logged.event.type is EventType.END for logged in tail)

    def text(self, run_id: str) -> Iterator[str]:
        """What the notebook printed."""
        for logged in self.read(run_id):
            if logged.event.type is EventType.LOG and logged.event.text:
                yield writable(logged.event.text)

    def progress(self, run_id: str) -> float:
        """The highest progress told so far, 0..1; reads only what is new since the last call."""
        with self._lock:
            start, fraction = self._seen.get(run_id, (0, 0.0))
        for logged in self.read(run_id, start=start):
            start = logged.end
            if logged.event.fraction is not None:
                fraction = max(fraction, logged.event.fraction)
        with self._lock:
            if len(self._seen) > 1000:
                self._seen.clear()
            self._seen[run_id] = (start, fraction)
        # 1 is for those who know that it is over.
        return min(fraction, 0.999)


def _event(line: bytes) -> RunEvent | None:
    try:
        return RunEvent.from_dict(json.loads(line))
    except (ContractError, ValueError, RecursionError):
        return None
