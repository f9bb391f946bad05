"""Rounds of benchmarks over each database: green, red, mended, slower; cut off at every step; nobody pays but the
platform."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from swath.contract.comparison import Comparison, Difference, Tolerance, Verdict
from swath_marketplace.domain.assessments import Cause
from swath_marketplace.domain.benchmarks import Round, RoundState, ScenarioOutcome
from swath_marketplace.domain.drift import Drifted
from swath_marketplace.domain.errors import ResultsExpired, TooManyRounds
from swath_marketplace.domain.runs import PLATFORM, RunPurpose, RunStatus
from swath_marketplace.executors.comparer import ComparerUnavailable, Pair
from swath_marketplace.executors.fake import FakeExecutor, finishing, process_end, write_report
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.store.assessments import AssessmentStore, key_of
from swath_marketplace.store.breaks import BreakStore, NoticeStore
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.testing import World, make_world, notebook, operator, service, user, write_environment
from swath_quota.client import FakeQuotaClient
from swath_service.errors import Forbidden, NotFound

ADA, BOB = user("ada"), user("bob")
PATH = "ada/double@1.0.0"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


class NumberComparer:
    """A comparer of files that hold ``{"value": number}``, by the rule of the contract; draws no real picture."""

    def __init__(self) -> None:
        self.unavailable = False
        self.calls = 0

    def compare(self, pairs: Sequence[Pair], *, pictures: Path | None = None) -> Mapping[str, Comparison]:
        self.calls += 1
        if self.unavailable:
            raise ComparerUnavailable("no sandbox")
        return {pair.name: self._compare(pair, pictures) for pair in pairs}

    def _compare(self, pair: Pair, pictures: Path | None) -> Comparison:
        expected, found = (json.loads(path.read_bytes())["value"] for path in (pair.expected, pair.found))
        apart = abs(found - expected)
        same = apart <= pair.tolerance.atol + pair.tolerance.rtol * abs(expected)
        if not same and pictures is not None:
            (pictures / f"{pair.name}.png").write_bytes(b"\x89PNG")
        where = Difference(where="$.value", expected=str(expected), found=str(found), distance=apart)
        return Comparison(
            verdict=Verdict.WITHIN if same else Verdict.DIFFERS,
            kind="json",
            message=f"1 value compared, {0 if same else 1} differ",
            compared=1,
            differing=0 if same else 1,
            largest=apart,
            differences=() if same else (where,),
            picture=None if same else f"{pair.name}.png",
        )


def number(value: float) -> bytes:
    return json.dumps({"value": value}).encode()


def scenario(reference: bytes, *, tolerance: Tolerance | None = None, **more: Any) -> bytes:
    expected = {
        "reference": "references/three/double.json",
        "sha256": hashlib.sha256(reference).hexdigest(),
        "tolerance": (tolerance or Tolerance()).as_dict(),
    }
    return json.dumps({"title": "Three", "parameters": {"n": 3}, "outputs": {"double": expected}, **more}).encode()


def files(value: float = 6, *, rtol: float = 1e-3, **others: bytes) -> dict[str, bytes]:
    reference = number(value)
    return {
        "scenarios/three.json": scenario(reference, tolerance=Tolerance(rtol=rtol)),
        "references/three/double.json": reference,
        **{f"scenarios/{name}.json": content for name, content in others.items()},
    }


class Bench:
    """A marketplace that can be ended and started again, with everything that survives that."""

    def __init__(self, data: Path, url: str) -> None:
        self.data, self.url = data, url
        self.clock, self.comparer = Clock(), NumberComparer()
        self.quota = FakeQuotaClient(clock=self.clock)
        self.executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"))
        self.executor.script = finishing(outputs={"double": number(6)})
        self.told: list[tuple[Round, str]] = []
        self.worlds: list[World] = []
        self.world = self.restarted()

    def restarted(self) -> World:
        self.world = make_world(
            self.data,
            database_url=self.url,
            quota=self.quota,
            executor=self.executor,
            comparer=self.comparer,
            clock=self.clock,
            slots_cpus=4,
            slots_memory_mb=8192,
        )
        self.world.made.keeper._monotonic = lambda: self.clock.now.timestamp()
        self.world.made.keeper._schedule_at = self.clock.now.timestamp() + 300
        self.rounds.add_listener(lambda one, version: self.told.append((one, version.version)))
        self.worlds.append(self.world)
        return self.world

    @property
    def rounds(self) -> Any:
        return self.world.made.context.rounds

    @property
    def store(self) -> RoundStore:
        return RoundStore(self.world.made.database)

    def put(self, **more: Any) -> None:
        self.world.made.context.dossiers.put(ADA, PATH, files(**more))

    def settle(self, *, looks: int = 400) -> None:
        """Let everything work, in this thread, until nothing is open."""
        for _ in range(looks):
            self.world.made.keeper.look()
            if not (self.store.open() or self.store.untold()):
                return
            self.world.made.reconciler._trouble.clear()
            self.world.made.reconciler.look()
            self.clock.now += timedelta(seconds=1)
        raise AssertionError("a round is still open")

    def history(self) -> list[Round]:
        version = self.world.registry.version(ADA, PATH)
        return list(self.store.of(version.algorithm_id, version.digest))

    def outcomes(self) -> list[str]:
        return [result.outcome.value for result in self.history()[-1].results]

    def message(self) -> str:
        return self.history()[-1].results[0].message

    def next_day(self) -> None:
        self.clock.now += timedelta(days=1, minutes=1)
        self.settle_clock()

    def settle_clock(self) -> None:
        self.world.made.keeper._schedule_at = 0
        self.settle()


@pytest.fixture
def bench(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    write_environment(tmp_path, python=sys.executable)
    made = Bench(tmp_path, database_url)
    made.world.registry.publish(ADA, notebook(), version="1.0.0")
    yield made
    for world in made.worlds:
        world.made.database.dispose()


def test_a_new_dossier_is_benchmarked_twice_and_the_platform_pays(bench: Bench) -> None:
    bench.put()
    bench.settle()
    (ended,) = bench.history()
    assert ended.green
    assert (ended.trigger.value, ended.asked_by) == ("publish", PLATFORM)
    (result,) = ended.results
    assert result.outcome is ScenarioOutcome.GREEN
    assert result.comparisons["double"].verdict is Verdict.IDENTICAL
    assert bench.comparer.calls == 0, "the hashes told already"
    first, second = (bench.world.run(run_id) for run_id in result.run_ids)
    assert (first.id, second.id) == tuple(bench.executor.starts)
    for run in (first, second):
        assert (run.caller, run.purpose, run.status) == (PLATFORM, RunPurpose.BENCHMARK, RunStatus.FINISHED)
        assert run.added_value is None
    assert first.digest == second.digest == ended.version_digest
    spent = (first.cost_millicredits or 0) + (second.cost_millicredits or 0)
    wallet = bench.quota.wallet(PLATFORM)
    assert (wallet.tier, wallet.held) == ("platform", 0)
    assert wallet.balance == 100_000_000 - spent < 100_000_000
    assert bench.quota.audit().ok
    assert bench.world.registry.get(ADA, "ada/double").runs_count == 0
    assert [(one.id, version) for one, version in bench.told] == [(ended.id, "1.0.0")]


def test_a_reference_moved_by_a_percent_turns_red_and_mended_it_is_green_again(bench: Bench) -> None:
    bench.put()
    bench.settle()
    bench.put(value=6 * 1.011 / 1.001, rtol=1e-3)
    bench.settle()
    assert bench.outcomes() == ["red"]
    assert bench.message() == "output double differs from its reference: 1 value compared, 1 differ"
    (broken,), total = bench.rounds.breaks(BOB, limit=10, offset=0)
    assert total == 1
    assert broken.result.failing is not None
    name, comparison = broken.result.failing
    assert (name, comparison.differing, comparison.differences[0].where) == ("double", 1, "$.value")
    assert len(broken.result.run_ids) == 2
    picture = bench.rounds.picture(
        BOB, broken.round_id, scenario="three", kind="reference", name=comparison.picture or ""
    )
    assert picture.read_bytes() == b"\x89PNG"
    bench.next_day()
    assert len(bench.history()) == 3
    assert bench.rounds.breaks(BOB, limit=10, offset=0)[1] == 1, "it is the same break still"
    bench.put()
    bench.settle()
    assert bench.outcomes() == ["green"]
    assert bench.rounds.breaks(BOB, limit=10, offset=0) == ([], 0)
    ((closed,), _) = bench.rounds.breaks(BOB, include_closed=True, limit=10, offset=0)
    assert (closed.closed_why, closed.closed_by) == ("green", bench.history()[-1].id)
    notices, count = bench.rounds.notices(ADA, limit=10, offset=0)
    assert [one.kind.value for one in notices] == ["benchmark-mended", "benchmark-broken"]
    assert notices[1].text.startswith("ada/double 1.0.0: scenario three is red: output double differs")
    assert bench.rounds.notices(BOB, limit=10, offset=0) == ([], 0)
    bench.rounds.read(ADA, notices[0].id)
    assert bench.rounds.notices(ADA, unread=True, limit=10, offset=0)[1] == count - 1
    with pytest.raises(NotFound):
        bench.rounds.read(BOB, notices[0].id)


def test_within_the_tolerance_is_green(bench: Bench) -> None:
    bench.put(value=6 * 1.01, rtol=1e-2)
    bench.settle()
    assert bench.outcomes() == ["green"]
    assert bench.history()[0].results[0].comparisons["double"].verdict is Verdict.WITHIN


def test_what_differs_from_run_to_run_is_red(bench: Bench) -> None:
    values = iter([6.0, 7.0])

    def script(_: Any, folder: Any) -> Any:
        write_report(folder, outputs={"double": number(next(values))})
        return process_end()

    bench.executor.script = script
    bench.put()
    bench.settle()
    assert bench.outcomes() == ["red"]
    assert "differs from the first run's, when it ran again" in bench.message()


def test_a_cell_that_fails_is_run_once_and_named(bench: Bench) -> None:
    def script(_: Any, folder: Any) -> Any:
        error = {"code": "cell-failed", "message": "ValueError: there is nothing in 1999", "cell": 1}
        write_report(folder, outputs={}, error=error)
        return process_end(exit_code=1)

    bench.executor.script = script
    refuses = json.dumps({"title": "x", "refused": {"code": "cell-failed", "message": "nothing in"}}).encode()
    invalid = json.dumps({"title": "x", "parameters": {"n": "x"}, "refused": {"code": "invalid"}}).encode()
    bench.put(nothing=refuses, wrong=invalid)
    bench.settle()
    found = {result.scenario: result for result in bench.history()[0].results}
    assert {name: one.outcome.value for name, one in found.items()} == {
        "nothing": "green",
        "three": "red",
        "wrong": "green",
    }
    assert (found["three"].cell, len(found["three"].run_ids)) == (1, 1)
    assert (len(found["nothing"].run_ids), found["wrong"].run_ids) == (1, ())
    assert not bench.history()[0].green
    assert len(bench.executor.starts) == 2


def test_what_the_archive_lacks_is_passed_over(bench: Bench) -> None:
    needy = scenario(number(6), needs=["sentinel-2"])
    bench.world.made.context.dossiers.put(
        ADA, PATH, {"scenarios/three.json": needy, "references/three/double.json": number(6)}
    )
    bench.settle()
    assert bench.outcomes() == ["passed-over"]
    assert not bench.history()[0].green
    (bench.data / "archive").mkdir()
    links = [{"rel": "root", "href": "./catalog.json"}, {"rel": "child", "href": "./sentinel-2/collection.json"}]
    (bench.data / "archive" / "catalog.json").write_text(json.dumps({"links": links}))
    bench.next_day()
    assert bench.outcomes() == ["green"]


def test_a_slower_version_is_found(bench: Bench) -> None:
    bench.put()
    bench.settle()
    for _ in range(3):
        bench.next_day()
    bench.executor.script = finishing(outputs={"double": number(6)}, cpu_seconds=3.5)
    bench.next_day()
    found = bench.rounds.drift(BOB, PATH)["three"]
    assert found.seconds.verdict is Drifted.SLOWER
    assert (found.seconds.baseline.median, found.seconds.baseline.margin) == (1.0, 2.0)
    assert found.cost.verdict is Drifted.STEADY, "two credits more would be dearer, and these are fractions of one"
    assert bench.outcomes() == ["green"], "slower is told, and is no break"
    notices, _ = bench.rounds.notices(ADA, limit=10, offset=0)
    assert [one.text for one in notices] == [
        "ada/double 1.0.0: scenario three takes 3.5 s, and used to take 1 s",
    ]
    bench.next_day()
    assert bench.rounds.notices(ADA, limit=10, offset=0)[1] == 1, "told once"


def test_the_clock_makes_one_round_a_day(bench: Bench) -> None:
    bench.put()
    bench.settle()
    for hours in (1, 12, 10.9):
        bench.clock.now += timedelta(hours=hours)
        bench.settle_clock()
    assert len(bench.history()) == 1
    bench.clock.now += timedelta(minutes=10)
    bench.settle_clock()
    assert [one.trigger.value for one in bench.history()] == ["publish", "schedule"]


def test_a_clock_that_goes_wrong_doubles_and_loses_nothing(bench: Bench) -> None:
    bench.put()
    bench.settle()
    bench.clock.now += timedelta(days=4000)
    bench.settle_clock()
    bench.clock.now -= timedelta(days=3999)
    bench.world.made.keeper._not_before.clear()
    bench.store.let_go(bench.store.holder() or "")
    bench.settle_clock()
    bench.settle_clock()
    rounds = bench.history()
    assert [one.trigger.value for one in rounds] == ["publish", "schedule", "schedule"]
    assert all(one.started_at <= one.ended_at for one in rounds)
    assert bench.rounds.drift(BOB, PATH)["three"].seconds.verdict is Drifted.TOO_FEW


_POINTS = [
    (name, when) for name in ("ask", "begin", "note_run", "note_result", "end", "told") for when in ("before", "after")
]


class Killed(BaseException):
    """What ends the process of a test."""


@pytest.mark.parametrize(("method", "when"), _POINTS, ids=lambda part: str(part))
def test_cut_off_at_each_step_no_scenario_is_run_twice_or_lost(
    bench: Bench, method: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(four=scenario(number(6)))
    real = getattr(RoundStore, method)
    kills = 0

    def dying(self: RoundStore, *args: Any, **kwargs: Any) -> Any:
        nonlocal kills
        if when == "before" and kills < 3:
            kills += 1
            raise Killed
        answer = real(self, *args, **kwargs)
        if when == "after" and kills < 3:
            kills += 1
            raise Killed
        return answer

    monkeypatch.setattr(RoundStore, method, dying)
    for _ in range(5):
        try:
            if method == "ask":
                bench.settle_clock()
                bench.rounds.ask(ADA, PATH)
            bench.settle()
            break
        except Killed:
            bench.store.let_go(bench.store.holder() or "")
            bench.restarted()
    monkeypatch.undo()
    bench.settle()
    rounds = bench.history()
    assert kills > 0
    for ended in rounds:
        assert [(one.scenario, one.outcome.value) for one in ended.results] == [("four", "green"), ("three", "green")]
    of_rounds = [run_id for ended in rounds for result in ended.results for run_id in result.run_ids]
    assert sorted(bench.executor.starts) == sorted(of_rounds), "each run is one of a round's, and was started once"
    assert len(of_rounds) == 4 * len(rounds)
    if method != "ask":
        assert len(rounds) == 1
    assert {one.id for one, _ in bench.told} == {ended.id for ended in rounds}
    assert bench.quota.audit().ok
    assert bench.quota.wallet(PLATFORM).held == 0


def test_several_processes_on_one_database_make_each_run_once(bench: Bench) -> None:
    bench.put(four=scenario(number(6)))
    worlds = [bench.world, bench.restarted(), bench.restarted()]
    failures: list[BaseException] = []

    def work(world: World) -> None:
        try:
            for _ in range(60):
                world.made.keeper.look()
                world.made.reconciler.look()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(world,)) for world in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    bench.clock.now += timedelta(minutes=5)
    bench.settle()
    (ended,) = bench.history()
    assert ended.green
    assert len(bench.executor.starts) == 4
    with bench.world.made.database.read() as connection:
        count = connection.execute(sa.text("SELECT count(*) FROM runs WHERE purpose = 'benchmark'")).scalar_one()
    assert count == 4


@pytest.mark.parametrize("fault", ["start", "quota", "credits", "comparer", "artifact", "environment", "yanked"])
def test_what_is_not_the_versions_fault_is_unknown_and_opens_no_break(bench: Bench, fault: str) -> None:
    bench.put(value=6.001)
    if fault == "start":
        bench.executor.fail_start = "no sandbox"
    elif fault == "quota":
        bench.quota.down = True
        bench.world.made.keeper.look()
        assert bench.store.runs(bench.store.open()[0].id) == []
        bench.quota.down = False
        bench.settle()
        assert bench.outcomes() == ["green"], "it waited"
        return
    elif fault == "credits":
        bench.quota.assign_tier(PLATFORM, tier="local")
        wallet = bench.quota.wallet(PLATFORM)
        drained = bench.quota.hold(
            hold_id="x",
            account=PLATFORM,
            amount=wallet.available,
            purpose=_purpose(),
            expires_in_seconds=10**6,
        )
        assert drained is not None
    elif fault == "comparer":
        bench.comparer.unavailable = True
    elif fault == "artifact":
        for path in (bench.data / "marketplace" / "artifacts").rglob("*"):
            if path.is_file() and path.read_bytes() == number(6.001):
                path.write_bytes(b"damaged")
    elif fault == "environment":
        write_environment(bench.data, python=sys.executable, lock="another")
    elif fault == "yanked":
        bench.world.registry.yank(ADA, PATH, reason="a mistake")
    bench.settle()
    assert bench.outcomes() == ["unknown"], bench.message()
    assert not bench.history()[0].green
    assert bench.rounds.breaks(BOB, limit=10, offset=0) == ([], 0)
    assert bench.rounds.notices(ADA, limit=10, offset=0) == ([], 0)
    assert bench.quota.audit().ok


def _purpose() -> Any:
    from swath_quota.client import Purpose, PurposeKind

    return Purpose(kind=PurposeKind.RUN, reference="x", description="x", algorithm="ada/double")


def test_an_unforeseen_failure_ends_the_round_and_not_the_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(bench.world.made.keeper._stepper, "_result", fails)
    bench.put()
    bench.settle()
    assert bench.outcomes() == ["unknown"]
    monkeypatch.undo()
    bench.clock.now += timedelta(hours=1)
    bench.settle_clock()
    assert bench.outcomes() == ["green"], "what the platform spoilt is made again within the hour"


def test_a_listener_that_fails_is_told_again(bench: Bench) -> None:
    seen: list[str] = []

    def listener(one: Round, _: Any) -> None:
        seen.append(one.id)
        if len(seen) < 3:
            raise RuntimeError("not now")

    bench.rounds.add_listener(listener)
    bench.put()
    bench.settle()
    assert len(seen) == 3
    assert bench.store.untold() == []


def test_asked_twice_it_is_one_round_and_a_new_dossier_is_another(bench: Bench) -> None:
    bench.put()
    first, created = bench.rounds.ask(ADA, PATH)
    assert not created, "the dossier asked for it"
    assert bench.rounds.ask(operator(), PATH)[0].order.id == first.order.id
    bench.put(value=6.5)
    assert len(bench.store.open()) == 2
    bench.settle()
    assert [one.results[0].outcome.value for one in bench.history()] == ["green", "red"]
    again, created = bench.rounds.ask(ADA, PATH)
    assert created
    assert (again.order.trigger.value, again.order.asked_by, again.order.number) == ("asked", "ada", 3)


def test_one_round_runs_at_a_time(bench: Bench) -> None:
    bench.executor.hold_back = True
    bench.world.registry.publish(ADA, notebook(name="second"), version="1.0.0")
    bench.put()
    bench.world.made.context.dossiers.put(ADA, "ada/second@1.0.0", files())
    for _ in range(5):
        bench.world.made.keeper.look()
        bench.world.made.reconciler.look()
    assert [one.state for one in bench.store.open()] == [RoundState.RUNNING, RoundState.WAITING]
    waiting = bench.store.open()[1]
    assert bench.store.begin(waiting, at=bench.clock()) is None


def test_benchmarks_can_be_switched_off_and_still_asked_for(tmp_path: Path, database_url: str) -> None:
    write_environment(tmp_path, python=sys.executable)
    world = make_world(tmp_path, database_url=database_url, benchmark_hours=0)
    world.registry.publish(ADA, notebook(), version="1.0.0")
    world.made.context.dossiers.put(ADA, PATH, files())
    store = RoundStore(world.made.database)
    assert store.open() == []
    world.made.context.rounds.ask(ADA, PATH)
    assert len(store.open()) == 1
    world.made.database.dispose()


def test_what_has_ended_stays_as_it_is(bench: Bench) -> None:
    bench.put(value=7)
    bench.settle()
    bench.put()
    bench.settle()
    database = bench.world.made.database
    forbidden = [
        "UPDATE rounds SET ended_at = asked_at",
        "UPDATE rounds SET told_at = NULL",
        "UPDATE rounds SET state = 'running', ended_at = NULL",
        "DELETE FROM rounds",
        "UPDATE round_results SET result = '{}'",
        "DELETE FROM round_results",
        "UPDATE round_runs SET ordinal = 1",
        "DELETE FROM round_runs",
        "UPDATE breaks SET closed_why = 'withdrawn'",
        "DELETE FROM breaks",
        "UPDATE runs SET purpose = 'whatever'",
    ]
    for statement in forbidden:
        with pytest.raises(sa.exc.DBAPIError), database.write() as connection:
            connection.execute(sa.text(statement))
    (order,) = [bench.store.order(bench.history()[0].id)]
    assert order is not None
    assert bench.store.order("nobody") is None
    assert BreakStore(database).open_of(order.algorithm_id, order.version_digest) == {}
    assert NoticeStore(database).list("nobody", limit=1, offset=0) == ([], 0)


def test_the_platforms_name_and_wallet_are_nobodys(bench: Bench) -> None:
    impostor = user(PLATFORM)
    with pytest.raises(Forbidden, match="platform's own"):
        bench.world.runs.create(impostor, RunRequest(algorithm=PATH, parameters={"n": 3}))
    for actor in (ADA, operator(), service(PLATFORM)):
        request = RunRequest(algorithm=PATH, parameters={"n": 3}, purpose=RunPurpose.BENCHMARK)
        with pytest.raises(Forbidden, match="platform's own"):
            bench.world.runs.create(actor, request)
    bench.put()
    bench.settle()
    run_id = bench.executor.starts[0]
    assert bench.world.runs.get(ADA, run_id).id == run_id, "the author may look"
    for actor in (BOB, impostor):
        with pytest.raises(NotFound):
            bench.world.runs.get(actor, run_id)
    with pytest.raises(Forbidden):
        bench.world.runs.cancel(ADA, run_id)


def test_people_come_first(bench: Bench) -> None:
    """The platform's weight is the least: after its first runs everybody who used a hundred times as much is before."""
    from swath_marketplace.services.terms import terms_of

    terms = terms_of(bench.quota.standing(PLATFORM))
    assert (terms.weight, terms.concurrent) == (0.01, 1)
    assert terms.weight < min(terms_of(bench.quota.standing(name)).weight for name in ("ada", "bob"))


def test_a_notebook_that_is_published_alone_makes_no_round(bench: Bench) -> None:
    bench.settle_clock()
    assert bench.store.open() == []
    assert bench.history() == []


def test_a_version_falls_at_the_round_that_breaks_it_and_rises_at_the_one_that_mends_it(bench: Bench) -> None:
    """Assessments hear of each round, and have heard of it when it counts as told."""

    def met() -> bool:
        version = bench.world.registry.version(ADA, PATH)
        latest = AssessmentStore(bench.world.made.database).latest([version])[key_of(version)]
        assert latest.cause is Cause.ROUND
        return next(one.met for one in latest.results if one.criterion == "benchmarks")

    found = []
    for value in (6, 6.07, 6):
        bench.put(value=value, four=scenario(number(value), tolerance=Tolerance(rtol=1e-3)))
        bench.settle()
        found.append(met())
    assert found == [True, False, True]


def test_nobody_spends_the_platforms_credits_on_one_algorithm(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("round_clock", "rounds"):
        monkeypatch.setattr(f"swath_marketplace.services.{module}.MOST_A_DAY", 2)
    bench.put()
    bench.settle()
    bench.put(value=6.001)
    bench.settle()
    bench.put(value=6.002)
    assert bench.store.open() == [], "the third of a day waits"
    with pytest.raises(TooManyRounds):
        bench.rounds.ask(ADA, PATH)
    assert bench.rounds.ask(operator(), PATH)[1]
    bench.settle()
    bench.put(value=6.003)
    bench.next_day()
    assert len(bench.history()) == 4, "the clock comes back to it"


def test_outputs_of_benchmarks_are_kept_for_some_days_and_those_of_a_break_until_it_is_mended(bench: Bench) -> None:
    called, _ = bench.world.runs.create(BOB, RunRequest(algorithm=PATH, parameters={"n": 3}))
    bench.world.look_until(called.id)
    bench.put(value=7)
    bench.settle()
    bench.put()
    bench.settle()
    bench.put(value=8)
    bench.settle()
    runs = [one.results[0].run_ids for one in bench.history()]
    pictures = bench.data / "marketplace" / "rounds"

    def kept() -> list[bool]:
        return [(bench.data / "marketplace" / "runs" / ids[0] / "results" / "double").is_file() for ids in runs]

    bench.clock.now += timedelta(days=6)
    bench.settle_clock()
    assert kept() == [True, True, True]
    bench.clock.now += timedelta(days=1, hours=1)
    bench.settle_clock()
    assert kept() == [False, True, True], "the second is the card's example, the third shows what is broken still"
    assert not (pictures / bench.history()[0].id).exists()
    assert (pictures / bench.history()[2].id / "three" / "reference" / "double.png").is_file()
    assert bench.world.run(runs[0][0]).outputs, "the record stays"
    with pytest.raises(ResultsExpired):
        bench.world.runs.result(ADA, runs[0][0], "double")
    bench.put()
    bench.settle()
    bench.settle_clock()
    assert kept() == [False, False, False]
    assert bench.world.runs.result(BOB, called.id, "double")[1].is_file(), "what somebody called is not touched"


def test_quotes_learn_from_benchmarks_until_people_have_run_it(bench: Bench) -> None:
    bench.put()
    bench.settle()
    bench.next_day()
    _, offer = bench.world.runs.quote(BOB, RunRequest(algorithm=PATH, parameters={"n": 3}))
    assert offer.estimate is not None
    assert (offer.estimate.basis, offer.estimate.observations) == ("benchmark", 4)
    assert offer.estimate.p95 < offer.ceiling
