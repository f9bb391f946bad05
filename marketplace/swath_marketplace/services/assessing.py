"""Assessing versions: when something happens to one, and as time goes by."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

from swath_service.loops import Loop

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.assessments import Assessment, Cause, CriteriaFile, assess
from swath_marketplace.domain.benchmarks import Round
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.services.gathering import Gatherer
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.assessments import AssessmentStore, Key, key_of

log = logging.getLogger(__name__)

#: What runs show counts within so long.
_STALE_SECONDS = 3600.0
#: After the start, when there is more urgent work than looking at everything.
_FIRST_SECONDS = 120.0
_PAGE = 200


class Assessor:
    """Makes assessments.

    Promises: assessing a version of which nothing changed stores nothing, so it may be repeated at any time, by
    several processes at once; what was missed because a process died is made up for by `look`.
    """

    def __init__(self, *, gatherer: Gatherer, store: AssessmentStore, criteria: CriteriaFile, clock: Clock) -> None:
        self._gatherer = gatherer
        self._store = store
        self._criteria = criteria
        self._clock = clock
        self._lock = threading.Lock()
        self._looked: dict[Key, float] = {}

    def assess(self, version: AlgorithmVersion, cause: Cause) -> Assessment:
        """What the criteria say of `version` now; stored, unless the latest assessment says the same."""
        found, created = self._store.add(assess(self._gatherer.evidence(version), self._criteria, cause=cause))
        with self._lock:
            self._looked[key_of(version)] = self._clock().timestamp()
        if created:
            log.info("%s %s is assessed: %s (%s)", version.path, version.version, found.met.value, cause.value)
        return found

    def refresh(self, version: AlgorithmVersion, *, stale_seconds: float = _STALE_SECONDS) -> None:
        """Assess `version` if that was not done within `stale_seconds`, by default an hour, or by other criteria."""
        latest = self._store.latest([version]).get(key_of(version))
        if latest is None or latest.criteria_sha256 != self._criteria.sha256:
            self.assess(version, Cause.PUBLISH if latest is None else Cause.CRITERIA)
            return
        with self._lock:
            looked = self._looked.get(key_of(version), 0.0)
        if self._clock().timestamp() - looked >= stale_seconds:
            self.assess(version, Cause.CLOCK)

    def on_published(self, version: AlgorithmVersion) -> None:
        """A version is new."""
        self.assess(version, Cause.PUBLISH)

    def on_dossier(self, dossier: Dossier, version: AlgorithmVersion) -> None:  # noqa: ARG002 - a listener's signature
        """Files beside a version changed."""
        self.assess(version, Cause.DOSSIER)

    def on_round(self, round_: Round, version: AlgorithmVersion) -> None:  # noqa: ARG002 - a listener's signature
        """A round of benchmarks has ended and is stored."""
        self.assess(version, Cause.ROUND)


class AssessmentClock:
    """Looks at every version that is offered, once an hour, in a thread of its own.

    So runs of others count without slowing any of them, and what a listener missed is made up for.
    """

    def __init__(self, *, assessor: Assessor, algorithms: AlgorithmStore) -> None:
        self._assessor = assessor
        self._algorithms = algorithms
        self._loop = Loop("assessments", self.look, every_seconds=_STALE_SECONDS, first_seconds=_FIRST_SECONDS)

    def start(self) -> None:
        """Begin to look."""
        self._loop.start()

    def stop(self) -> None:
        """Look no more; waits for the version that is being assessed."""
        self._loop.stop(within_seconds=10)

    def look(self) -> None:
        """Assess every version that is due; one that fails does not keep the others from it."""
        for version in self._offered():
            if self._loop.ending:
                return
            try:
                self._assessor.refresh(version)
            except Exception:
                log.exception("%s %s could not be assessed", version.path, version.version)

    def _offered(self) -> Iterator[AlgorithmVersion]:
        offset, total = 0, 1
        while offset < total:
            page, total = self._algorithms.list(limit=_PAGE, offset=offset)
            for one in page:
                algorithm = self._algorithms.get(one.owner, one.name)
                yield from (each for each in algorithm.versions if each.yanked_at is None) if algorithm else ()
            offset += _PAGE
