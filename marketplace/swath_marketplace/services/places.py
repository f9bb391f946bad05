"""Where a waiting run stands, for the one who waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping

from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.fairness import Forecast, Slots, Terms, forecast
from swath_marketplace.domain.runs import Run, Stage
from swath_marketplace.services.terms import TermsBook
from swath_marketplace.store.queue import QueueStore, Snapshot

#: Everybody who waits asks again and again; the queue is looked at once for all of them.
_FRESH_SECONDS = 2.0


class Places:
    """Forecasts for runs that wait for a slot."""

    def __init__(self, *, store: QueueStore, slots: Slots, terms: TermsBook, clock: Clock) -> None:
        self._store = store
        self._slots = slots
        self._terms = terms
        self._clock = clock
        self._lock = threading.Lock()
        self._made: tuple[float, Mapping[str, Forecast]] = (0.0, {})

    def of(self, run: Run) -> Forecast | None:
        """How many start before `run` and when it would start; ``None`` when it does not wait for a slot."""
        if run.stage is not Stage.HELD:
            return None
        with self._lock:
            until, made = self._made
            # A run that came since is not in it.
            if time.monotonic() > until or run.id not in made:
                made = self._forecast()
                self._made = (time.monotonic() + _FRESH_SECONDS, made)
            return made.get(run.id)

    def terms_of(self, callers: Iterable[str]) -> Mapping[str, Terms]:
        """What the tiers of `callers` say about the queue."""
        return self._terms.of(callers)

    def _forecast(self) -> Mapping[str, Forecast]:
        terms = self._terms.of(self._store.waiting_callers())
        snapshot = self._store.snapshot(slots=self._slots, now=self._clock(), terms=terms)
        return forecast(snapshot.queue, seconds_left=_seconds_left(snapshot), usual=snapshot.usual)


def _seconds_left(snapshot: Snapshot) -> Mapping[str, float]:
    """How long each active run will go on if it is like others; one that is longer already is half-way at best."""
    left = {}
    for run in snapshot.queue.active:
        limit = float(run.resources.wall_seconds)
        started = snapshot.started_at.get(run.id, snapshot.queue.now)
        gone = min(limit, max(0.0, (snapshot.queue.now - started).total_seconds()))
        usual = limit * snapshot.usual
        left[run.id] = usual - gone if gone < usual else (limit - gone) / 2
    return left
