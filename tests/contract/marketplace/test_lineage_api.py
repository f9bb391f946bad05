"""Lineage over HTTP: from a run that really went through the reconciler, over each database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from swath.client.lineage import Lineage
from swath_marketplace.domain.endings import ProcessEnd
from swath_marketplace.domain.runs import Run
from swath_marketplace.executors.fake import FakeExecutor, Script, finishing, process_end
from swath_marketplace.run_folder import RunFolder, RunFolders
from swath_marketplace.testing import PREFIX, World, make_world, notebook

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def world(data: Path, database_url: str) -> Iterator[World]:
    (data / "archive").mkdir()
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"))
    made = make_world(data, database_url=database_url, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    yield made
    made.made.database.dispose()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        made = await client.post("algorithms", json={"notebook": notebook(), "version": "1.0.0"}, headers=as_("ada"))
        assert made.status_code == 201, made.text
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def reading(inputs: Sequence[Mapping[str, Any]], *, outputs: Mapping[str, bytes]) -> Script:
    """A run that reports `inputs` and brings `outputs` back."""
    inner = finishing(outputs=outputs)

    def script(run: Run, folder: RunFolder) -> ProcessEnd | None:
        inner(run, folder)
        (folder.out / "inputs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in inputs))
        return process_end()

    return script


async def run(
    world: World, http: httpx.AsyncClient, who: str, output: bytes, *scenes: tuple[str, bytes]
) -> dict[str, Any]:
    """A finished run that read `scenes`, items with their bytes, and made `output`."""
    inputs = []
    for item, content in scenes:
        path = Path("s2", hashlib.sha256(item.encode()).hexdigest()[:8], "B04.tif")
        file = world.settings.data / "archive" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        inputs.append({"collection": "s2", "item": item, "asset": "B04", "href": f"/archive/{path}"})
    world.fake.script = reading(inputs, outputs={"double": output})
    made = await http.post("runs", json={"algorithm": "ada/double@1.0.0"}, headers=as_(who))
    assert made.status_code == 201, made.text
    world.look_until(made.json()["id"])
    told: dict[str, Any] = (await http.get(f"runs/{made.json()['id']}", headers=as_(who))).json()
    assert told["status"] == "finished"
    return told


def scene(item: str, content: bytes = b"pixels") -> tuple[str, bytes]:
    return item, content


async def lineage(http: httpx.AsyncClient, path: str, who: str = "bob", **params: Any) -> dict[str, Any]:
    answer = await http.get(path, params=params, headers=as_(who))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_from_a_result_to_its_scenes_and_back(world: World, http: httpx.AsyncClient) -> None:
    first = await run(world, http, "bob", b"one", scene("S1"))
    second = await run(world, http, "bob", b"two", scene("one", b"one"), scene("S2", b"others"))
    assert second["links"]["lineage"] == f"{PREFIX}runs/{second['id']}/lineage"
    told = await lineage(http, f"runs/{second['id']}/lineage")
    assert [(node["id"], node["depth"]) for node in told["nodes"]] == [
        (f"run:{second['id']}", 0),
        (f"run:{first['id']}", 1),
        ("scene:s2/S2", 1),
        ("scene:s2/S1", 2),
    ]
    assert told["nodes"][1]["run"]["parameters"] == {"n": 3}
    # What a caller's client makes of it.
    assert Lineage(told, picture=str).tree().splitlines() == [
        f"ada/double 1.0.0  run {second['id']}, finished",
        f"├─ ada/double 1.0.0  run {first['id']}, finished  [double]",
        "│  └─ s2/S1  [B04]",
        "└─ s2/S2  [B04]",
    ]
    same = await lineage(http, f"lineage/{sha(b'two')}")
    assert (same["root"], len(same["nodes"])) == (f"file:{sha(b'two')}", 5)
    down = await lineage(http, f"lineage/{sha(b'pixels')}", direction="down")
    assert [node["id"] for node in down["nodes"]] == ["scene:s2/S1", f"run:{first['id']}", f"run:{second['id']}"]
    assert down["root"] == "scene:s2/S1"
    short = await lineage(http, f"runs/{second['id']}/lineage", depth=0)
    assert (short["cut_off"], short["nodes"][0]["cut"]) == (True, True)


async def test_a_lineage_is_its_callers(world: World, http: httpx.AsyncClient) -> None:
    made = await run(world, http, "bob", b"one", scene("S1"))
    for path in (f"runs/{made['id']}/lineage", f"lineage/{sha(b'one')}", f"lineage/{sha(b'pixels')}"):
        for direction in ("up", "down"):
            refused = await http.get(path, params={"direction": direction}, headers=as_("cyd"))
            assert (refused.status_code, "ada/double" in refused.text) == (404, False)
            assert (await http.get(path, params={"direction": direction}, headers=as_("root"))).status_code == 200
    assert (await http.get(f"lineage/{sha(b'one')}")).status_code == 401


async def test_others_runs_stay_theirs(world: World, http: httpx.AsyncClient) -> None:
    theirs = await run(world, http, "cyd", b"secret", scene("S1"))
    mine = await run(world, http, "bob", b"mine", scene("secret", b"secret"))
    answer = await http.get(f"runs/{mine['id']}/lineage", headers=as_("bob"))
    assert theirs["id"] not in answer.text
    assert "cyd" not in answer.text
    other = answer.json()["nodes"][1]
    assert (other["id"], other["algorithm"], other["cut"], other.get("run")) == ("other:1", "ada/double", True, None)
    down = await lineage(http, f"lineage/{sha(b'secret')}", direction="down")
    assert [node["kind"] for node in down["nodes"]] == ["scene", "run"]


@pytest.mark.parametrize("digest", ["x", "A" * 64, "0" * 63])
async def test_what_is_no_sha256_is_told_so(http: httpx.AsyncClient, digest: str) -> None:
    refused = await http.get(f"lineage/{digest}", headers=as_("bob"))
    assert (refused.status_code, refused.json()["code"]) == (422, "bad-sha256")


async def test_the_picture_holds_nothing_that_acts(world: World, http: httpx.AsyncClient) -> None:
    item = "<script>alert(1)</script>&\"'\x07"
    made = await run(world, http, "bob", b"one", scene(item))
    answer = await http.get(f"runs/{made['id']}/lineage", params={"format": "svg"}, headers=as_("bob"))
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    svg = ET.fromstring(answer.text)
    assert {element.tag for element in svg.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "title", "rect", "path", "g", "text")
    }
    assert any("s2/<script>" in (element.text or "") for element in svg.iter(f"{SVG}title"))
