"""Launching commands that outlive their launcher, and learning afterwards how they ended.

A warden folder goes through: nothing → `prepare` → `launch` (once) → running → ended (exit.json), or lost when the shim
itself was killed. Every function may be called again after a crash of the caller, from any process.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from swath_sandbox import cgroups, processes, shim
from swath_sandbox.bubblewrap import bare_command, command, outside, python_command
from swath_sandbox.checks import check_isolation
from swath_sandbox.claims import write_json
from swath_sandbox.errors import AlreadyStarted, SandboxError
from swath_sandbox.spec import Job


class State(StrEnum):
    """Where a warden folder stands."""

    NEVER = "never"
    """Not launched, and no shim is about to guard it."""
    RUNNING = "running"
    ENDED = "ended"
    """exit.json tells how."""
    LOST = "lost"
    """Launched once, its shim died without a word (killed, or the machine went down). `reap` cleans up."""


class Reason(StrEnum):
    """Why a command ended."""

    EXITED = "exited"
    TIME_LIMIT = "time-limit"
    MEMORY_LIMIT = "memory-limit"
    DISK_LIMIT = "disk-limit"
    STOPPED = "stopped"
    FAILED_TO_START = "failed-to-start"
    WARDEN_FAILED = "warden-failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Handle:
    """Identity of a shim that survives reuse of pids and reboots. Save it; it finds the shim after a restart."""

    pid: int
    start_time: int
    boot_id: str

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"pid": self.pid, "start_time": self.start_time, "boot_id": self.boot_id}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Handle:
        """Rebuild from `as_dict` or from the contents of warden.json."""
        return cls(pid=int(record["pid"]), start_time=int(record["start_time"]), boot_id=str(record["boot_id"]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """How a command ended.

    `oom_kills` above zero with reason ``exited`` means that the kernel killed some process inside for memory and the
    command went on and ended well: a runner whose kernel died thereby hit the memory limit.
    """

    exit_code: int | None
    signal: int | None
    reason: Reason
    message: str
    cpu_seconds: float
    peak_memory_bytes: int
    oom_kills: int
    wall_seconds: float
    started_at: str
    ended_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Going:
    """What a running command has taken so far."""

    wall_seconds: float
    """Since its shim began, by the clock that its end will be told in: no step of the wall clock shows in it."""
    cpu_seconds: float | None
    """Of everything in its control group; ``None`` where there is none."""


def prepare(folder: Path, job: Job) -> None:
    """Write what `launch` is to start. May be repeated until launched.

    Raises
    ------
    SandboxUnavailable
        When the machine lacks bubblewrap or control groups and `job.allow` does not give them up.
    """
    isolation = check_isolation(job.allow)
    spec = job.sandbox
    # Without bubblewrap there is no mount of its own to watch.
    watched = job.watch if isolation.bwrap else None
    record = {
        "argv": command(spec, ready_fd=shim.READY_FD, go_fd=shim.GO_FD if watched else None)
        if isolation.bwrap
        else bare_command(spec, ready_fd=shim.READY_FD),
        "watch": watched,
        "env": {name: value if isolation.bwrap else outside(spec, value) for name, value in spec.env.items()},
        "cwd": "/" if isolation.bwrap else outside(spec, spec.cwd),
        "bwrap": isolation.bwrap,
        "group": job.group,
        "limits": job.limits.as_dict() if isolation.cgroups else None,
        "wall_seconds": job.wall_seconds,
        "grace_seconds": job.grace_seconds,
        "disk_bytes": job.disk_bytes,
        "disk_paths": [str(path) for path in job.disk_paths],
        "disk_files": job.disk_files,
        "log_bytes": job.log_bytes,
        "open_files": job.open_files,
    }
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(f"{folder}/command.json", record)


def launch(folder: Path) -> Handle:
    """Start the prepared command under a shim of its own; returns as soon as the shim has claimed the folder.

    Raises
    ------
    AlreadyStarted
        When the folder was launched before, by anybody, living or dead. Use `find` to learn of it.
    SandboxError
        When the shim itself could not start.
    """
    with (
        open(folder / "warden.log", "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log,
        subprocess.Popen(
            [*python_command("swath_sandbox.shim"), str(folder.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            # Nothing of the launcher's environment: it may hold tokens.
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
    answer = json.loads(line) if line else {"error": "silent", "message": "the warden did not start; see warden.log"}
    if answer.get("error") == AlreadyStarted.__name__:
        raise AlreadyStarted(answer["message"])
    if "error" in answer:
        raise SandboxError(f"the warden refused to start: {answer['message']}")
    return Handle.from_dict(answer)


def alive(handle: Handle) -> bool:
    """Whether that very shim lives; a process that has its pid now is not mistaken for it."""
    return processes.is_alive(handle.pid, handle.start_time, handle.boot_id)


def stop(handle: Handle) -> bool:
    """Ask the shim to end its command (reason ``stopped``); False when it is gone already. Idempotent."""
    return processes.send(handle.pid, handle.start_time, handle.boot_id, signal.SIGTERM)


def find(folder: Path) -> tuple[State, Handle | None]:
    """Tell where a folder stands, by its lock and not by its pid. Waits out a shim that is just claiming it."""
    deadline = time.monotonic() + 5
    while True:
        if (folder / "exit.json").exists():
            return State.ENDED, _handle(folder)
        held = _is_locked(folder)
        handle = _handle(folder)
        if held and handle and alive(handle):
            return State.RUNNING, handle
        if not held and not (folder / "exit.json").exists():
            return (State.LOST, handle) if (folder / "started").exists() else (State.NEVER, None)
        if time.monotonic() > deadline:
            raise SandboxError("a warden holds its folder and does not say who it is")
        time.sleep(0.01)


def read_exit(folder: Path) -> Exit | None:
    """Return how the command ended; None while it runs, or when its shim was lost."""
    try:
        record = json.loads((folder / "exit.json").read_bytes())
    except FileNotFoundError:
        return None
    return Exit(**{**record, "reason": Reason(record["reason"])})


def usage(folder: Path) -> Going | None:
    """What the running command has taken so far, from a few small files; ``None`` when that cannot be told.

    Nothing inside the sandbox is asked. Whether it still runs is not looked at: `find` does that.
    """
    try:
        record = json.loads((folder / "warden.json").read_bytes())
    except FileNotFoundError:
        return None
    begun = record.get("begun_seconds")
    if begun is None or record["boot_id"] != processes.boot_id():
        return None
    taken = None
    if record.get("group"):
        group = cgroups.Group.from_dict(record["group"])
        # Made a moment after the record, and gone a moment before the exit is told.
        taken = group.usage().cpu_seconds if group.exists() else None
    return Going(wall_seconds=max(0.0, time.monotonic() - begun), cpu_seconds=taken)


def wait(folder: Path, *, timeout_seconds: float) -> Exit | None:
    """Poll until the command has ended; None when it has not by then, or its shim is lost."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        found = read_exit(folder)
        if found or time.monotonic() > deadline or (find(folder)[0] is State.LOST):
            return found or read_exit(folder)
        time.sleep(0.02)


def reap(folder: Path) -> bool:
    """Kill and remove whatever a lost shim left behind; True when nothing is left. Touches nothing while it lives."""
    state, _ = find(folder)
    if state is State.RUNNING:
        return False
    try:
        record = json.loads((folder / "warden.json").read_bytes())
    except FileNotFoundError:
        return True
    if not record.get("group") or record["boot_id"] != processes.boot_id():
        return True
    group = cgroups.Group.from_dict(record["group"])
    return group.kill_all() and group.remove()


def _handle(folder: Path) -> Handle | None:
    try:
        return Handle.from_dict(json.loads((folder / "warden.json").read_bytes()))
    except FileNotFoundError:
        return None


def _is_locked(folder: Path) -> bool:
    try:
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


if __name__ == "__main__":
    shim.main()
