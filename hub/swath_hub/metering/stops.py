"""Why servers were stopped, kept until their users' next successful start."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from swath_hub.state import write_whole


@dataclass(frozen=True, kw_only=True, slots=True)
class WhyStopped:
    """What a user finds on the page where servers are started."""

    code: str
    text: str
    """Ends the sentence "Your server was stopped at … because"."""
    at: datetime


class Stops:
    """One small file a server. Blocking."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, user: str, server: str, why: WhyStopped) -> None:
        """Remember; what was there is replaced."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        document = {"code": why.code, "text": why.text, "at": why.at.isoformat()}
        write_whole(self._path(user, server), json.dumps(document))

    def get(self, user: str, server: str) -> WhyStopped | None:
        """The last reason; ``None`` when there is none."""
        try:
            stored = json.loads(self._path(user, server).read_text())
            return WhyStopped(
                code=str(stored["code"]), text=str(stored["text"]), at=datetime.fromisoformat(stored["at"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def forget(self, user: str, server: str) -> None:
        """He has started anew. Idempotent."""
        self._path(user, server).unlink(missing_ok=True)

    def _path(self, user: str, server: str) -> Path:
        # A user's name has no `@`, and the name of a server no slash.
        return self._folder / f"{user}@{server}.json"
