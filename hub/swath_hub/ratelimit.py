"""Failed sign-ins are counted: by name, so that a password can't be guessed, and in all, so that names can't either."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable


class FailureLimit:
    """A window that slides over the failures of the last minutes.

    A name that nobody has is counted like any other, and forgotten with its last failure.
    """

    def __init__(
        self,
        *,
        per_name: int = 5,
        overall: int = 60,
        window_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_name = per_name
        self._overall = overall
        self._window = window_seconds
        self._clock = clock
        self._by_name: dict[str, deque[float]] = {}
        self._all: deque[float] = deque()

    def wait_seconds(self, name: str) -> int:
        """Whole seconds until `name` may try again; 0 when it may now."""
        now = self._clock()
        self._forget(now)
        waits = [0.0]
        mine = self._by_name.get(name, deque())
        if len(mine) >= self._per_name:
            waits.append(mine[-self._per_name] + self._window - now)
        if len(self._all) >= self._overall:
            waits.append(self._all[-self._overall] + self._window - now)
        return math.ceil(max(waits))

    def failed(self, name: str) -> None:
        """Count one failure."""
        now = self._clock()
        self._by_name.setdefault(name, deque()).append(now)
        self._all.append(now)

    def succeeded(self, name: str) -> None:
        """Forget the failures of `name`."""
        self._by_name.pop(name, None)

    def _forget(self, now: float) -> None:
        while self._all and self._all[0] <= now - self._window:
            self._all.popleft()
        for name in list(self._by_name):
            mine = self._by_name[name]
            while mine and mine[0] <= now - self._window:
                mine.popleft()
            if not mine:
                del self._by_name[name]
