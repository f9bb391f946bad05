"""Makers for tests: notebooks, callers, an identity without a hub, a whole marketplace in one folder."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from swath_quota.client import FakeQuotaClient
from swath_sandbox import Allow, SandboxUnavailable, check_isolation
from swath_service.actor import Actor, ActorKind, Scope

from swath_marketplace.api.app import make_app
from swath_marketplace.bootstrap import Marketplace, Settings, assemble
from swath_marketplace.criteria_files import shipped_criteria
from swath_marketplace.domain.assessments import Assessment, Cause, Result
from swath_marketplace.domain.clock import Clock, utc_now
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.runs import Run, Stage
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.executors.fake import FakeExecutor
from swath_marketplace.executors.fake_comparer import FakeComparer
from swath_marketplace.executors.protocol import Executor
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.gathering import RoundsOf
from swath_marketplace.store.assessments import AssessmentStore
from swath_marketplace.store.database import Database

PREFIX = "/services/marketplace/"
USER_SCOPES = frozenset({Scope.READ.value, Scope.PUBLISH.value, Scope.EXECUTE.value})


def user(name: str, *, scopes: Iterable[str] = USER_SCOPES) -> Actor:
    """A person."""
    return Actor(name=name, scopes=frozenset(scopes))


def operator(name: str = "root") -> Actor:
    """Somebody who may act for others."""
    return Actor(name=name, scopes=USER_SCOPES | {Scope.ADMINISTER.value})


def service(name: str = "robot") -> Actor:
    """A program of the platform."""
    return Actor(name=name, kind=ActorKind.SERVICE, scopes=USER_SCOPES)


def code(source: str, *, tags: Sequence[str] = ()) -> dict[str, Any]:
    """A code cell."""
    return {
        "cell_type": "code",
        "id": hashlib.sha256(source.encode()).hexdigest()[:12],
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def notebook(
    *cells: str,
    parameters: str = "# How many\nn: int = 3",
    name: str = "double",
    resources: Mapping[str, Any] | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    """A notebook that can be published: a parameters cell, then `cells`."""
    about = {
        "name": name,
        "title": "Doubles a number",
        "summary": "For tests",
        "license": "MIT",
        **({"resources": dict(resources)} if resources else {}),
        **metadata,
    }
    bodies = cells or ("import swath\n\nswath.emit('double', {'value': 2 * n})",)
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "swath": about,
        },
        "cells": [code(parameters, tags=["parameters"]), *map(code, bodies)],
    }


def write_environment(data: Path, *, python: str, name: str = "eo", lock: str = "lock", editable: bool = True) -> None:
    """An environment in the data folder that points at an interpreter elsewhere."""
    folder = data / "environments" / name
    folder.mkdir(parents=True, exist_ok=True)
    described = {
        "name": name,
        "title": name.upper(),
        "lock_sha256": hashlib.sha256(lock.encode()).hexdigest(),
        "python": python,
        "editable": editable,
    }
    (folder / "environment.json").write_text(json.dumps(described))


def given_up() -> frozenset[Allow]:
    """What of the sandbox cannot be had where the tests run: control groups, for a user whom nobody delegated any.

    Raises
    ------
    SandboxUnavailable
        When not even bubblewrap works.
    """
    try:
        check_isolation()
    except SandboxUnavailable:
        check_isolation({Allow.NO_CGROUPS})
        return frozenset({Allow.NO_CGROUPS})
    return frozenset()


@dataclass
class FakeIdentity:
    """An `Identity` whose tokens are the names of those who hold them."""

    actors: dict[str, Actor] = field(default_factory=dict)

    async def actor_for(self, token: str) -> Actor | None:
        return self.actors.get(token)


@dataclass(kw_only=True)
class World:
    """A marketplace over one data folder, with a fake quota service and, by default, a fake executor."""

    settings: Settings
    quota: FakeQuotaClient
    made: Marketplace
    identity: FakeIdentity

    @property
    def fake(self) -> FakeExecutor:
        """The executor, where it is the fake one."""
        assert isinstance(self.made.executor, FakeExecutor)
        return self.made.executor

    @property
    def runs(self) -> Any:
        """Its runs service."""
        return self.made.context.runs

    @property
    def registry(self) -> Any:
        """Its registry."""
        return self.made.context.registry

    def app(self) -> FastAPI:
        """Its HTTP face; the reconciler works only while the application's lifespan does."""
        return make_app(context=self.made.context, workers=self.made.workers, identity=self.identity, prefix=PREFIX)

    def run(self, run_id: str) -> Run:
        """The run as stored."""
        found = self.made.context.run_store.get(run_id)
        assert found is not None
        return found

    def prove(self, path: str, level: MaturityLevel, *, fresh_days: int | None = None) -> None:
        """Have the version ``owner/name@version`` assessed as if its evidence earned `level`, until a real one is.

        With `fresh_days` it loses the level so many days from now.
        """
        version = self.registry.version(user("ada"), path)
        criteria, now = shipped_criteria(), datetime.now(UTC)
        results = tuple(
            Result(
                level=one,
                criterion="scripted",
                title="What a test says",
                met=one.rank <= level.rank,
                told="scripted",
                mend="" if one.rank <= level.rank else "script it",
            )
            for one in MaturityLevel
        )
        AssessmentStore(self.made.database).add(
            Assessment(
                algorithm_id=version.algorithm_id,
                version_digest=version.digest,
                sequence=0,
                dossier_digest=None,
                environment_lock_sha256=version.environment_lock_sha256,
                criteria_version=criteria.version,
                criteria_sha256=criteria.sha256,
                cause=Cause.ROUND,
                results=results,
                fresh_days={} if fresh_days is None else {level: fresh_days},
                green_at=now,
                at=now,
            )
        )

    def look_until(self, run_id: str, *stages: Stage, seconds: float = 20) -> Run:
        """Let the reconciler look, in this thread, until the run is in one of `stages`; terminal by default."""
        deadline = time.monotonic() + seconds
        while True:
            run = self.run(run_id)
            if run.stage in (stages or (Stage.TERMINAL,)):
                return run
            if time.monotonic() > deadline:
                raise AssertionError(f"the run is still {run.stage.value} after {seconds} s")
            self.made.reconciler.look()
            time.sleep(0.01)


@cache
def _newest_sqlite() -> bytes:
    """An empty database as the migrations make it."""
    with tempfile.TemporaryDirectory(prefix="swath-newest-") as folder:
        path = Path(folder) / "marketplace.sqlite"
        database = Database(f"sqlite:///{path}")
        database.migrate()
        database.dispose()
        return path.read_bytes()


def begin_migrated(url: str) -> str:
    """Where there is no SQLite file at `url` yet, put one with the tables there: ten times quicker than migrating."""
    place = sa.make_url(url)
    if place.get_backend_name() == "sqlite" and place.database and not Path(place.database).exists():
        Path(place.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(place.database).write_bytes(_newest_sqlite())
    return url


def make_world(
    data: Path,
    *,
    database_url: str | None = None,
    quota: FakeQuotaClient | None = None,
    executor: Executor | None = None,
    comparer: Comparer | None = None,
    rounds: RoundsOf | None = None,
    clock: Clock = utc_now,
    **settings: Any,
) -> World:
    """A marketplace in `data`; a second call on the same folder is a restarted one."""
    given: dict[str, Any] = {"SWATH_DATA": data, "SWATH_MARKETPLACE_DATABASE_URL": database_url, **settings}
    chosen = Settings(**given)
    begin_migrated(chosen.url())
    quota = quota or FakeQuotaClient()
    executor = executor or FakeExecutor(RunFolders(data / "marketplace" / "runs"))
    made = assemble(
        chosen,
        quota=quota,
        executor=executor,
        comparer=comparer or FakeComparer(),
        rounds=rounds,
        clock=clock,
        prefix=PREFIX,
    )
    known = {name: user(name) for name in ("ada", "bob", "cyd")}
    identity = FakeIdentity({**known, "root": operator(), "robot": service()})
    return World(settings=chosen, quota=quota, made=made, identity=identity)
