"""A process named so that another one which later gets the same number is never taken for it."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

from swath_sandbox import processes


@dataclass(frozen=True)
class ProcessId:
    """One process of one boot."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """Name the live process `pid`, or ``None`` when there is none."""
        started = processes.start_time(pid)
        return None if started is None else cls(pid=pid, started=started, boot=processes.boot_id())

    @classmethod
    def from_dict(cls, stored: Any) -> ProcessId | None:
        """What `as_dict` wrote; ``None`` for anything else."""
        try:
            return cls(pid=int(stored["pid"]), started=int(stored["started"]), boot=str(stored["boot"]))
        except (KeyError, TypeError, ValueError):
            return None

    def as_dict(self) -> dict[str, Any]:
        return {"pid": self.pid, "started": self.started, "boot": self.boot}

    def alive(self) -> bool:
        """Whether this very process runs."""
        return processes.is_alive(self.pid, self.started, self.boot)

    def send(self, number: signal.Signals) -> bool:
        """Signal it, unless it is gone; tell whether it was there."""
        return processes.send(self.pid, self.started, self.boot, number)
