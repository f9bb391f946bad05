"""What the door of OGC API - Processes remembers, on each kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from swath_marketplace.domain.executions import (
    PLAIN,
    Execution,
    JobFilter,
    JobStatus,
    ResponseForm,
    Transmission,
    WantedOutput,
)
from swath_marketplace.domain.runs import Run, Stage
from swath_marketplace.services.executions import job_status
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.store.ogc import ExecutionStore, PackageStore
from swath_marketplace.testing import World, notebook, user

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
WISH = Execution(
    response=ResponseForm.RAW,
    outputs=(WantedOutput(name="double", transmission=Transmission.REFERENCE), WantedOutput(name="other")),
    origin="https://eo.example.org",
)


@pytest.fixture
def store(world: World) -> ExecutionStore:
    return ExecutionStore(world.made.database)


def start(world: World, *, until: Stage | None = Stage.TERMINAL, who: str = "bob") -> Run:
    world.registry.publish(user("ada"), notebook())
    run, _ = world.runs.create(user(who), RunRequest(algorithm="ada/double", parameters={}))
    return world.look_until(run.id, until) if until else run


def test_the_first_word_about_a_run_stands(world: World, store: ExecutionStore) -> None:
    run = start(world)
    assert store.known(run.id) is None
    assert store.of([run.id, "another"]) == {run.id: PLAIN, "another": PLAIN}
    store.add(run.id, WISH)
    store.add(run.id, Execution())
    assert store.known(run.id) == store.of([run.id])[run.id] == WISH


def test_a_run_is_dismissed_once(world: World, store: ExecutionStore) -> None:
    wished, plain = start(world), start(world)
    store.add(wished.id, WISH)
    for run in (wished, plain):
        store.dismiss(run.id, at=NOW)
        store.dismiss(run.id, at=NOW + timedelta(hours=1))
    found = store.of([wished.id, plain.id])
    assert {one.dismissed_at for one in found.values()} == {NOW}
    assert (found[wished.id].outputs, found[plain.id].response) == (WISH.outputs, ResponseForm.DOCUMENT)


def test_a_page_holds_what_its_filter_says(world: World, store: ExecutionStore) -> None:
    over, dismissed, alien = start(world), start(world), start(world, who="cyd")
    world.fake.hold_back = True
    running, canceled = start(world, until=Stage.RUNNING), start(world, until=Stage.RUNNING)
    waiting = start(world, until=None)
    store.dismiss(dismissed.id, at=NOW)
    world.made.context.run_store.want_canceled(canceled.id)
    mine = {run.id: run for run in (over, dismissed, running, canceled, waiting)}

    def found(wanted: JobFilter, *, after: Run | None = None, limit: int = 10) -> list[str]:
        place = (after.created_at, after.id) if after else None
        page = store.page(caller="bob", wanted=wanted, after=place, limit=limit)
        # What is found by a status is told with it: SQL and the domain say the same.
        assert all(not wanted.statuses or job_status(*one).value in wanted.statuses for one in page)
        return [run.id for run, _ in page]

    everything = found(JobFilter())
    assert set(everything) == mine.keys()
    assert alien.id not in everything
    by_status = {status: found(JobFilter(statuses=frozenset({status.value}))) for status in JobStatus}
    assert by_status == {
        JobStatus.ACCEPTED: [waiting.id],
        JobStatus.RUNNING: [running.id],
        JobStatus.SUCCESSFUL: [over.id],
        JobStatus.FAILED: [],
        JobStatus.DISMISSED: [run_id for run_id in everything if run_id in (dismissed.id, canceled.id)],
    }
    assert found(JobFilter(algorithms=(("ada", "double"),))) == everything
    assert found(JobFilter(algorithms=(("ada", "other"),))) == found(JobFilter(algorithms=())) == []
    first = mine[everything[0]]
    assert found(JobFilter(), limit=2) == everything[:2]
    assert found(JobFilter(), after=first) == everything[1:]
    assert found(JobFilter(created_from=first.created_at)) == [first.id]
    assert found(JobFilter(created_until=mine[everything[-1]].created_at)) == [everything[-1]]
    assert waiting.id not in found(JobFilter(least_seconds=0))


def test_the_first_package_of_a_version_stands(world: World) -> None:
    store = PackageStore(world.made.database)
    version = world.registry.publish(user("ada"), notebook()).version
    assert store.of(version) is None
    store.add(version, sha256="a" * 64, media_type="application/ogcapppkg+json", at=NOW)
    store.add(version, sha256="b" * 64, media_type="application/x-ipynb+json", at=NOW)
    assert store.of(version) == ("a" * 64, "application/ogcapppkg+json")
