"""Short messages to a user: a line in a file that his server sees read-only, from which kernels show new ones."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

#: Where a server sees its notices.
INSIDE = "/run/swath"
FILE = "notices.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What a user is told."""

    code: str
    """Stable, kebab-case: ``credits-low``, ``credits-end-soon``, ``credits-gone``."""
    text: str
    at: datetime

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "text": self.text, "at": self.at.isoformat(timespec="seconds")}


class NoticeBoard:
    """One folder a user. Blocking."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, user: str) -> Path:
        """The folder to bind into a server that starts, without what was told to the last one."""
        # Others may pass here: a bind looks with the user's eyes where there are no namespaces.
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        place = self._folder / user
        place.mkdir(exist_ok=True, mode=0o755)
        descriptor = os.open(place / FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.close(descriptor)
        return place

    def post(self, user: str, notice: Notice) -> None:
        """Append `notice`, whole: a reader sees a line or none of it."""
        place = self._folder / user
        if not place.is_dir():
            self.open(user)
        line = json.dumps(notice.as_dict()) + "\n"
        descriptor = os.open(place / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
