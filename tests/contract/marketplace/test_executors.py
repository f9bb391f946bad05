"""What every executor promises the reconciler: the fake one and the sandbox of this machine."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from swath_marketplace.domain.algorithms import AlgorithmVersion, Environment, Resources
from swath_marketplace.domain.runs import Run, Stage
from swath_marketplace.executors.fake import FakeExecutor, process_end
from swath_marketplace.executors.local import LocalExecutor, LocalSettings
from swath_marketplace.executors.protocol import Executor, Going, Package, Seen, StartFailed
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.testing import given_up, notebook
from swath_sandbox import UidRegistry, warden

RUN = Run(
    id="a1",
    algorithm_id="x",
    owner="ada",
    name="double",
    version="1.0.0",
    digest="sha256:1",
    caller="bob",
    parameters={},
    resources=Resources(memory_mb=1024, wall_seconds=120),
    quote_millicredits=1,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    stage=Stage.STARTING,
)
LONG = "import time\nprint('begun')\ntime.sleep(100)"


@dataclass
class Bench:
    """An executor, and how to make another one of the same kind over the same folder, as after a restart."""

    executor: Executor
    package: Package
    again: Any
    run: Run


def _package(book: dict[str, Any]) -> Package:
    from swath.contract.digest import canonical_json

    version = AlgorithmVersion(
        algorithm_id="x",
        owner="ada",
        name="double",
        version="1.0.0",
        digest="sha256:1",
        notebook_sha256="0" * 64,
        interface={"parameters": [], "outputs": []},
        metadata={},
        environment="eo",
        environment_lock_sha256="0" * 64,
        resources=RUN.resources,
        published_at=RUN.created_at,
    )
    environment = Environment(name="eo", title="EO", lock_sha256="0" * 64, python=sys.executable, editable=True)
    return Package(version=version, notebook=canonical_json(book), environment=environment)


@pytest.fixture(params=["fake", pytest.param("local", marks=pytest.mark.integration)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Over a run that would go on for long."""
    folders, package = RunFolders(tmp_path / "runs"), _package(notebook(LONG, parameters=""))
    if request.param == "fake":
        fake = FakeExecutor(folders, script=lambda run, folder: process_end())
        fake.hold_back = True
        yield Bench(executor=fake, package=package, again=lambda: fake, run=RUN)
        return

    def make() -> LocalExecutor:
        return LocalExecutor(
            folders=folders,
            uids=UidRegistry(tmp_path / "uids" / "uids.json"),
            settings=LocalSettings(archive=None, grace_seconds=1, allow=given_up()),
        )

    # Control groups are the machine's: two tests at once must not share a name.
    run = replace(RUN, id=f"{RUN.id}{time.monotonic_ns()}")
    yield Bench(executor=make(), package=package, again=make, run=run)
    make().stop(run)
    _until(make(), run, Seen.ENDED, Seen.NEVER, Seen.LOST)


def _start(executor: Executor, bench: Bench) -> dict[str, Any]:
    handles: dict[str, Any] = {}
    for handle in executor.start(bench.run, bench.package):
        handles |= handle
    return handles


def _seen(executor: Executor, run: Run) -> Seen:
    return executor.check([run])[run.id].seen


def _until(executor: Executor, run: Run, *wanted: Seen, seconds: float = 30) -> Seen:
    deadline = time.monotonic() + seconds
    while (seen := _seen(executor, run)) not in wanted:
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(0.02)
    return seen


def test_nothing_is_there_before_a_start(bench: Bench) -> None:
    assert _seen(bench.executor, bench.run) is Seen.NEVER


def test_a_stop_ends_it_and_may_be_repeated(bench: Bench) -> None:
    _start(bench.executor, bench)
    assert _seen(bench.executor, bench.run) is Seen.RUNNING
    bench.executor.stop(bench.run)
    bench.executor.stop(bench.run)
    _until(bench.executor, bench.run, Seen.ENDED)
    bench.executor.stop(bench.run)
    end = bench.executor.check([bench.run])[bench.run.id].end
    assert end
    assert end.reason == "stopped"
    assert end.wall_seconds > 0


def test_starting_again_finds_the_first_start(bench: Bench) -> None:
    first = _start(bench.executor, bench)
    assert _start(bench.again(), bench) == first
    bench.executor.stop(bench.run)
    _until(bench.executor, bench.run, Seen.ENDED)
    assert _start(bench.again(), bench) == first, "a run that has ended is not started again"
    assert _seen(bench.executor, bench.run) is Seen.ENDED


def test_starting_at_once_from_many_sides_starts_once(bench: Bench) -> None:
    found: list[dict[str, Any]] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        barrier.wait()
        found.append(_start(bench.again(), bench))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(handles == found[0] for handles in found)


def test_a_start_cut_off_at_its_first_handle_can_be_gone_on_with(bench: Bench) -> None:
    cut = bench.executor.start(bench.run, bench.package)
    next(iter(cut))
    cut.close()  # type: ignore[attr-defined]
    assert _start(bench.again(), bench)
    assert _seen(bench.executor, bench.run) is Seen.RUNNING


def test_what_was_stopped_before_its_start_is_never_started(bench: Bench) -> None:
    bench.executor.stop(bench.run)
    with pytest.raises(StartFailed):
        _start(bench.again(), bench)
    assert _seen(bench.executor, bench.run) is Seen.NEVER


def test_forgetting_may_be_repeated(bench: Bench) -> None:
    _start(bench.executor, bench)
    bench.executor.stop(bench.run)
    _until(bench.executor, bench.run, Seen.ENDED)
    bench.executor.forget(bench.run)
    bench.executor.forget(bench.run)
    assert _seen(bench.again(), bench.run) is Seen.ENDED


@pytest.mark.integration
def test_a_stop_between_prepare_and_launch_wins(tmp_path: Path) -> None:
    """A service that was asleep between writing the folder and launching finds that it may not."""
    folders = RunFolders(tmp_path / "runs")
    executor = LocalExecutor(
        folders=folders,
        uids=UidRegistry(tmp_path / "uids.json"),
        settings=LocalSettings(archive=None, allow=given_up()),
    )
    run = replace(RUN, id=f"{RUN.id}{time.monotonic_ns()}")
    folder, package = folders.of(run.id), _package(notebook(parameters=""))
    uid = UidRegistry(tmp_path / "uids.json").uid_for(f"run:{run.id}")
    folder.prepare(spec={}, notebook=b"{}", uid=uid)
    warden.prepare(folder.warden, executor._job(run, package, folder=folder, uid=uid))
    executor.stop(run)
    with pytest.raises((OSError, warden.SandboxError)):
        warden.launch(folder.warden)
    assert _seen(executor, run) is Seen.NEVER


def test_forgetting_what_never_started_does_nothing(bench: Bench) -> None:
    bench.executor.forget(bench.run)
    bench.executor.stop(bench.run)
    bench.executor.forget(bench.run)
    assert _seen(bench.executor, bench.run) is Seen.NEVER


def test_what_a_run_takes_is_told_while_it_runs(bench: Bench) -> None:
    assert bench.executor.usage(bench.run) is None
    _start(bench.executor, bench)
    if isinstance(bench.executor, FakeExecutor):
        bench.executor.going[bench.run.id] = Going(wall_seconds=1, cpu_seconds=0.5)
    first = _going(bench.again(), bench.run, cpu_above=0.0)
    if isinstance(bench.executor, FakeExecutor):
        bench.executor.going[bench.run.id] = Going(wall_seconds=2, cpu_seconds=0.6)
    later = _going(bench.again(), bench.run, cpu_above=first.cpu_seconds or 0.0)
    assert later.wall_seconds > first.wall_seconds > 0
    bench.executor.stop(bench.run)
    _until(bench.executor, bench.run, Seen.ENDED)
    end = bench.executor.check([bench.run])[bench.run.id].end
    assert end
    if not isinstance(bench.executor, FakeExecutor):
        assert later.wall_seconds < end.wall_seconds, "by the same clock as the end"
        assert (later.cpu_seconds or 0.0) <= end.cpu_seconds


def _going(executor: Executor, run: Run, *, cpu_above: float, seconds: float = 30) -> Going:
    """What `run` takes, once it has taken some processor time; where nothing measures that, as it is."""
    deadline = time.monotonic() + seconds
    while True:
        going = executor.usage(run)
        if going is not None and (going.cpu_seconds is None or going.cpu_seconds > cpu_above):
            return going
        assert time.monotonic() < deadline, going
        time.sleep(0.02)


def test_a_request_to_checkpoint_stands_as_it_first_came(bench: Bench, tmp_path: Path) -> None:
    bench.executor.ask_checkpoint(bench.run, {"code": "early"})
    _start(bench.executor, bench)
    bench.executor.ask_checkpoint(bench.run, {"code": "budget-reached"})
    bench.again().ask_checkpoint(bench.run, {"code": "another"})
    control = tmp_path / "runs" / bench.run.id / "control" / "checkpoint.json"
    assert json.loads(control.read_text()) == {"code": "budget-reached"}
    bench.executor.stop(bench.run)
    _until(bench.executor, bench.run, Seen.ENDED)
    bench.executor.ask_checkpoint(bench.run, {"code": "late"})
