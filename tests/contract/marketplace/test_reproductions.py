"""Reproductions over HTTP and over each database: asked, run, compared, ended; what they need and who may."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from swath.client.reproduction import Reproduction
from swath.contract.comparison import Comparison, Verdict
from swath_marketplace.domain.endings import ProcessEnd
from swath_marketplace.domain.errors import LeaseLost
from swath_marketplace.domain.reproductions import Stage
from swath_marketplace.domain.runs import Run
from swath_marketplace.domain.runs import Stage as RunStage
from swath_marketplace.executors.fake import FakeExecutor, Script, finishing, process_end, write_report
from swath_marketplace.executors.fake_comparer import FakeComparer
from swath_marketplace.run_folder import RunFolder, RunFolders
from swath_marketplace.store import tables
from swath_marketplace.store.reproductions import ReproductionStore
from swath_marketplace.testing import PREFIX, World, make_world, notebook

CHANCE = "import random\nimport swath\n\nswath.emit('double', {'value': random.random()})"


@pytest.fixture
def comparer() -> FakeComparer:
    return FakeComparer()


@pytest.fixture
def world(data: Path, database_url: str, comparer: FakeComparer) -> Iterator[World]:
    (data / "archive" / "s2").mkdir(parents=True)
    (data / "archive" / "s2" / "B04.tif").write_bytes(b"pixels")
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=emitting(b"6"))
    made = make_world(
        data, database_url=database_url, executor=executor, comparer=comparer, slots_cpus=4, slots_memory_mb=8192
    )
    yield made
    made.made.database.dispose()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        body = {"notebook": notebook(CHANCE), "version": "1.0.0"}
        made = await client.post("algorithms", json=body, headers=as_("ada"))
        assert made.status_code == 201, made.text
        yield client


def as_(name: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}", **more}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def emitting(content: bytes, **others: bytes) -> Script:
    """A run that reads a scene and emits `content`."""
    inner = finishing(outputs={"double": content, **others})

    def script(run: Run, folder: RunFolder) -> ProcessEnd | None:
        inner(run, folder)
        scene = {"collection": "s2", "item": "S1", "asset": "B04", "href": "/archive/s2/B04.tif"}
        (folder.out / "inputs.jsonl").write_text(json.dumps(scene) + "\n")
        return process_end()

    return script


async def run(world: World, http: httpx.AsyncClient, who: str = "bob") -> str:
    made = await http.post("runs", json={"algorithm": "ada/double@1.0.0"}, headers=as_(who))
    assert made.status_code == 201, made.text
    run_id: str = made.json()["id"]
    world.look_until(run_id)
    return run_id


async def ask(
    http: httpx.AsyncClient, run_id: str, who: str = "bob", *, key: str | None = None, **body: Any
) -> dict[str, Any]:
    headers = as_(who, **({"Idempotency-Key": key} if key else {}))
    answer = await http.post(f"runs/{run_id}/reproductions", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == told["links"]["self"]
    return told


async def verdict(world: World, http: httpx.AsyncClient, told: Mapping[str, Any], who: str = "bob") -> dict[str, Any]:
    """The reproduction once it has ended, its run stepped in this thread."""
    for _ in range(50):
        world.made.reproduction_keeper.look()
        world.made.reconciler.look()
        answer = await http.get(f"reproductions/{told['id']}", headers=as_(who))
        found: dict[str, Any] = answer.json()
        if found["stage"] == "ended":
            return found
    raise AssertionError(f"it is still {found['stage']}")


def codes(found: Mapping[str, Any]) -> list[str]:
    return [cause["code"] for cause in found["causes"]]


# Verdicts


async def test_the_same_bytes_are_identical(world: World, http: httpx.AsyncClient, comparer: FakeComparer) -> None:
    run_id = await run(world, http)
    asked = await ask(http, run_id)
    assert (asked["stage"], asked["verdict"], asked["of_run"]) == ("asked", None, run_id)
    found = await verdict(world, http, asked)
    assert (found["verdict"], codes(found), found["comparisons"]["double"]["verdict"]) == ("identical", [], "identical")
    assert comparer.calls == []
    again = world.run(found["run"])
    assert (again.caller, again.digest, again.parameters) == ("bob", world.run(run_id).digest, {"n": 3})
    assert again.purpose == "reproduction"
    assert again.cost_millicredits == world.run(run_id).cost_millicredits


async def test_what_differs_is_told_with_where_and_why(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)
    world.fake.script = emitting(b"7")
    found = await verdict(world, http, await ask(http, run_id))
    assert (found["verdict"], codes(found)) == ("differs", ["chance"])
    assert "cell 2, line 4: random.random asks for random numbers without a seed" in found["causes"][0]["message"]
    assert found["message"].startswith("double: ")
    assert found["comparisons"]["double"]["differing"] == 1
    # What a caller's client makes of it.
    shown = repr(Reproduction(None, found))  # type: ignore[arg-type]
    assert "verdict: differs" in shown
    assert "double  differs  not the same bytes" in shown


async def test_within_the_tolerance_that_was_asked(
    world: World, http: httpx.AsyncClient, comparer: FakeComparer
) -> None:
    run_id = await run(world, http)
    world.fake.script = emitting(b"7")
    comparer.scripted["double"] = Comparison(verdict=Verdict.WITHIN, kind="json", message="near", picture="double.png")
    asked = await ask(http, run_id, tolerances={"double": {"rtol": 0.5}})
    assert asked["tolerances_from"] == "asked"
    found = await verdict(world, http, asked)
    assert (found["verdict"], codes(found)) == ("within-tolerance", [])
    ((pair,),) = comparer.calls
    assert (pair.tolerance.rtol, pair.expected.read_bytes(), pair.found.read_bytes()) == (0.5, b"6", b"7")
    picture = f"http://test{found['comparisons']['double']['picture']}"
    assert (await http.get(picture, headers=as_("bob"))).status_code == 404, "the comparer drew none"
    folder = world.settings.data / "marketplace" / "reproductions" / asked["id"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "double.png").write_bytes(b"png")
    assert (await http.get(picture, headers=as_("bob"))).content == b"png"
    assert (await http.get(picture, headers=as_("cyd"))).status_code == 404


async def test_the_receipt_is_what_counts_not_the_row(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)
    with world.made.database.write() as connection:
        edited = tables.runs.update().where(tables.runs.c.id == run_id)
        connection.execute(edited.values(parameters={"n": 9}, outputs=[], inputs=[]))
    found = await verdict(world, http, await ask(http, run_id))
    assert (found["verdict"], list(found["comparisons"])) == ("identical", ["double"])
    assert world.run(found["run"]).parameters == {"n": 3}


# What it needs


async def test_a_scene_that_was_replaced_is_named(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)
    (world.settings.data / "archive" / "s2" / "B04.tif").write_bytes(b"others")
    world.fake.script = emitting(b"7")
    found = await verdict(world, http, await ask(http, run_id))
    assert (found["verdict"], codes(found)) == ("differs", ["input-replaced"])
    assert found["causes"][0]["message"] == "scene s2/S1 (B04) was replaced"
    world.fake.script = emitting(b"6")
    found = await verdict(world, http, await ask(http, run_id))
    assert (found["verdict"], codes(found)) == ("identical", ["input-replaced"])


async def test_a_scene_that_is_gone_cannot_be_read_again(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)
    (world.settings.data / "archive" / "s2" / "B04.tif").unlink()
    found = await verdict(world, http, await ask(http, run_id))
    assert (found["verdict"], codes(found), found["run"]) == ("cannot", ["input-gone"], None)
    assert "scene s2/S1 (B04) is not in the archive any more" in found["message"]


async def test_what_is_not_the_version_of_then_is_not_run(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)
    asked = [await ask(http, run_id) for _ in range(2)]
    artifacts = world.settings.data / "marketplace" / "artifacts"
    version = world.registry.version(_operator(), "ada/double@1.0.0")
    (stored,) = [path for path in artifacts.rglob(f"*{version.notebook_sha256[8:]}*") if path.is_file()]
    stored.chmod(0o600)
    stored.write_bytes(b"{}")
    found = await verdict(world, http, asked[0])
    assert (found["verdict"], codes(found)) == ("cannot", ["version-altered"])


async def test_a_yanked_version_and_a_missing_environment(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)
    described = world.settings.data / "environments" / "eo" / "environment.json"
    kept = described.read_text()
    described.write_text(json.dumps({**json.loads(kept), "lock_sha256": "0" * 64}))
    assert codes(await verdict(world, http, await ask(http, run_id))) == ["environment-gone"]
    described.write_text(kept)
    yanked = await http.post(
        "algorithms/ada/double/versions/1.0.0/yank", json={"reason": "it was wrong"}, headers=as_("ada")
    )
    assert yanked.status_code == 200, yanked.text
    found = await verdict(world, http, await ask(http, run_id))
    assert (found["verdict"], codes(found)) == ("cannot", ["version-yanked"])
    assert "it was wrong" in found["message"]


async def test_a_run_that_fails_or_is_refused_says_so(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)

    def failing(_: Run, folder: RunFolder) -> ProcessEnd | None:
        error = {"code": "cell-failed", "message": "no such band", "cell": 1, "traceback": ""}
        write_report(folder, outputs={}, error=error)
        return process_end()

    world.fake.script = failing
    found = await verdict(world, http, await ask(http, run_id))
    assert (found["verdict"], codes(found)) == ("cannot", ["run-failed"])
    assert "cell-failed in cell 2: no such band" in found["message"]
    found = await verdict(world, http, await ask(http, run_id, budget_millicredits=1))
    assert (found["verdict"], codes(found)) == ("cannot", ["refused"])


async def test_hashes_alone_are_compared_when_the_originals_file_is_gone(
    world: World, http: httpx.AsyncClient, comparer: FakeComparer
) -> None:
    run_id = await run(world, http)
    original = world.made.folders.of(run_id).result("double")
    original.write_bytes(b"edited")
    found = await verdict(world, http, await ask(http, run_id))
    assert found["verdict"] == "identical", "the hash of then is what counts"
    world.fake.script = emitting(b"7")
    for change in ("edited", "removed"):
        if change == "removed":
            original.unlink()
        found = await verdict(world, http, await ask(http, run_id))
        assert (found["verdict"], codes(found)[0]) == ("differs", "original-gone")
    assert comparer.calls == []


# Who may


async def test_only_who_may_see_the_run_asks_for_it(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)
    for who, status in (("cyd", 404), ("robot", 404)):
        answer = await http.post(f"runs/{run_id}/reproductions", json={}, headers=as_(who))
        assert answer.status_code == status
    mine, operators = await ask(http, run_id), await ask(http, run_id, "root")
    assert (await http.get(f"reproductions/{mine['id']}", headers=as_("cyd"))).status_code == 404
    for who, ids in (("bob", [mine["id"]]), ("root", [operators["id"], mine["id"]])):
        page = (await http.get(f"runs/{run_id}/reproductions", headers=as_(who))).json()
        assert [one["id"] for one in page["reproductions"]] == ids
    assert (await http.get("reproductions", headers=as_("cyd"))).json()["total"] == 0
    assert (await http.get(f"runs/{run_id}/reproductions", headers=as_("cyd"))).status_code == 404
    ended = await verdict(world, http, operators, "root")
    assert world.run(ended["run"]).caller == "root", "who asks pays"


async def test_a_receipt_is_enough_and_shows_no_files_of_others(
    world: World, http: httpx.AsyncClient, comparer: FakeComparer
) -> None:
    run_id = await run(world, http)
    receipt = json.loads((await http.get(f"runs/{run_id}/receipt", headers=as_("bob"))).content)
    asked = await http.post("reproductions", json={"receipt": receipt}, headers=as_("cyd"))
    assert asked.status_code == 202, asked.text
    assert (await verdict(world, http, asked.json(), "cyd"))["verdict"] == "identical"
    world.fake.script = emitting(b"7")
    asked = await http.post("reproductions", json={"receipt": receipt}, headers=as_("cyd"))
    found = await verdict(world, http, asked.json(), "cyd")
    assert (found["verdict"], codes(found)[0]) == ("differs", "original-gone")
    assert comparer.calls == []
    asked = await http.post("reproductions", json={"receipt": receipt}, headers=as_("bob"))
    await verdict(world, http, asked.json())
    assert len(comparer.calls) == 1
    receipt["receipt"]["payload"] = receipt["receipt"]["payload"][:-8] + "AAAAAAA="
    for wrong in (receipt, {}, {"receipt": 1}):
        refused = await http.post("reproductions", json={"receipt": wrong}, headers=as_("cyd"))
        assert (refused.status_code, refused.json()["code"]) == (422, "receipt-refused")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"tolerances": {"double": {"rtol": -1}}}, 422, "tolerance-invalid"),
        ({"tolerances": {"double": {"close": 1}}}, 422, "tolerance-invalid"),
        ({"tolerances": {"other": {}}}, 422, "no-such-output"),
        ({"tolerance": {}}, 422, "invalid"),
        ({"budget_millicredits": 0}, 422, "invalid"),
    ],
)
async def test_bad_requests_are_told_what_is_wrong(
    world: World, http: httpx.AsyncClient, body: dict[str, Any], status: int, code: str
) -> None:
    run_id = await run(world, http)
    answer = await http.post(f"runs/{run_id}/reproductions", json=body, headers=as_("bob"))
    told = answer.json()
    assert answer.status_code == status
    assert told["code"] == code or code == "invalid"
    assert told["findings"]
    assert (await http.get("reproductions", headers=as_("bob"))).json()["total"] == 0


async def test_only_a_finished_run_can_be_reproduced(world: World, http: httpx.AsyncClient) -> None:
    world.fake.hold_back = True
    made = await http.post("runs", json={"algorithm": "ada/double@1.0.0"}, headers=as_("bob"))
    answer = await http.post(f"runs/{made.json()['id']}/reproductions", json={}, headers=as_("bob"))
    assert (answer.status_code, answer.json()["code"]) == (409, "run-not-finished")


async def test_one_key_is_one_reproduction(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)
    first, second = await ask(http, run_id, key="k"), await ask(http, run_id, key="k")
    assert first["id"] == second["id"]
    body = {"budget_millicredits": 5}
    headers = as_("bob", **{"Idempotency-Key": "k"})
    reused = await http.post(f"runs/{run_id}/reproductions", json=body, headers=headers)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency-key-reused")


# Restarts and troubles


async def test_a_restart_goes_on_where_it_was(world: World, http: httpx.AsyncClient, comparer: FakeComparer) -> None:
    run_id = await run(world, http)
    world.fake.hold_back = True
    asked = await ask(http, run_id)
    world.made.reproduction_keeper.look()
    store = ReproductionStore(world.made.database)
    running = store.get(asked["id"])
    assert running is not None
    assert running.stage is Stage.RUNNING
    # Another process, after this one has died: the lease is taken over, the run is the same.
    world.made.reproduction_keeper.stop()
    assert running.run_id is not None
    world.look_until(running.run_id, RunStage.RUNNING)
    world.fake.let_end(running.run_id)
    other = make_world(
        world.settings.data,
        database_url=world.settings.database_url,
        executor=world.fake,
        comparer=comparer,
        quota=world.quota,
    )
    try:
        for _ in range(20):
            other.made.reconciler.look()
            other.made.reproduction_keeper.look()
            world.made.reconciler.look()
        ended = store.get(asked["id"])
        assert ended is not None
        assert (ended.outcome, ended.run_id) == ("identical", running.run_id)
        assert world.fake.starts.count(running.run_id) == 1
    finally:
        other.made.database.dispose()


async def test_a_comparer_that_is_away_is_waited_for_and_then_done_without(
    world: World, http: httpx.AsyncClient, comparer: FakeComparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swath_marketplace.services.reproduction_keeper._LONGEST_BACKOFF_SECONDS", 0.0)
    run_id = await run(world, http)
    world.fake.script = emitting(b"7")
    comparer.fail = "no environment"
    asked = await ask(http, run_id)
    found = await verdict(world, http, asked)
    assert (found["verdict"], codes(found)) == ("differs", ["not-compared"])
    assert 1 < len(comparer.calls) < 10


async def test_what_has_ended_never_changes(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)
    asked = await ask(http, run_id)
    await verdict(world, http, asked)
    store = ReproductionStore(world.made.database)
    ended = store.get(asked["id"])
    assert ended is not None
    with pytest.raises(LeaseLost):
        store.save(ended, holder=world.made.reproduction_keeper.holder)
    from swath_marketplace.store.reproduction_tables import reproductions

    for statement in (reproductions.update().values(message="x"), reproductions.delete()):
        with (
            pytest.raises(sa.exc.DatabaseError, match="does not change"),
            world.made.database.write() as connection,
        ):
            connection.execute(statement)


async def test_two_keepers_share_the_work(world: World, http: httpx.AsyncClient) -> None:
    run_id = await run(world, http)
    asked = await ask(http, run_id)
    store = ReproductionStore(world.made.database)
    now = world.run(run_id).created_at
    from datetime import timedelta

    until = now + timedelta(hours=1)
    assert [one.id for one in store.claim(holder="a", now=now, until=until)] == [asked["id"]]
    assert store.claim(holder="b", now=now, until=until) == []
    with pytest.raises(LeaseLost):
        store.save(_stored(store, asked["id"]), holder="b")
    assert [one.id for one in store.claim(holder="b", now=until + timedelta(seconds=1), until=until)] == [asked["id"]]


def _stored(store: ReproductionStore, reproduction_id: str) -> Any:
    found = store.get(reproduction_id)
    assert found is not None
    return found


def _operator() -> Any:
    from swath_marketplace.testing import operator

    return operator()
