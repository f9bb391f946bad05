"""Keeps the files of runs as long as their callers' tiers say, and removes them then."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from swath_service.errors import SwathError
from swath_service.loops import Loop

from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.keeping import RESULTS_DAYS, kept_until
from swath_marketplace.domain.runs import Run, RunPurpose
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.store.keeping import KeepingStore

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 60.0
_AT_ONCE = 100


class TierDays:
    """What tiers say of how long results are kept.

    Parameters
    ----------
    standing
        The quota client's: tells every limit of an account.
    default
        Where a tier says nothing.
    benchmarks
        For the platform's own runs, which come anew each day.
    """

    def __init__(self, standing: Callable[[str], Any], *, default: timedelta, benchmarks: timedelta) -> None:
        self._standing = standing
        self._default = default
        self._benchmarks = benchmarks

    def of(self, run: Run) -> timedelta | None:
        """How long the files of `run` are kept after its end; ``None``: for ever.

        Raises
        ------
        SwathError
            The quota service does not answer.
        """
        if run.purpose is RunPurpose.BENCHMARK:
            return self._benchmarks
        limit = self._standing(run.caller).limit(RESULTS_DAYS)
        if limit is None:
            return self._default
        return None if limit.hard is None else timedelta(days=limit.hard)


class ResultKeeper:
    """Finds out how long each ended run's files are kept, and removes those whose time is over.

    What a receipt says needs none of them: hashes, inputs and environment stand in the database, for ever.

    Promises: idempotent, and safe from several processes at once. A run is first said to have expired, then its files
    are removed, then that is noted: whatever crashes between, nobody is shown half of it, and the next look goes on.
    """

    def __init__(self, *, store: KeepingStore, folders: RunFolders, days: TierDays, clock: Clock) -> None:
        self._store = store
        self._folders = folders
        self._days = days
        self._clock = clock
        self._loop = Loop("keeping", self._step, every_seconds=_PAUSE_SECONDS)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._loop.start()

    def stop(self) -> None:
        """End; what is left is gone on with at the next start."""
        self._loop.stop(within_seconds=10)

    def on_end(self, run: Run) -> None:  # noqa: ARG002 - a listener's signature
        """A run has ended: find out soon how long its files are kept."""
        self._loop.wake()

    def look(self) -> int:
        """One look; of how many runs the files were removed."""
        self._note()
        expired = self._store.expire(now=self._clock(), limit=_AT_ONCE)
        if expired:
            log.info("the results of %d runs have expired", len(expired))
        removed = 0
        for run_id in self._store.uncleared(limit=_AT_ONCE):
            if self._loop.ending:
                break
            if self._folders.discard(run_id):
                self._store.cleared(run_id, at=self._clock())
                removed += 1
        return removed

    def _note(self) -> None:
        for run in self._store.unnoted(limit=_AT_ONCE):
            assert run.ended_at is not None
            try:
                keep = self._days.of(run)
            except SwathError as error:
                # Nothing is removed of what nobody knows the time of; it is asked again.
                log.warning("how long results are kept is not known now: %s", error.code)
                return
            self._store.note(run.id, kept_until(run.ended_at, keep=keep, now=self._clock()))

    def _step(self) -> float | None:
        return None if self.look() < _AT_ONCE else 0.0
