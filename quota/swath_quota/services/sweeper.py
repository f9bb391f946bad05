"""Settle or void, in the background, the holds that nobody settled in time."""

from __future__ import annotations

from dataclasses import replace

from swath_service.actor import Actor, ActorKind, Scope
from swath_service.loops import Loop

from swath_quota.services.desk import Desk
from swath_quota.services.holds import sweep
from swath_quota.services.meter_sweep import sweep_meters

_BATCH = 500
_ACTOR = Actor(name="quota-sweeper", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER}))


class Sweeper:
    """A thread that sweeps every `every_seconds` until it is stopped; what fails is logged and tried again."""

    def __init__(self, desk: Desk, *, every_seconds: float) -> None:
        self._desk = desk
        self._loop = Loop("quota-sweeper", self._sweep, every_seconds=every_seconds)

    def start(self) -> None:
        """Begin, with a sweep at once: the service may have been down for long."""
        self._loop.start()

    def stop(self) -> None:
        """End; waits for the sweep under way."""
        self._loop.stop(within_seconds=5)

    def _sweep(self) -> None:
        """Settle what is metered, then void the rest; both as of one instant, so that nothing slips between the two."""
        while not self._loop.ending:
            desk = _still(self._desk)
            if sweep_meters(_ACTOR, desk, limit=2 * _BATCH):
                continue
            if sweep(_ACTOR, desk, limit=_BATCH) < _BATCH:
                return


def _still(desk: Desk) -> Desk:
    """`desk` at this instant."""
    now = desk.clock()
    return replace(desk, clock=lambda: now)
