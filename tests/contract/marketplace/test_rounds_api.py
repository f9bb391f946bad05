"""Rounds, breaks, drift and notices over HTTP: shapes, statuses, and who may see and ask for what."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.executors.fake_comparer import FakeComparer
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.testing import PREFIX, World, make_world, notebook, write_environment

VERSION = "algorithms/ada/double/versions/1.0.0"


@pytest.fixture
def bench(tmp_path: Path, database_url: str) -> Any:
    """A marketplace whose runs bring six, whatever they are asked."""
    write_environment(tmp_path, python=sys.executable)
    executor = FakeExecutor(RunFolders(tmp_path / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    made = make_world(
        tmp_path,
        database_url=database_url,
        executor=executor,
        comparer=FakeComparer(),
        slots_cpus=4,
        slots_memory_mb=8192,
    )
    yield made
    made.made.database.dispose()


@pytest.fixture
async def http(bench: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(bench.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        made = await ask(client, "POST", "algorithms", json={"notebook": notebook(), "version": "1.0.0"})
        assert made.status_code == 201
        yield client


async def ask(http: httpx.AsyncClient, method: str, path: str, *, who: str = "ada", **more: Any) -> httpx.Response:
    return await http.request(method, path, headers={"Authorization": f"Bearer {who}"}, **more)


async def put(http: httpx.AsyncClient, reference: bytes) -> None:
    expected = {"reference": "references/x.bin", "sha256": hashlib.sha256(reference).hexdigest()}
    scenario = {"title": "Three", "parameters": {"n": 3}, "outputs": {"double": expected}}
    parts = [
        ("files", ("scenarios/three.json", json.dumps(scenario).encode())),
        ("files", ("references/x.bin", reference)),
    ]
    assert (await ask(http, "PUT", f"{VERSION}/dossier", files=parts)).status_code == 201


def settle(bench: World) -> None:
    store = RoundStore(bench.made.database)
    for _ in range(300):
        bench.made.keeper.look()
        if not (store.open() or store.untold()):
            return
        bench.made.reconciler.look()
    raise AssertionError("a round is still open")


async def test_a_round_is_asked_for_followed_and_kept(bench: World, http: httpx.AsyncClient) -> None:
    await put(http, b"6")
    asked = await ask(http, "POST", f"{VERSION}/rounds")
    assert asked.status_code == 202
    told = asked.json()
    assert asked.headers["location"] == told["links"]["self"] == f"{PREFIX}rounds/{told['id']}"
    assert (told["state"], told["green"], told["results"], told["trigger"]) == ("waiting", None, [], "publish")
    again = (await ask(http, "POST", f"{VERSION}/rounds", who="root")).json()
    assert again["id"] == told["id"]
    going = (await ask(http, "GET", f"{VERSION}/rounds", who="bob")).json()
    assert [one["id"] for one in going["open"]] == [told["id"]]
    settle(bench)
    over = (await ask(http, "GET", f"rounds/{told['id']}", who="bob")).json()
    assert (over["state"], over["green"]) == ("ended", True)
    (result,) = over["results"]
    assert result["outcome"] == "green"
    assert result["comparisons"]["double"]["verdict"] == "identical"
    assert [run["run"] for run in over["runs"]] == result["run_ids"]
    kept = (await ask(http, "GET", f"{VERSION}/rounds", who="bob")).json()
    assert kept["open"] == []
    assert [one["id"] for one in kept["rounds"]] == [told["id"]]
    drift = (await ask(http, "GET", f"{VERSION}/drift", who="bob")).json()["scenarios"]["three"]
    assert (drift["seconds"]["verdict"], drift["seconds"]["samples"][0]["value"]) == ("too-few", 1.0)
    assert drift["cost_credits"]["median"] is None


async def test_a_break_is_public_and_its_notice_is_the_authors(bench: World, http: httpx.AsyncClient) -> None:
    await put(http, b"7")
    settle(bench)
    breaks = (await ask(http, "GET", "breaks", who="cyd")).json()
    assert (breaks["total"], breaks["next_offset"]) == (1, None)
    (broken,) = breaks["breaks"]
    assert (broken["algorithm"], broken["scenario"], broken["output"]) == ("ada/double", "three", "double")
    assert broken["comparison"]["verdict"] == "differs"
    assert (await ask(http, "GET", broken["links"]["round"].removeprefix(PREFIX), who="cyd")).status_code == 200
    told = (await ask(http, "GET", "notices", params={"unread": True})).json()
    (notice,) = told["notices"]
    assert (notice["kind"], notice["read_at"]) == ("benchmark-broken", None)
    assert (await ask(http, "POST", f"notices/{notice['id']}/read", who="bob")).status_code == 404
    first = (await ask(http, "POST", f"notices/{notice['id']}/read")).json()
    assert first["read_at"]
    assert (await ask(http, "POST", f"notices/{notice['id']}/read")).json() == first
    assert (await ask(http, "GET", "notices", params={"unread": True})).json()["total"] == 0
    await put(http, b"6")
    settle(bench)
    assert (await ask(http, "GET", "breaks")).json()["breaks"] == []
    (closed,) = (await ask(http, "GET", "breaks", params={"state": "all"})).json()["breaks"]
    assert closed["closed_why"] == "green"


@pytest.mark.parametrize(
    ("method", "path", "who", "status"),
    [
        ("POST", f"{VERSION}/rounds", "bob", 403),
        ("POST", f"{VERSION}/rounds", "robot", 403),
        ("POST", f"{VERSION}/rounds", "nobody", 401),
        ("POST", "algorithms/ada/double/versions/^1/rounds", "ada", 422),
        ("POST", "algorithms/ada/double/versions/9.0.0/rounds", "ada", 404),
        ("POST", f"{VERSION}/rounds", "ada", 409),
        ("GET", "rounds/0000", "ada", 404),
        ("GET", "rounds/..%2f..%2fetc", "ada", 404),
        ("GET", "rounds/x/pictures/three/reference/..%2f..%2fx.png", "ada", 404),
        ("GET", "algorithms/ada/other/versions/1.0.0/rounds", "ada", 404),
        ("GET", "algorithms/ada/other/versions/1.0.0/drift", "ada", 404),
        ("GET", "breaks?state=never", "ada", 422),
        ("GET", "notices", "nobody", 401),
        ("POST", "notices/0000/read", "ada", 404),
    ],
)
async def test_what_is_refused(http: httpx.AsyncClient, method: str, path: str, who: str, status: int) -> None:
    answer = await ask(http, method, path, who=who)
    assert answer.status_code == status, answer.text


async def test_a_picture_is_found_by_its_name_alone(bench: World, http: httpx.AsyncClient, tmp_path: Path) -> None:
    await put(http, b"7")
    settle(bench)
    (broken,) = (await ask(http, "GET", "breaks")).json()["breaks"]
    folder = f"{broken['links']['round'].removeprefix(PREFIX)}/pictures/three"
    drawn = tmp_path / "marketplace" / "rounds" / folder.split("/")[1] / "three" / "reference"
    (drawn / "double.png").write_bytes(b"\x89PNG")
    (drawn / "secret.png").symlink_to(__file__)
    assert (await ask(http, "GET", f"{folder}/reference/double.png")).content == b"\x89PNG"
    for wrong in ("reference/secret.png", "repeat/double.png", "elsewhere/double.png", "reference/double.txt"):
        assert (await ask(http, "GET", f"{folder}/{wrong}")).status_code == 404, wrong
    assert (await ask(http, "GET", f"{folder.replace('three', 'four')}/reference/double.png")).status_code == 404


async def test_every_run_says_what_it_is_made_for(bench: World, http: httpx.AsyncClient) -> None:
    await put(http, b"6")
    settle(bench)
    made = await ask(http, "POST", "runs", who="bob", json={"algorithm": "ada/double", "parameters": {"n": 3}})
    assert made.json()["purpose"] == "call"
    listed = (await ask(http, "GET", "runs", who="root", params={"everybody": True})).json()["runs"]
    assert sorted(run["purpose"] for run in listed) == ["benchmark", "benchmark", "call"]
    sent = {"algorithm": "ada/double", "parameters": {"n": 3}, "purpose": "benchmark"}
    assert (await ask(http, "POST", "runs", who="bob", json=sent)).status_code == 422
