"""Work that comes again and again, in a thread of its own: one step every few seconds, until it is stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from swath_service.logs import new_id, request_id

log = logging.getLogger(__name__)

_FIRST_BACKOFF_SECONDS = 1.0


class Loop:
    """A named daemon thread that does one step after the other, with pauses between them.

    Promises: a step that raises is logged and ends nothing: a database that is away for a moment must not end the
    thread that everything depends on. It is tried again after a second, then after twice as long each time, and never
    later than the next step would come anyway. Nothing but `stop` cuts such a pause short, so that wakes cannot make a
    failing step spin. All that one step logs carries one id.

    Parameters
    ----------
    name
        Of the thread, and in the log.
    step
        Called in the thread. Answers after how many seconds it is to be called again, ``0.0`` for at once, where that
        is sooner than usual: there is more to do. ``None``: after `every_seconds`.
    every_seconds
        The pause where there is nothing to do, unless somebody wakes it.
    first_seconds
        The pause before the first step, by default none.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], float | None],
        *,
        every_seconds: float,
        first_seconds: float = 0.0,
    ) -> None:
        self._name = name
        self._step = step
        self._every = every_seconds
        self._first = first_seconds
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def ending(self) -> bool:
        """Whether it was told to stop, for a long step to look at."""
        return self._ending.is_set()

    def start(self) -> None:
        """Begin; once more after `stop`, if need be.

        Raises
        ------
        RuntimeError
            It runs already, or the last step of before is not over.
        """
        if self._thread is not None and self._thread.is_alive():
            raise RuntimeError(f"the loop {self._name} runs already")
        self._ending.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, *, within_seconds: float | None = None) -> None:
        """End after the step under way, and wait for that; no longer than `within_seconds`, where it may take long."""
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=within_seconds)

    def wake(self) -> None:
        """There is something to do: take the next step now instead of in a moment."""
        self._wake.set()

    def _run(self) -> None:
        pause, failures = self._first, 0
        while not self._ending.is_set():
            self._wake.wait(pause)
            # Whoever wakes it from here on is heard after the step; whoever stops it has said so before waking it.
            self._wake.clear()
            if self._ending.is_set():
                return
            request_id.set(new_id())
            try:
                soon = self._step()
                pause, failures = self._every if soon is None else soon, 0
            except Exception:
                log.exception("a step of %s failed (error %s), and is tried again", self._name, request_id.get())
                self._ending.wait(min(self._every, _FIRST_BACKOFF_SECONDS * 2 ** min(failures, 16)))
                pause, failures = 0.0, failures + 1
