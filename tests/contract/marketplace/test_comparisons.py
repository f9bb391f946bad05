"""Two runs compared over HTTP: what is told, what is kept, and who may ask."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath.contract.comparison import Comparison, Tolerance, Verdict
from swath_marketplace.domain.benchmarks import Order, ScenarioOutcome, ScenarioResult, Trigger
from swath_marketplace.domain.breaks import NOTHING
from swath_marketplace.domain.runs import Run
from swath_marketplace.executors.fake import FakeExecutor, process_end, write_report
from swath_marketplace.executors.fake_comparer import FakeComparer
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.comparisons import ComparisonRequest
from swath_marketplace.store.comparisons import ComparisonCache
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.testing import PREFIX, World, make_world, notebook, operator, user
from swath_service.actor import Actor
from swath_service.errors import Unavailable

BOOK = notebook(
    "import swath\n\nswath.emit('double', {'value': 2 * n})",
    "swath.emit('constant', 7)",
    "if n > 8:\n    swath.emit('more', {'x': n})",
)
WITHIN = Comparison(verdict=Verdict.WITHIN, kind="json", message="near", compared=1, largest=0.1)


@pytest.fixture(params=["sqlite"])
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'marketplace.sqlite'}"


@pytest.fixture
def comparer() -> FakeComparer:
    return FakeComparer()


@pytest.fixture
def world(data: Path, database_url: str, comparer: FakeComparer) -> Iterator[World]:
    def script(run: Run, folder: Any) -> Any:
        outputs = {"double": json.dumps({"value": run.parameters["n"]}).encode(), "constant": b"7"}
        if run.parameters["n"] > 8:
            outputs["more"] = b"x"
        write_report(folder, outputs={**outputs, "notebook": run.id.encode()})
        return process_end()

    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=script)
    made = make_world(data, database_url=database_url, executor=executor, comparer=comparer, slots_cpus=4)
    yield made
    made.made.database.dispose()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        made = await client.post("algorithms", json={"notebook": BOOK, "version": "1.0.0"}, headers=as_("ada"))
        assert made.status_code == 201
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def finished(http: httpx.AsyncClient, world: World, n: int, *, who: str = "bob") -> str:
    answer = await http.post("runs", json={"algorithm": "ada/double", "parameters": {"n": n}}, headers=as_(who))
    run_id: str = answer.json()["id"]
    world.look_until(run_id)
    return run_id


async def ask(http: httpx.AsyncClient, run_id: str, with_id: str, *, who: str = "bob", **query: Any) -> httpx.Response:
    params = {"with": with_id, **query}
    return await http.get(f"runs/{run_id}/comparison", params=params, headers=as_(who))


async def test_outputs_of_one_name_are_compared(http: httpx.AsyncClient, world: World, comparer: FakeComparer) -> None:
    first, second = await finished(http, world, 3), await finished(http, world, 4)
    answer = await ask(http, second, first, rtol=0.5, ignore=["$.made_at", "$.at"])
    assert answer.status_code == 200
    told = answer.json()
    assert (told["run"], told["with"], told["verdict"], told["scenario"]) == (second, first, "differs", None)
    assert {name: one["verdict"] for name, one in told["comparisons"].items()} == {
        "constant": "identical",
        "double": "differs",
    }
    tolerance = Tolerance(rtol=0.5, ignore=("$.made_at", "$.at"))
    assert told["comparisons"]["double"]["tolerance"] == tolerance.as_dict()
    [[pair]] = comparer.calls
    assert (pair.name, pair.tolerance, pair.media_type) == ("double", tolerance, "application/octet-stream")
    assert json.loads(pair.expected.read_bytes()) == {"value": 3}, "the run that `with` names counts as right"
    assert json.loads(pair.found.read_bytes()) == {"value": 4}
    assert told["links"]["with"].endswith(f"/runs/{first}")


async def test_what_was_compared_is_kept_by_content(
    http: httpx.AsyncClient, world: World, comparer: FakeComparer
) -> None:
    first, second = await finished(http, world, 3), await finished(http, world, 4)
    again = await finished(http, world, 4)
    one = (await ask(http, second, first)).json()["comparisons"]
    assert (await ask(http, again, first)).json()["comparisons"] == one
    assert len(comparer.calls) == 1
    await ask(http, second, first, atol=1)
    assert len(comparer.calls) == 2, "under another tolerance it is another question"
    await ask(http, first, second)
    assert len(comparer.calls) == 3, "and the other way round"


async def test_an_output_that_one_run_alone_has_differs(http: httpx.AsyncClient, world: World) -> None:
    first, second = await finished(http, world, 3), await finished(http, world, 9)
    more = (await ask(http, second, first)).json()["comparisons"]["more"]
    assert (more["verdict"], more["message"]) == ("differs", "only the found side has it")
    less = (await ask(http, first, second)).json()["comparisons"]["more"]
    assert less["message"] == "the found side does not have it"


async def test_executed_notebooks_are_compared_when_they_are_named(http: httpx.AsyncClient, world: World) -> None:
    first, second = await finished(http, world, 3), await finished(http, world, 3)
    assert "notebook" not in (await ask(http, second, first)).json()["comparisons"]
    told = (await ask(http, second, first, name=["notebook"])).json()
    assert list(told["comparisons"]) == ["notebook"]
    unknown = await ask(http, second, first, name="nothing")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "no-such-output")
    assert "constant, double, notebook" in unknown.json()["mend"]


async def test_pictures_are_fetched_by_the_link(
    http: httpx.AsyncClient, world: World, comparer: FakeComparer, tmp_path: Path
) -> None:
    class Drawing(FakeComparer):
        def compare(self, pairs: Any, *, pictures: Path | None = None) -> Any:
            assert pictures
            (pictures / "double.png").write_bytes(b"\x89PNG\r\n\x1a\nx")
            return super().compare(pairs, pictures=pictures)

    drawing = Drawing()
    drawing.scripted["double"] = Comparison(
        verdict=Verdict.DIFFERS, kind="raster", message="far", compared=4, differing=1, picture="double.png"
    )
    world.made.context.comparisons._comparer = drawing
    first, second = await finished(http, world, 3), await finished(http, world, 4)
    told = (await ask(http, second, first, atol=0.25)).json()["comparisons"]
    assert told["double"]["picture"].startswith(PREFIX)
    link = f"http://test{told['double']['picture']}"
    assert told["constant"]["picture"] is None
    answer = await http.get(link, headers=as_("bob"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == b"\x89PNG\r\n\x1a\nx"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await http.get(link, headers=as_("cyd"))).status_code == 404
    none = await http.get(link.replace("/double?", "/constant?"), headers=as_("bob"))
    assert (none.status_code, none.json()["code"]) == (404, "no-such-picture")
    assert len(drawing.calls) == 1


async def test_only_who_may_see_both_runs_may_ask(http: httpx.AsyncClient, world: World) -> None:
    bobs, cyds = await finished(http, world, 3), await finished(http, world, 4, who="cyd")
    for who, status in (("bob", 404), ("cyd", 404), ("ada", 404), ("root", 200)):
        assert (await ask(http, bobs, cyds, who=who)).status_code == status
        assert (await ask(http, cyds, bobs, who=who)).status_code == status
    assert (await ask(http, bobs, "nobody")).json()["code"] == "no-such-run"
    assert (await http.get(f"runs/{bobs}/comparison", headers=as_("bob"))).status_code == 422


async def test_a_run_that_goes_on_is_not_compared(http: httpx.AsyncClient, world: World) -> None:
    first = await finished(http, world, 3)
    world.fake.hold_back = True
    answer = await http.post("runs", json={"algorithm": "ada/double", "parameters": {"n": 4}}, headers=as_("bob"))
    refused = await ask(http, answer.json()["id"], first)
    assert (refused.status_code, refused.json()["code"]) == (409, "run-not-over")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"rtol": -1}, "rtol"),
        ({"atol": "nan"}, "atol"),
        ({"atol": "inf"}, "atol"),
        ({"share": 1.5}, "share"),
        ({"ignore": ""}, "ignore"),
        ({"distance": "far"}, "distance"),
    ],
)
async def test_a_tolerance_that_is_none_is_refused(
    http: httpx.AsyncClient, world: World, comparer: FakeComparer, query: dict[str, Any], field: str
) -> None:
    first, second = await finished(http, world, 3), await finished(http, world, 4)
    answer = await ask(http, second, first, **query)
    assert answer.status_code == 422
    assert field in json.dumps(answer.json()["findings"])
    assert comparer.calls == []


async def test_the_tolerances_of_a_scenario_hold_when_it_is_named(
    http: httpx.AsyncClient, world: World, comparer: FakeComparer
) -> None:
    reference = b'{"value": 6}'
    scenario = {
        "title": "Three",
        "parameters": {"n": 3},
        "outputs": {
            "double": {
                "reference": "references/three/double.json",
                "sha256": hashlib.sha256(reference).hexdigest(),
                "tolerance": {"atol": 2.0},
            }
        },
    }
    files = {
        "README.md": b"# Doubles\n",
        "scenarios/three.json": json.dumps(scenario).encode(),
        "references/three/double.json": reference,
    }
    first, second = await finished(http, world, 3), await finished(http, world, 4)
    none = await ask(http, second, first, scenario="three")
    assert (none.status_code, none.json()["code"]) == (404, "no-such-scenario")
    parts = [("files", (path, content)) for path, content in files.items()]
    put = await http.put("algorithms/ada/double/versions/1.0.0/dossier", files=parts, headers=as_("ada"))
    assert put.status_code == 201, put.json()
    told = (await ask(http, second, first, scenario="three")).json()
    assert told["scenario"] == "three"
    assert told["comparisons"]["double"]["tolerance"]["atol"] == 2.0
    assert told["comparisons"]["constant"]["tolerance"]["atol"] == 0.0
    assert comparer.calls[0][0].tolerance == Tolerance(atol=2.0)
    twice = await ask(http, second, first, scenario="three", rtol=1)
    assert (twice.status_code, twice.json()["code"]) == (422, "tolerance-twice")


async def test_without_a_comparer_nothing_is_known_and_nothing_kept(
    http: httpx.AsyncClient, world: World, comparer: FakeComparer
) -> None:
    first, second = await finished(http, world, 3), await finished(http, world, 4)
    comparer.fail = "/secret/path is gone"
    answer = await ask(http, second, first)
    assert (answer.status_code, answer.json()["code"]) == (503, "comparison-unavailable")
    assert answer.headers["retry-after"] == "10"
    assert "/secret" not in answer.text
    assert (await ask(http, first, first)).json()["verdict"] == "identical", "the same bytes need none"
    comparer.fail, comparer.scripted["double"] = None, WITHIN
    assert (await ask(http, second, first)).json()["verdict"] == "within-tolerance"


async def test_those_who_wait_are_few(http: httpx.AsyncClient, world: World) -> None:
    first, second = await finished(http, world, 3), await finished(http, world, 4)
    begun, go = threading.Semaphore(0), threading.Event()

    class Slow(FakeComparer):
        def compare(self, pairs: Any, *, pictures: Path | None = None) -> Any:
            begun.release()
            assert go.wait(30)
            return super().compare(pairs, pictures=pictures)

    service, slow, ended = world.made.context.comparisons, Slow(), []
    service._comparer = slow

    asked = ComparisonRequest(run_id=second, with_id=first)

    def call(actor: Actor) -> None:
        ended.append(service.of(actor, asked).verdict)

    two = [user("bob"), operator()] * 2
    threads = [threading.Thread(target=call, args=[actor]) for actor in two]
    for thread in threads:
        thread.start()
    assert begun.acquire(timeout=30)
    while service._waiting.total() < 4:
        begun.acquire(timeout=0.01)
    with pytest.raises(Unavailable, match="you wait for comparisons"):
        service.of(user("bob"), asked)
    with pytest.raises(Unavailable, match="others wait for theirs"):
        service.of(operator("ruth"), asked)
    go.set()
    for thread in threads:
        thread.join(30)
    assert ended == [Verdict.DIFFERS] * 4
    assert len(slow.calls) == 1, "who waited for the same finds it made"
    assert not service._waiting


def _round(world: World, version: str, *results: ScenarioResult) -> None:
    """The round of a version, as the benchmarks would store it."""
    found = world.registry.version(user("ada"), f"ada/double@{version}")
    store, now = RoundStore(world.made.database), datetime(2026, 1, 1, tzinfo=UTC)
    order = Order(
        id=f"r{version.replace('.', '')}",
        algorithm_id=found.algorithm_id,
        owner="ada",
        name="double",
        version=version,
        version_digest=found.digest,
        dossier_digest="sha256:0",
        environment_lock_sha256=found.environment_lock_sha256,
        trigger=Trigger.ASKED,
        asked_by="ada",
        asked_at=now,
    )
    order, _ = store.ask(order)
    begun = store.begin(order, at=now)
    assert begun
    for result in results:
        store.note_result(begun.id, result, at=now)
    assert store.end(begun, at=now, changes=NOTHING)


def _went(scenario: str, *run_ids: str) -> ScenarioResult:
    outcome = ScenarioOutcome.GREEN if run_ids else ScenarioOutcome.RED
    return ScenarioResult(scenario=scenario, outcome=outcome, message="", run_ids=run_ids)


async def test_two_versions_are_compared_by_interface_and_by_their_scenarios(
    http: httpx.AsyncClient, world: World, comparer: FakeComparer
) -> None:
    old = [await finished(http, world, n) for n in (3, 5)]
    book = notebook(
        "import swath\n\nswath.emit('double', {'value': 2 * n})",
        "swath.emit('constant', 7)",
        "if n > 8:\n    swath.emit('more', {'x': n})",
        parameters="# How many\nn: int = 4\n# By what\nby: int = 2",
    )
    made = await http.post("algorithms", json={"notebook": book, "version": "1.1.0"}, headers=as_("ada"))
    assert made.status_code == 201, made.text
    fresh = [await finished(http, world, n) for n in (3, 6)]
    _round(world, "1.0.0", _went("three", old[0], old[0]), _went("other", old[1]), _went("gone", old[0]))
    _round(world, "1.1.0", _went("three", fresh[0]), _went("other", fresh[1]), _went("gone"))
    answer = await http.get(
        "algorithms/ada/double/versions/^1/comparison", params={"with": "1.0.0"}, headers=as_("cyd")
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["version"], told["with"]) == ("1.1.0", "1.0.0")
    assert {change["path"] for change in told["interface"]["changes"]} == {"parameters.n", "parameters.by"}
    assert told["interface"]["least_bump"] == "minor"
    assert (told["same_notebook"], told["same_environment"]) == (False, True)
    assert told["scenarios"]["three"]["verdict"] == "identical"
    assert told["scenarios"]["other"] == {"verdict": None, "message": "it was called with another n", "comparisons": {}}
    assert "one of the versions only" in told["scenarios"]["gone"]["message"]
    assert comparer.calls == [], "the outputs of the only scenario of both were the same bytes"
    itself = await http.get(
        "algorithms/ada/double/versions/1.0.0/comparison", params={"with": "1.0.0"}, headers=as_("cyd")
    )
    assert itself.json()["interface"]["changes"] == []
    none = await http.get("algorithms/ada/double/versions/1.0.0/comparison", params={"with": "9"}, headers=as_("cyd"))
    assert (none.status_code, none.json()["code"]) == (404, "no-such-version")


def test_the_cache_forgets_what_was_longest_not_asked_for(tmp_path: Path) -> None:
    import os

    cache = ComparisonCache(tmp_path, most=3, incomparable_seconds=60)
    keys = [f"{number:064x}" for number in range(4)]
    for at, key in enumerate(keys[:3]):
        cache.put(key, WITHIN)
        os.utime(tmp_path / key, (1000 + at, 1000 + at))
    assert cache.get(keys[0]) == WITHIN
    cache.put(keys[3], WITHIN)
    assert [cache.get(key) is not None for key in keys] == [True, False, True, True]
    (tmp_path / keys[2] / "comparison.json").write_text("{")
    assert cache.get(keys[2]) is None
    unknown = Comparison(verdict=Verdict.INCOMPARABLE, kind="raster", message="took too long")
    cache.put(keys[2], unknown)
    assert cache.get(keys[2]) == unknown
    os.utime(tmp_path / keys[2] / "comparison.json", (1000, 1000))
    assert cache.get(keys[2]) is None, "it may have been a busy hour"
    with pytest.raises(ValueError, match="sha256"):
        cache.get("../x")
