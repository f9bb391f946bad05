"""`swath.checkpoint_requested` and `swath.on_checkpoint`: saving what there is when a run's credits end.

A run that nears its budget, or what its caller's wallet gives, is asked to checkpoint and stopped a little later. The
platform puts a file beside the run that the sandbox can read and not write; what is emitted before the stop is kept.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import TypeVar

__all__ = ["checkpoint_requested", "on_checkpoint"]

_FILE = os.path.join("control", "checkpoint.json")
#: A tight loop asks a million times a second; the file is looked for ten times a second.
_LOOK_SECONDS = 0.1
_WATCH_SECONDS = 0.25

Callback = TypeVar("Callback", bound=Callable[[], object])


class _Watch:
    """What this process knows of the request."""

    def __init__(self) -> None:
        self.asked = False
        self.looked_at = float("-inf")
        self.lock = threading.Lock()
        self.callbacks: list[Callable[[], object]] = []
        self.thread: threading.Thread | None = None


_watch = _Watch()


def checkpoint_requested() -> bool:
    """Whether the run was asked to save what it has; it is stopped soon after.

    Cheap enough for the innermost loop, and once true it stays true. Outside a run it is always false.

    Examples
    --------
    >>> for tile in tiles:  # doctest: +SKIP
    ...     if swath.checkpoint_requested():
    ...         break
    ...     rows.append(compute(tile))
    """
    if _watch.asked:
        return True
    now = time.monotonic()
    if now - _watch.looked_at < _LOOK_SECONDS:
        return False
    _watch.looked_at = now
    folder = os.environ.get("SWATH_RUN_DIR")
    if folder and os.path.exists(os.path.join(folder, _FILE)):
        _watch.asked = True
    return _watch.asked


def on_checkpoint(callback: Callback) -> Callback:
    """Call `callback`, without arguments, once the run is asked to save what it has; usable as a decorator.

    It is called once, in a thread of its own, *beside* the cell that runs: also while that waits in a long computation
    outside Python, where nothing could be called between two cells or two lines. So let it emit what is complete, or
    guard with a lock what the cell changes meanwhile; in a loop of one's own `checkpoint_requested` is the simpler way.
    Several are called in the order in which they were given, and one that is given after the request at once. What it
    raises is printed and ends nothing. Outside a run nothing is ever called.

    Returns
    -------
    callable
        `callback`.
    """
    if not callable(callback):
        raise TypeError("on_checkpoint takes a function without arguments")
    if not os.environ.get("SWATH_RUN_DIR"):
        return callback
    with _watch.lock:
        _watch.callbacks.append(callback)
        if _watch.thread is None:
            # A daemon: it must not keep a kernel alive that is told to end.
            _watch.thread = threading.Thread(target=_follow, name="swath-checkpoint", daemon=True)
            _watch.thread.start()
    return callback


def _follow() -> None:
    while not checkpoint_requested():
        time.sleep(_WATCH_SECONDS)
    while True:
        with _watch.lock:
            if not _watch.callbacks:
                # One that is given from now on gets a thread of its own again.
                _watch.thread = None
                return
            callback = _watch.callbacks.pop(0)
        try:
            callback()
        except BaseException:
            traceback.print_exc(file=sys.stderr)
