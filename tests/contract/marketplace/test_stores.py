"""What the stores promise, on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from swath_marketplace.domain import transitions
from swath_marketplace.domain.algorithms import AlgorithmVersion, Resources
from swath_marketplace.domain.endings import Ending
from swath_marketplace.domain.errors import LeaseLost
from swath_marketplace.domain.fairness import Slots
from swath_marketplace.domain.runs import (
    ErrorInfo,
    OutputFile,
    RefusalInfo,
    Run,
    RunStatus,
    SettlementKind,
    Stage,
    Usage,
)
from swath_marketplace.store import tables
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.database import Database
from swath_marketplace.store.runs import RunStore

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
SLOTS = Slots(cpus=100, memory_mb=10**6, per_caller=100)


def a_version(number: str = "1.0.0", digest: str = "sha256:1") -> AlgorithmVersion:
    return AlgorithmVersion(
        algorithm_id="",
        owner="ada",
        name="double",
        version=number,
        digest=digest,
        notebook_sha256="0" * 64,
        interface={"parameters": [], "outputs": []},
        metadata={"title": "Doubles", "summary": "ünï", "keywords": ["a"]},
        environment="eo",
        environment_lock_sha256="1" * 64,
        resources=Resources(cpus=0.5, dask=True),
        published_at=NOW,
    )


def publish(database: Database, version: AlgorithmVersion | None = None) -> AlgorithmVersion:
    made = version or a_version()
    stored, _ = AlgorithmStore(database).publish(
        owner="ada", name="double", at=NOW, decide=lambda algorithm_id, _: replace(made, algorithm_id=algorithm_id)
    )
    return stored


@pytest.fixture
def algorithm_id(database: Database) -> str:
    return publish(database).algorithm_id


@pytest.fixture
def store(database: Database) -> RunStore:
    return RunStore(database)


@pytest.fixture
def make(store: RunStore, algorithm_id: str) -> Callable[..., Run]:
    def made(run_id: str, *, caller: str = "bob", key: str | None = None, **more: Any) -> Run:
        run = Run(
            id=run_id,
            algorithm_id=algorithm_id,
            owner="ada",
            name="double",
            version="1.0.0",
            digest="sha256:1",
            caller=caller,
            parameters={"text": "ü\u0000", "n": 1.5},
            resources=Resources(),
            quote_millicredits=10**12,
            created_at=more.pop("created_at", NOW),
        )
        return store.create(run, key=key, request_sha256=more.pop("sha256", "s"), holder="me", until=LATER)[0]

    return made


def test_tables_are_what_the_migrations_make(database: Database) -> None:
    database.migrate()
    with database.read() as connection:
        # Words to search for stand in tables of the database's own kind, which models do not tell.
        opts = {
            "version_table": "marketplace_alembic_version",
            "include_name": lambda name, kind, _: not (kind == "table" and name.startswith("search_words")),
        }
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, tables.Base.metadata) == []


def test_two_processes_may_migrate_at_once(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    failures: list[BaseException] = []

    def migrate(database: Database) -> None:
        try:
            database.migrate()
        except BaseException as error:
            failures.append(error)

    _at_once([lambda database=database: migrate(database) for database in databases])
    for database in databases:
        database.dispose()
    assert failures == []


def test_a_version_comes_back_as_it_was(database: Database) -> None:
    stored = publish(database)
    found = AlgorithmStore(database).get("ada", "double")
    assert found
    assert found.versions == (stored,)
    assert found.latest == stored
    assert (found.title, found.summary, found.keywords) == ("Doubles", "ünï", ("a",))


CHANGES = {
    "digest": "UPDATE versions SET digest = 'sha256:2'",
    "interface": "UPDATE versions SET interface = '{}'",
    "delete": "DELETE FROM versions",
    "number": "UPDATE versions SET version = '9.9.9'",
}


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES)
def test_sql_itself_refuses_to_change_a_version(database: Database, statement: str) -> None:
    publish(database)
    with pytest.raises(sa.exc.DBAPIError, match="never changes"), database.write() as connection:
        connection.execute(sa.text(statement))


def test_a_yank_is_for_good(database: Database) -> None:
    stored = publish(database)
    AlgorithmStore(database).yank(stored, reason="wrong", at=NOW)
    statement = "UPDATE versions SET yanked_at = NULL, yank_reason = NULL"
    with pytest.raises(sa.exc.DBAPIError, match="never changes"), database.write() as connection:
        connection.execute(sa.text(statement))
    found = AlgorithmStore(database).get("ada", "double")
    assert found
    assert (found.versions[0].yanked_at, found.latest) == (NOW, None)


def test_a_publication_that_fails_leaves_nothing(database: Database) -> None:
    def decide(*_: Any) -> AlgorithmVersion:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        AlgorithmStore(database).publish(owner="ada", name="double", at=NOW, decide=decide)
    assert AlgorithmStore(database).get("ada", "double") is None


def test_publishers_are_put_in_a_row(database: Database) -> None:
    store = AlgorithmStore(database)

    def one(digest: str) -> None:
        store.publish(
            owner="ada",
            name="double",
            at=NOW,
            decide=lambda algorithm_id, versions: replace(
                a_version(f"1.0.{len(versions)}", digest), algorithm_id=algorithm_id
            ),
        )

    _at_once([lambda number=number: one(f"sha256:{number}") for number in range(12)])
    found = store.get("ada", "double")
    assert found
    assert [version.version for version in found.versions] == [f"1.0.{number}" for number in reversed(range(12))]


def test_a_run_comes_back_as_it_was(store: RunStore, make: Callable[..., Run]) -> None:
    run = make("r1")
    assert run == store.get("r1")
    assert (run.parameters, run.created_at) == ({"text": "ü\u0000", "n": 1.5}, NOW)
    for step in (
        lambda run: transitions.held(run, at=NOW),
        lambda run: transitions.slotted(run, at=NOW),
        lambda run: transitions.with_handle(run, {"warden": {"pid": 1, "boot_id": "b"}}),
        lambda run: transitions.started(
            run, at=NOW + timedelta(microseconds=5), environment={"name": "eo", "inventory_sha256": None}
        ),
        transitions.process_over,
        lambda run: transitions.ended(
            run,
            Ending(outcome=RunStatus.ERROR, error=ErrorInfo(code="cell-failed", message="m", cell=3, traceback="t")),
            usage=Usage(cpu_seconds=1.25, wall_seconds=2.5, memory_mb=3, peak_memory_bytes=4),
            outputs=(OutputFile(name="a", media_type="text/csv", bytes=2**40, sha256="0" * 64),),
            inputs=({"collection": "c"},),
            observation={"complete": True},
        ),
        lambda run: transitions.settled(run, SettlementKind.CAPTURED, captured=77, at=LATER),
    ):
        run = store.save(step(run))
        assert store.get("r1") == run


def test_a_refused_run_comes_back(store: RunStore, make: Callable[..., Run]) -> None:
    refusal = RefusalInfo(code="credits-exhausted", message="m", retry_at="2026-02-01T00:00:00Z")
    run = store.save(transitions.refused(make("r1"), refusal, at=NOW))
    assert store.get("r1") == run
    assert [event.status for event in store.status_events("r1")] == [RunStatus.CREATED, RunStatus.ERROR]


def test_sql_itself_refuses_a_terminal_run_that_is_not_settled(database: Database, make: Callable[..., Run]) -> None:
    make("r1")
    statement = tables.runs.update().values(stage="terminal", outcome="finished")
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(statement)


def test_a_terminal_run_is_never_written_again(store: RunStore, make: Callable[..., Run]) -> None:
    done = store.save(transitions.refused(make("r1"), RefusalInfo(code="no", message="no"), at=NOW))
    with pytest.raises(LeaseLost):
        store.save(done)
    store.want_canceled("r1")
    assert store.get("r1") == done


def test_one_key_is_one_run_however_many_ask_at_once(store: RunStore, make: Callable[..., Run]) -> None:
    ids: list[str] = []
    _at_once([lambda number=number: ids.append(make(f"r{number}", key="k").id) for number in range(12)])
    assert len(set(ids)) == 1
    assert store.list(caller="bob", limit=50, offset=0)[1] == 1
    assert make("other", caller="cyd", key="k").id == "other"


def test_a_run_is_claimed_by_one(store: RunStore, make: Callable[..., Run]) -> None:
    for number in range(30):
        make(f"r{number}")
    after = LATER + timedelta(seconds=1)
    claimed: dict[str, list[str]] = {}

    def claim(holder: str) -> None:
        claimed[holder] = list(store.claim(holder=holder, now=after, until=after + timedelta(minutes=1), limit=9))

    _at_once([lambda holder=f"h{number}": claim(holder) for number in range(6)])
    counts = Counter(run_id for ids in claimed.values() for run_id in ids)
    assert set(counts.values()) == {1}
    for holder, ids in claimed.items():
        assert {run.id for run, _ in store.leased(holder)} == set(ids)


def test_a_lease_is_respected_until_it_is_over(store: RunStore, make: Callable[..., Run]) -> None:
    run = make("r1")
    assert store.claim(holder="other", now=NOW, until=LATER) == []
    store.renew("me", until=LATER + timedelta(minutes=1))
    assert store.claim(holder="other", now=LATER + timedelta(seconds=1), until=LATER) == []
    assert list(store.holders()) == ["me"]
    store.let_go("me")
    assert store.claim(holder="other", now=NOW, until=LATER) == ["r1"]
    with pytest.raises(LeaseLost):
        store.save(transitions.held(run, at=NOW))


def test_a_waiting_run_is_claimed_only_when_its_end_is_wanted(store: RunStore, make: Callable[..., Run]) -> None:
    store.save(transitions.held(make("r1"), at=NOW), keep_lease=False)
    assert store.claim(holder="other", now=NOW, until=LATER) == []
    store.want_canceled("r1")
    assert store.claim(holder="other", now=NOW, until=LATER) == ["r1"]


def test_slots_are_given_out_once_however_many_ask_at_once(store: RunStore, make: Callable[..., Run]) -> None:
    for number in range(20):
        store.save(transitions.held(make(f"r{number}", caller=f"c{number}"), at=NOW), keep_lease=False)
    slots = Slots(cpus=7, memory_mb=10**6)
    given: list[str] = []
    _at_once(
        [
            lambda holder=f"h{number}": given.extend(store.admit(holder=holder, until=LATER, now=NOW, slots=slots))
            for number in range(6)
        ]
    )
    assert len(given) == len(set(given)) == 7
    active = store.list(caller=None, statuses=[RunStatus.QUEUED], limit=50, offset=0)[0]
    assert Counter(run.stage for run in active) == {Stage.STARTING: 7, Stage.HELD: 13}


def test_the_caller_who_took_least_is_next(store: RunStore, make: Callable[..., Run]) -> None:
    served = store.save(transitions.held(make("r1", caller="bob"), at=NOW), keep_lease=False)
    assert store.admit(holder="me", until=LATER, now=NOW, slots=SLOTS) == ["r1"]
    served = store.get("r1")  # type: ignore[assignment]
    ending = Ending(outcome=RunStatus.FINISHED)
    for step in (
        lambda run: transitions.started(run, at=NOW),
        transitions.process_over,
        lambda run: transitions.ended(run, ending, usage=Usage(wall_seconds=10), outputs=()),
    ):
        served = store.save(step(served))
    for run_id, caller, at in (("r2", "bob", NOW), ("r3", "cyd", LATER)):
        store.save(transitions.held(make(run_id, caller=caller, created_at=at), at=at), keep_lease=False)
    assert store.admit(holder="me", until=LATER, now=NOW, slots=Slots(cpus=1, memory_mb=10**6)) == ["r3"]


STEPS: dict[RunStatus, list[Callable[[Run], Run]]] = {
    RunStatus.CREATED: [],
    RunStatus.QUEUED: [lambda run: transitions.held(run, at=NOW)],
    RunStatus.RUNNING: [
        lambda run: transitions.held(run, at=NOW),
        lambda run: transitions.slotted(run, at=NOW),
        lambda run: transitions.started(run, at=NOW),
    ],
    RunStatus.CANCELED: [
        lambda run: transitions.never_started(run, RunStatus.CANCELED),
        lambda run: transitions.settled(run, SettlementKind.RELEASED, captured=0, at=NOW),
    ],
    RunStatus.ERROR: [lambda run: transitions.refused(run, RefusalInfo(code="no", message="no"), at=NOW)],
}


def test_a_list_finds_runs_by_the_status_that_callers_see(store: RunStore, make: Callable[..., Run]) -> None:
    for status, steps in STEPS.items():
        run = make(status.value)
        for step in steps:
            run = store.save(step(run))
        assert run.status is status
    # On its way out without having been held: still what it was.
    store.save(transitions.never_started(make("leaving"), RunStatus.CANCELED))
    expected = {status: {status.value} for status in STEPS} | {RunStatus.CREATED: {"created", "leaving"}}
    for status, ids in expected.items():
        found, total = store.list(caller="bob", statuses=[status], limit=10, offset=0)
        assert {run.id for run in found} == ids
        assert {run.status for run in found} == {status}
        assert total == len(ids)
    assert store.list(caller="bob", statuses=[RunStatus.FINISHED, RunStatus.ERROR], limit=10, offset=0)[1] == 1
    assert store.list(caller="nobody", limit=10, offset=0) == ([], 0)


def test_pages_are_newest_first(store: RunStore, make: Callable[..., Run]) -> None:
    for number in range(5):
        make(f"r{number}", created_at=NOW + timedelta(seconds=number))
    page, total = store.list(caller=None, limit=2, offset=1)
    assert ([run.id for run in page], total) == (["r3", "r2"], 5)


def _at_once(tasks: list[Callable[[], Any]]) -> None:
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> None:
        start.wait()
        task()

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
