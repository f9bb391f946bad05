"""Who a process is: a pid alone is reused, so it never identifies anything by itself.

Kept free of heavy imports: the shim that guards every run loads this module.
"""

from __future__ import annotations

import os
import signal


def boot_id() -> str:
    """Identifier of this boot of the kernel."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()


def start_time(pid: int) -> int | None:
    """Start of process `pid` in clock ticks since boot, None when it is gone or only a zombie is left."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            stat = stream.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in parentheses and may itself hold spaces and parentheses.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def is_alive(pid: int, started: int, boot: str) -> bool:
    """Whether the very process that had this pid, start time and boot still runs."""
    return boot == boot_id() and start_time(pid) == started


def send(pid: int, started: int, boot: str, signum: int = signal.SIGTERM) -> bool:
    """Signal exactly that process; False when it is gone. The pidfd closes the race with a reused pid."""
    if boot != boot_id():
        return False
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if start_time(pid) != started:
            return False
        signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def children(pid: int) -> list[int]:
    """Direct children of a process, oldest first; none when it is gone or the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
            return [int(word) for word in stream.read().split()]
    except OSError:
        return []


def ending(status: int | None, *, through_bwrap: bool) -> tuple[int | None, int | None]:
    """(exit code, signal) of a wait status. bwrap reports a child killed by signal n as exit code 128 + n."""
    if status is None:
        return None, None
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return None, -code
    if through_bwrap and 128 < code <= 128 + 64:
        return code, code - 128
    return code, None
