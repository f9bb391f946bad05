"""What the shim leaves on disk and takes from the system: its lock, its start-once mark, its records.

Kept free of heavy imports: the shim that guards every run loads this module.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import time

from swath_sandbox.errors import AlreadyStarted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def limit_resources(*, file_bytes: int | None, open_files: int) -> None:
    """Lower the limits of the calling process: no core files, files no larger, no more open files."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = open_files if hard == resource.RLIM_INFINITY else min(open_files, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
    if file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))


def claim(folder: str) -> int:
    """Take the folder's lock for life and leave the mark that it was started.

    Raises
    ------
    AlreadyStarted
        When another did so before, living or not.
    """
    lock = os.open(f"{folder}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + 2
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            # Held by a live shim, or for an instant by somebody who looks whether one lives.
            if os.path.exists(f"{folder}/started") or time.monotonic() > deadline:
                raise AlreadyStarted("this warden folder is guarded already") from None
            time.sleep(0.01)
    try:
        os.close(os.open(f"{folder}/started", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        # Given back before anybody is told, so that no one takes the folder for guarded.
        os.close(lock)
        raise AlreadyStarted("this warden folder has been started before") from None
    _sync_folder(folder)
    return lock


def now() -> str:
    moment = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1e6):06d}Z"


def say(message: Mapping[str, object]) -> None:
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


def write_json(path: str, value: object) -> None:
    """Write atomically: a reader sees nothing or all of it, also after a crash of the machine."""
    fresh = f"{path}.fresh"
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as stream:
        stream.write(json.dumps(value, indent=1).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(fresh, path)
    _sync_folder(os.path.dirname(path))


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
