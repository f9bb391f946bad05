"""``state.json``: what one copy remembers from start to start. It holds no secret."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from swath_hub.errors import OperatorError
from swath_hub.processes import ProcessId

_VERSION = 1


@dataclass(frozen=True)
class State:
    """Ports, and the hub's process while it runs."""

    bind: str = "127.0.0.1"
    ports: dict[str, int] = field(default_factory=dict)
    hub: ProcessId | None = None
    started_at: str = ""

    @property
    def url(self) -> str:
        """Where browsers and clients find this copy."""
        host = "127.0.0.1" if self.bind in {"", "0.0.0.0", "::"} else self.bind  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.ports['public']}/"

    @property
    def running(self) -> bool:
        return self.hub is not None and self.hub.alive()

    def with_hub(self, hub: ProcessId, *, started_at: str) -> State:
        return replace(self, hub=hub, started_at=started_at)


def load(path: Path) -> State:
    """The state written last; an empty one when there is none.

    Raises
    ------
    OperatorError
        The file is there and can't be understood.
    """
    try:
        stored: dict[str, Any] = json.loads(path.read_text())
        if stored["version"] != _VERSION:
            raise ValueError(f"version {stored['version']}")
        return State(
            bind=str(stored["bind"]),
            ports={str(name): int(port) for name, port in stored["ports"].items()},
            hub=ProcessId.from_dict(stored["hub"]) if stored.get("hub") else None,
            started_at=str(stored.get("started_at", "")),
        )
    except FileNotFoundError:
        return State()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OperatorError(
            code="state-unreadable",
            message=f"{path} can't be understood ({error})",
            mend="move it away: ports are then chosen anew",
        ) from error


def save(path: Path, state: State) -> None:
    """Write `state`, whole or not at all."""
    document = {
        "version": _VERSION,
        "bind": state.bind,
        "url": state.url,
        "ports": state.ports,
        "hub": state.hub.as_dict() if state.hub else None,
        "started_at": state.started_at,
    }
    write_whole(path, json.dumps(document, indent=2) + "\n", mode=0o644)


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace `path` by `text`: a reader sees the old or the new one, never half of it."""
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)
