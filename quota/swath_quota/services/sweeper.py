"""Settle or void, in the background, the holds that nobody settled in time."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

from swath_service.actor import Actor, ActorKind, Scope

from swath_quota.services.desk import Desk
from swath_quota.services.holds import sweep
from swath_quota.services.meter_sweep import sweep_meters

log = logging.getLogger(__name__)
_BATCH = 500
_ACTOR = Actor(name="quota-sweeper", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER}))


class Sweeper:
    """A thread that sweeps every `every_seconds` until it is stopped; what fails is logged and tried again."""

    def __init__(self, desk: Desk, *, every_seconds: float) -> None:
        self._desk = desk
        self._every_seconds = every_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quota-sweeper", daemon=True)

    def start(self) -> None:
        """Begin, with a sweep at once: the service may have been down for long."""
        self._thread.start()

    def stop(self) -> None:
        """End; waits for the sweep under way."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._sweep()
            except Exception:
                # The thread outlives a database that is away for a while.
                log.exception("the sweep for overdue holds failed")
            self._stopping.wait(self._every_seconds)

    def _sweep(self) -> None:
        """Settle what is metered, then void the rest; both as of one instant, so that nothing slips between the two."""
        while not self._stopping.is_set():
            desk = _still(self._desk)
            if sweep_meters(_ACTOR, desk, limit=2 * _BATCH):
                continue
            if sweep(_ACTOR, desk, limit=_BATCH) < _BATCH:
                return


def _still(desk: Desk) -> Desk:
    """`desk` at this instant."""
    now = desk.clock()
    return replace(desk, clock=lambda: now)
