"""Gathering what is known about a version from where it is kept, for an assessment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

from swath.contract.interface import Interface
from swath.contract.run import EventType

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.benchmarks import Round
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.evidence import Document, Evidence, Logging, RunFact, last_green, latest_results
from swath_marketplace.domain.runs import RunStatus
from swath_marketplace.services.events import EventLogs
from swath_marketplace.store.artifacts import ArtifactDamaged, ArtifactStore
from swath_marketplace.store.assessments import ReviewStore
from swath_marketplace.store.run_facts import RunFacts

log = logging.getLogger(__name__)

#: As many runs as any criterion looks back on.
_RUNS = 500
#: Three months of daily rounds: whatever is older is stale under any criteria that make sense.
_ROUNDS = 100
#: Logs that are looked at: a run with other parameters may tell less.
_LOGS = 6
#: Runs of which a log is looked for.
_TRIED = 20
#: A notebook that tells more than this is not read to its end.
_MOST_EVENTS = 20_000
_REMEMBERED = 2_000


class RoundsOf(Protocol):
    """Where the rounds of benchmarks are kept."""

    def of(self, algorithm_id: str, digest: str, *, limit: int | None = None) -> Sequence[Round]:
        """Every ended round of a version, newest last; with `limit` the newest so many."""
        ...


class DossiersOf(Protocol):
    """Where the dossiers of versions are kept."""

    def of(self, algorithm_id: str, version_digest: str) -> Sequence[Dossier]:
        """Every dossier of a version, the first put first."""
        ...


class Gatherer:
    """Reads what there is about a version; writes nothing.

    Parameters
    ----------
    sandboxed
        Whether runs are isolated here.
    """

    def __init__(
        self,
        *,
        dossiers: DossiersOf,
        artifacts: ArtifactStore,
        rounds: RoundsOf,
        runs: RunFacts,
        reviews: ReviewStore,
        events: EventLogs,
        sandboxed: bool,
        clock: Clock,
    ) -> None:
        self._dossiers = dossiers
        self._artifacts = artifacts
        self._rounds = rounds
        self._runs = runs
        self._reviews = reviews
        self._events = events
        self._sandboxed = sandboxed
        self._clock = clock
        self._lock = threading.Lock()
        self._logs: dict[str, Logging | None] = {}

    def evidence(self, version: AlgorithmVersion) -> Evidence:
        """Everything that is known about `version` now."""
        key = (version.algorithm_id, version.digest)
        dossiers, rounds = self._dossiers.of(*key), self._rounds.of(*key, limit=_ROUNDS)
        dossier = dossiers[-1] if dossiers else None
        lock = version.environment_lock_sha256
        results = latest_results(dossier, dossiers=dossiers, rounds=rounds, lock_sha256=lock) if dossier else {}
        green = last_green(dossier, dossiers=dossiers, rounds=rounds, lock_sha256=lock) if dossier else None
        runs = self._runs.of(version, limit=_RUNS)
        benched = [one.run_ids[0] for one in results.values() if one.run_ids and one.comparisons]
        interface = Interface.from_dict(version.interface)
        return Evidence(
            version=version,
            interface=interface,
            now=self._clock(),
            dossier=dossier,
            documents=dict(self._documents(dossier)) if dossier else {},
            results=results,
            green_at=green,
            runs=runs,
            largest=self._runs.largest(version, interface),
            logging=self._logging(benched, runs),
            reviews=self._reviews.of(version),
            sandboxed=self._sandboxed,
        )

    def _documents(self, dossier: Dossier) -> Iterator[tuple[str, Document]]:
        """The files that stand in the algorithm's own folder; scenarios and references stand in folders below."""
        for path, address in dossier.files.items():
            if "/" in path:
                continue
            try:
                content = self._artifacts.read(address)
            except ArtifactDamaged:
                # As if it were not there: the operator is told, and the version is judged by what there is.
                log.exception("a file of a dossier is damaged")
                continue
            try:
                text = content.decode()
            except UnicodeDecodeError:
                text = ""
            yield path, Document(sha256=address, bytes=len(content), text=text)

    def _logging(self, benched: Sequence[str], runs: Sequence[RunFact]) -> Logging | None:
        """The log, of some runs that finished lately, that tells most; the platform's own runs first."""
        finished = [run.run_id for run in runs if run.outcome is RunStatus.FINISHED]
        logs = (self._log(run_id) for run_id in [*benched, *finished][:_TRIED])
        found = islice((made for made in logs if made is not None), _LOGS)
        return max(found, key=lambda one: (one.messages, one.cells), default=None)

    def _log(self, run_id: str) -> Logging | None:
        with self._lock:
            if run_id in self._logs:
                return self._logs[run_id]
        cells, messages, seen = 0, set(), 0
        for logged in self._events.read(run_id):
            seen += 1
            if seen > _MOST_EVENTS:
                break
            cells += logged.event.type is EventType.CELL_END
            if logged.event.type is EventType.PROGRESS and logged.event.message:
                messages.add(logged.event.message)
        made = Logging(run_id=run_id, cells=cells, messages=len(messages)) if seen else None
        with self._lock:
            if len(self._logs) >= _REMEMBERED:
                self._logs.clear()
            # The run has ended: its log changes no more.
            self._logs[run_id] = made
        return made
