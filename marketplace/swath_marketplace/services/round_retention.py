"""What is kept of benchmarks: their records for ever, the files that their runs brought for some days."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from swath_marketplace.domain.clock import Clock
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.scenario_files import ScenarioFiles
from swath_marketplace.store.breaks import BreakStore
from swath_marketplace.store.rounds import RoundStore

log = logging.getLogger(__name__)

#: How far back is looked for what was not removed, because nothing ran then.
_LOOKED_BACK = timedelta(days=60)


class RoundRetention:
    """Removes the outputs of benchmarks' runs, which come anew each day, and the pictures of differences.

    Promises: idempotent; never touches a run that somebody called, nor what an open break shows, nor a version's latest
    green round: that is the example which everybody sees of it.

    Parameters
    ----------
    pinned
        Runs whose outputs somebody needs for longer.
    keep
        How long after the end of its round a run's outputs are kept.
    """

    def __init__(
        self,
        *,
        store: RoundStore,
        breaks: BreakStore,
        folders: RunFolders,
        files: ScenarioFiles,
        keep: timedelta,
        pinned: Callable[[], frozenset[str]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._breaks = breaks
        self._folders = folders
        self._files = files
        self._keep = keep
        self._pinned = pinned
        self._clock = clock

    def look(self) -> int:
        """Remove what is old; answers of how many runs."""
        until = self._clock() - self._keep
        shown, pinned = self._breaks.rounds_of_open() | self._store.latest_green(), self._pinned()
        removed = 0
        for round_id, runs in self._store.ended_between(until - _LOOKED_BACK, until).items():
            if round_id not in shown:
                removed += sum(self._folders.of(run_id).drop_results() for run_id in runs if run_id not in pinned)
                self._files.drop_pictures(round_id)
        if removed:
            log.info("the outputs of %d benchmarks that are older than %s were removed", removed, self._keep)
        return removed
