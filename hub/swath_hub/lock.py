"""One hub for one data folder."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from swath_hub.errors import OperatorError


def take(path: Path, *, wait_seconds: float = 5.0) -> int:
    """Take the lock of a data folder; it is held until the process ends.

    The descriptor outlives an ``exec``, so that the hub itself holds it. An old hub that is ending is waited for.

    Raises
    ------
    OperatorError
        Another hub runs on this folder.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, True)
    end = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                os.close(descriptor)
                raise OperatorError(
                    code="already-running",
                    message=f"Swath already runs on {path.parent}",
                    mend="`swath status` shows where, `swath down` ends it; --data starts a second copy elsewhere",
                ) from None
            time.sleep(0.1)
        else:
            return descriptor


def held(path: Path) -> bool:
    """Whether a hub holds the lock now."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
