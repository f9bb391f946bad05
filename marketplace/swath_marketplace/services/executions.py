"""Executions: runs as the door of OGC API - Processes asks for them, lists them and dismisses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from swath_service.actor import Actor, ActorKind, Scope

from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.executions import Execution, JobFilter, JobStatus, Subscriber
from swath_marketplace.domain.runs import Desired, Run, RunStatus
from swath_marketplace.services.runs import RunRequest, Runs
from swath_marketplace.store.ogc import ExecutionStore

_AT_ONCE = 200
_WORDS = {
    RunStatus.CREATED: JobStatus.ACCEPTED,
    RunStatus.QUEUED: JobStatus.ACCEPTED,
    RunStatus.RUNNING: JobStatus.RUNNING,
    RunStatus.FINISHED: JobStatus.SUCCESSFUL,
    RunStatus.ERROR: JobStatus.FAILED,
    RunStatus.CANCELED: JobStatus.DISMISSED,
}


def job_status(run: Run, execution: Execution) -> JobStatus:
    """How far a run is, in the standard's words. What is to be cancelled is dismissed from that moment on."""
    if execution.dismissed_at is not None or (not run.terminal and run.desired is Desired.CANCELED):
        return JobStatus.DISMISSED
    return _WORDS[run.status]


class Executions:
    """Runs with how they want to be answered, for whoever may see them."""

    def __init__(self, *, runs: Runs, store: ExecutionStore, clock: Clock) -> None:
        self._runs = runs
        self._store = store
        self._clock = clock

    def execute(
        self,
        actor: Actor,
        algorithm: str,
        *,
        parameters: Mapping[str, Any],
        execution: Execution,
        subscriber: Subscriber | None = None,
        key: str | None = None,
    ) -> Run:
        """Start a run that is answered as `execution` says; the same `key` with the same request is the same run.

        Raises
        ------
        Invalid, KeyReused, AddressRefused, RunRefused, NotFound, VersionYanked, EnvironmentGone
            As `Runs.create`.
        """
        callbacks = subscriber.callbacks if subscriber else ()
        request = RunRequest(algorithm=algorithm, parameters=parameters, callbacks=callbacks)
        run, _ = self._runs.create(actor, request, key=key)
        self._store.add(run.id, execution)
        return run

    def get(self, actor: Actor, run_id: str) -> tuple[Run, Execution]:
        """A run and how it is answered.

        Raises
        ------
        NotFound
            Also when it is another caller's.
        """
        run = self._runs.get(actor, run_id)
        return run, self._store.of([run.id])[run.id]

    def list(
        self, actor: Actor, wanted: JobFilter, *, after: str | None, limit: int
    ) -> tuple[Sequence[tuple[Run, Execution]], str | None]:
        """A page of the caller's runs, newest first, and where the next one begins, ``None`` at the end.

        Parameters
        ----------
        after
            Where the page before ended: id of its last run.

        Raises
        ------
        NotFound
            When `after` is no run of the caller's.
        """
        actor.require(Scope.READ)
        if actor.kind is not ActorKind.USER:
            return [], None
        last = self._runs.get(actor, after) if after else None
        place = (last.created_at, last.id) if last else None
        found: list[tuple[Run, Execution]] = []
        now = self._clock()
        while True:
            page = self._store.page(caller=actor.name, wanted=wanted, after=place, limit=_AT_ONCE)
            for run, execution in page:
                if not _long_enough(run, wanted, now=now):
                    continue
                if len(found) == limit:
                    return found, found[-1][0].id
                found.append((run, execution))
            if len(page) < _AT_ONCE:
                return found, None
            place = (page[-1][0].created_at, page[-1][0].id)

    def dismiss(self, actor: Actor, run_id: str) -> tuple[Run, Execution]:
        """Cancel a run that goes on; show one that is over as dismissed from now on. It is not deleted: its receipt,
        and the money paid for it, stay what they are.

        Raises
        ------
        NotFound, Forbidden
        """
        run = self._runs.cancel(actor, run_id)
        self._store.dismiss(run.id, at=self._clock())
        return self.get(actor, run_id)


def _long_enough(run: Run, wanted: JobFilter, *, now: datetime) -> bool:
    if wanted.least_seconds is None and wanted.most_seconds is None:
        return True
    if run.started_at is None:
        return False
    took = ((run.ended_at or now) - run.started_at).total_seconds()
    return (wanted.least_seconds is None or took >= wanted.least_seconds) and (
        wanted.most_seconds is None or took <= wanted.most_seconds
    )
