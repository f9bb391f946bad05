"""Which versions are due for a round: asked for by the clock, and when a version's dossier is new."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from datetime import timedelta

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.benchmarks import Order, Trigger
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.runs import PLATFORM
from swath_marketplace.domain.schedule import MOST_A_DAY, due, listed
from swath_marketplace.services.round_ports import DossierSource
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.rounds import RoundStore

log = logging.getLogger(__name__)
#: More rounds spoilt in a row than there are hours to double in a day.
_LOOKED_BACK = 8


class RoundClock:
    """Asks for rounds that nobody has to ask for.

    Parameters
    ----------
    period
        After so long a version is benchmarked again; ``None``: only when somebody asks.
    """

    def __init__(
        self,
        *,
        store: RoundStore,
        algorithms: AlgorithmStore,
        dossiers: DossierSource,
        period: timedelta | None,
        clock: Clock,
    ) -> None:
        self._store = store
        self._algorithms = algorithms
        self._dossiers = dossiers
        self._period = period
        self._clock = clock

    def look(self) -> int:
        """Ask for a round of each version that is due; answers of how many."""
        if self._period is None:
            return 0
        asked = 0
        for version in self._listed():
            dossier = self._dossiers.latest(version.algorithm_id, version.digest)
            if dossier is None or not dossier.scenarios:
                continue
            last = self._store.latest(version.algorithm_id, version.digest)
            ended = self._store.of(version.algorithm_id, version.digest, limit=_LOOKED_BACK)
            is_due = due(last, ended, dossier_digest=dossier.digest, now=self._clock(), period=self._period)
            if is_due and not self.spent(version):
                is_new = last is None or last.dossier_digest != dossier.digest
                self.ask(version, dossier, trigger=Trigger.PUBLISH if is_new else Trigger.SCHEDULE)
                asked += 1
        return asked

    def on_dossier(self, dossier: Dossier, version: AlgorithmVersion) -> None:
        """A version or its dossier is new."""
        if self._period is None or not dossier.scenarios or version.yanked_at is not None:
            return
        # Beyond what an algorithm has a day, the clock comes back to it.
        if not self.spent(version):
            self.ask(version, dossier, trigger=Trigger.PUBLISH)

    def spent(self, version: AlgorithmVersion) -> bool:
        """Whether the algorithm of `version` has had its rounds of a day."""
        return self._store.count_since(version.algorithm_id, self._clock() - timedelta(days=1)) >= MOST_A_DAY

    def ask(
        self, version: AlgorithmVersion, dossier: Dossier, *, trigger: Trigger, asked_by: str = PLATFORM
    ) -> tuple[Order, bool]:
        """A round of `version`; the open one where there is one, and whether it is new."""
        order = Order(
            id=uuid.uuid4().hex,
            algorithm_id=version.algorithm_id,
            owner=version.owner,
            name=version.name,
            version=version.version,
            version_digest=version.digest,
            dossier_digest=dossier.digest,
            environment_lock_sha256=version.environment_lock_sha256,
            trigger=trigger,
            asked_by=asked_by,
            asked_at=self._clock(),
        )
        return self._store.ask(order)

    def _listed(self) -> Iterator[AlgorithmVersion]:
        for one in self._algorithms.each():
            whole = self._algorithms.get(one.owner, one.name)
            yield from listed(whole.versions if whole else ())
