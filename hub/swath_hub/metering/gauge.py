"""Reading what a server has used from whoever guards it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from swath_sandbox import Group, SandboxError, warden

from swath_hub import sandboxes
from swath_hub.metering.usage import Usage

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What a gauge shows."""

    alive: bool
    usage: Usage
    """Zero of what could not be told: what was seen before stands."""


class Gauge(Protocol):
    """A kind of server's meter: by wardens here, by pods on a cluster. Blocking; safe from many threads."""

    def read(self, handle: dict[str, str]) -> Reading:
        """What the server of `handle` has used. Right after a restart of the hub, and after the server's end."""
        ...

    def end(self, handle: dict[str, str]) -> bool:
        """End a server that nobody knows of any more; whether it is gone. Idempotent."""
        ...


def since_boot() -> float:
    """Seconds since the machine booted, asleep or not: neither a step of the clock nor a restart of ours changes it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class WardenGauge:
    """Servers in sandboxes under wardens, found by the name of the warden's folder.

    Parameters
    ----------
    servers
        The folder with all of them.
    """

    def __init__(self, servers: Path, *, clock: Callable[[], float] = since_boot) -> None:
        self._servers = servers
        self._clock = clock

    def read(self, handle: dict[str, str]) -> Reading:
        place = self._place(handle)
        if place is None or not place.is_dir():
            return Reading(alive=False, usage=Usage())
        state, guard = warden.find(place)
        if state is warden.State.RUNNING and guard is not None:
            # The kernel counts a process's start from boot, in ticks: our own start does not matter.
            age = max(0.0, self._clock() - guard.start_time / _TICKS)
            return Reading(alive=True, usage=Usage(wall_seconds=age, cpu_seconds=_cpu_seconds(place)))
        ended = warden.read_exit(place)
        if ended is None:
            return Reading(alive=False, usage=Usage())
        return Reading(
            alive=False, usage=Usage(wall_seconds=ended.wall_seconds, cpu_seconds=max(0.0, ended.cpu_seconds))
        )

    def end(self, handle: dict[str, str]) -> bool:
        place = self._place(handle)
        return place is None or sandboxes.stop(place, seconds=15)

    def _place(self, handle: dict[str, str]) -> Path | None:
        name = handle.get("place", "")
        return self._servers / name if name and os.sep not in name and not name.startswith(".") else None


def _cpu_seconds(place: Path) -> float:
    """CPU time of everything in the server's control group; 0 where there is none or it is just going."""
    try:
        group = json.loads((place / "warden.json").read_bytes())["group"]
        return Group.from_dict(group).usage().cpu_seconds if group else 0.0
    except (OSError, ValueError, KeyError, TypeError, SandboxError):
        return 0.0
