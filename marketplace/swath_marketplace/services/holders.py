"""Who holds a lease: a process of a machine, so that a restart knows at once which leases nobody keeps any more."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from typing import Protocol

from swath_sandbox import processes


class Leases(Protocol):
    """A store whose things are held."""

    def holders(self) -> Iterable[str]:
        """Everybody who holds anything."""
        ...

    def let_go(self, holder: str) -> object:
        """Free what `holder` holds."""
        ...


def new_holder() -> str:
    """A name for what works in this process: ``boot:pid:start:random``, the like of which there is nowhere else."""
    pid = os.getpid()
    return f"{processes.boot_id()}:{pid}:{processes.start_time(pid)}:{uuid.uuid4().hex[:8]}"


def is_gone(holder: str) -> bool:
    """Whether `holder` was a process of this machine, since it was started, and is no more.

    Of another machine's nothing is known here: its leases run out by themselves.
    """
    boot, pid, started, _ = holder.split(":")
    return boot == processes.boot_id() and not processes.is_alive(int(pid), int(started), boot)


def free_gone(leases: Leases) -> None:
    """Free what holders hold that were processes of this machine and are gone."""
    for holder in leases.holders():
        if is_gone(holder):
            leases.let_go(holder)
