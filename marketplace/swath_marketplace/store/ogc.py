"""What the door of OGC API - Processes remembers, in SQL: executions, lists of jobs, deployed packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.executions import (
    PLAIN,
    Execution,
    JobFilter,
    JobStatus,
    ResponseForm,
    WantedOutput,
)
from swath_marketplace.domain.runs import Desired, Run, RunStatus, Stage
from swath_marketplace.store.database import Database
from swath_marketplace.store.ogc_tables import executions, packages
from swath_marketplace.store.run_rows import run_of, status_is
from swath_marketplace.store.tables import runs


class ExecutionStore:
    """How runs want to be answered; a run without a row came through another door (`PLAIN`).

    Promises: `add` and `dismiss` are idempotent, from several processes at once too.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, run_id: str, execution: Execution) -> None:
        """Remember how `run_id` is answered; the first word stands."""
        values = {"run_id": run_id, **_values(execution)}
        with self._database.write() as connection:
            connection.execute(self._insert().values(values).on_conflict_do_nothing())

    def dismiss(self, run_id: str, *, at: datetime) -> None:
        """Note that the caller wants to hear no more of it; the first time stands."""
        values = {"run_id": run_id, **_values(PLAIN), "dismissed_at": at}
        first = sa.func.coalesce(executions.c.dismissed_at, at)
        with self._database.write() as connection:
            connection.execute(
                self._insert()
                .values(values)
                .on_conflict_do_update(index_elements=["run_id"], set_={"dismissed_at": first})
            )

    def of(self, run_ids: Sequence[str]) -> Mapping[str, Execution]:
        """The execution of each run."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(executions).where(executions.c.run_id.in_(run_ids))).all()
        found = {row.run_id: _execution(row) for row in rows}
        return {run_id: found.get(run_id, PLAIN) for run_id in run_ids}

    def known(self, run_id: str) -> Execution | None:
        """The execution of a run that came through this door, or was dismissed here."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(executions).where(executions.c.run_id == run_id)).one_or_none()
        return None if row is None else _execution(row)

    def page(
        self, *, caller: str, wanted: JobFilter, after: tuple[datetime, str] | None, limit: int
    ) -> Sequence[tuple[Run, Execution]]:
        """Up to `limit` runs of `caller` that `wanted` admits but for durations, newest first, those after `after`.

        Parameters
        ----------
        after
            Time of creation and id of the last one seen.
        """
        conditions = [runs.c.caller == caller, *_conditions(wanted)]
        if after is not None:
            at, run_id = after
            conditions.append(sa.or_(runs.c.created_at < at, sa.and_(runs.c.created_at == at, runs.c.id > run_id)))
        joined = sa.outerjoin(runs, executions, executions.c.run_id == runs.c.id)
        query = (
            sa.select(runs)
            .select_from(joined)
            .where(*conditions)
            .order_by(runs.c.created_at.desc(), runs.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            found = [run_of(row) for row in connection.execute(query)]
        known = self.of([run.id for run in found])
        return [(run, known[run.id]) for run in found]

    def _insert(self) -> Any:
        return (sqlite.insert if self._database.is_sqlite else postgresql.insert)(executions)


class PackageStore:
    """Which package a version was deployed with."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, version: AlgorithmVersion, *, sha256: str, media_type: str, at: datetime) -> None:
        """Remember it; the first one stands, as the version does."""
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        values = {
            "algorithm_id": version.algorithm_id,
            "version": version.version,
            "sha256": sha256,
            "media_type": media_type,
            "stored_at": at,
        }
        with self._database.write() as connection:
            connection.execute(insert(packages).values(values).on_conflict_do_nothing())

    def of(self, version: AlgorithmVersion) -> tuple[str, str] | None:
        """Address and media type of the package that `version` was deployed with."""
        wanted = (packages.c.algorithm_id == version.algorithm_id, packages.c.version == version.version)
        with self._database.read() as connection:
            row = connection.execute(sa.select(packages).where(*wanted)).one_or_none()
        return None if row is None else (row.sha256, row.media_type)


def _values(execution: Execution) -> dict[str, Any]:
    return {
        "response": execution.response.value,
        "outputs": [output.as_dict() for output in execution.outputs],
        "origin": execution.origin,
        "dismissed_at": execution.dismissed_at,
    }


def _execution(row: sa.Row[Any]) -> Execution:
    return Execution(
        response=ResponseForm(row.response),
        outputs=tuple(WantedOutput.from_dict(output) for output in row.outputs),
        origin=row.origin,
        dismissed_at=row.dismissed_at,
    )


def _conditions(wanted: JobFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.statuses:
        conditions.append(sa.or_(*(_status_is(JobStatus(status)) for status in sorted(wanted.statuses))))
    if wanted.algorithms is not None:
        named = [sa.and_(runs.c.owner == owner, runs.c.name == name) for owner, name in wanted.algorithms]
        conditions.append(sa.or_(sa.false(), *named))
    if wanted.created_from is not None:
        conditions.append(runs.c.created_at >= wanted.created_from)
    if wanted.created_until is not None:
        conditions.append(runs.c.created_at <= wanted.created_until)
    if wanted.least_seconds is not None or wanted.most_seconds is not None:
        conditions.append(runs.c.started_at.is_not(None))
    return conditions


def _status_is(status: JobStatus) -> sa.ColumnElement[bool]:
    """The condition under which `services.executions.job_status` is `status`."""
    asked_off = sa.and_(runs.c.stage != Stage.TERMINAL.value, runs.c.desired == Desired.CANCELED.value)
    dismissed = sa.or_(executions.c.dismissed_at.is_not(None), asked_off, status_is(RunStatus.CANCELED))
    if status is JobStatus.DISMISSED:
        return dismissed
    told = {
        JobStatus.ACCEPTED: (RunStatus.CREATED, RunStatus.QUEUED),
        JobStatus.RUNNING: (RunStatus.RUNNING,),
        JobStatus.SUCCESSFUL: (RunStatus.FINISHED,),
        JobStatus.FAILED: (RunStatus.ERROR,),
    }[status]
    # NULL-safe: a run without a row was not dismissed.
    return sa.and_(executions.c.dismissed_at.is_(None), ~asked_off, sa.or_(*(status_is(one) for one in told)))
