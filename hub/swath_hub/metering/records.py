"""The folder with one file a metered server."""

from __future__ import annotations

import logging
from pathlib import Path

from swath_hub.metering.record import Record
from swath_hub.state import write_whole

log = logging.getLogger(__name__)


class Records:
    """Written whole and synced before anything is asked in a record's name. Blocking."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, record: Record) -> Record:
        """Remember `record` over any crash."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self._path(record), record.to_json())
        return record

    def forget(self, record: Record) -> None:
        """It is settled. Idempotent."""
        self._path(record).unlink(missing_ok=True)

    def load(self) -> list[Record]:
        """All that is not settled. One that can't be understood is moved aside and told of: its hold then expires."""
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                found.append(Record.from_json(path.read_text()))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                log.exception("The record of a metered server can't be understood: %s", path)
                path.replace(path.with_suffix(".unreadable"))
        return found

    def _path(self, record: Record) -> Path:
        return self._folder / f"{record.id}.json"
