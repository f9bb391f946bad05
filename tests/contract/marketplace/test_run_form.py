"""The run form and the list of runs as the service writes them: readable without a script, and words are words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.testing import PREFIX, World, make_world, notebook

HTML = {"accept": "text/html"}
FORM = "algorithms/ada/double/versions/1.0.0/run"
NASTY = "<script>alert(1)</script>\"'&"


@pytest.fixture
def world(data: Path) -> Any:
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    made = make_world(data, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    yield made
    made.made.database.dispose()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://swath{PREFIX}") as client:
        book = notebook(parameters=f"# How many {NASTY}\nn: int = 3\n# A word\nword: str = 'x'")
        made = await client.post("algorithms", json={"notebook": book, "version": "1.0.0"}, headers=as_("ada"))
        assert made.status_code == 201, made.text
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def test_it_stands_as_its_author_filled_it(http: httpx.AsyncClient) -> None:
    page = await http.get(FORM, headers={**as_("bob"), **HTML})
    assert page.status_code == 200
    assert 'value="3"' in page.text
    assert "How many &lt;script&gt;" in page.text
    assert "<script>alert" not in page.text
    # By a token, and not by going there: no key, and it says so.
    assert "swath-page-" not in page.text
    assert "lets none of its scripts run" in page.text


async def test_a_link_and_an_earlier_run_fill_it(http: httpx.AsyncClient, world: World) -> None:
    asked = {"algorithm": "ada/double@^1", "parameters": {"n": 41, "word": NASTY}}
    run_id = (await http.post("runs", json=asked, headers=as_("bob"))).json()["id"]
    filled = await http.get(f"{FORM}?from={run_id}", headers={**as_("bob"), **HTML})
    assert 'value="41"' in filled.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;" in filled.text
    others = await http.get(f"{FORM}?from={run_id}", headers={**as_("cyd"), **HTML})
    assert 'value="41"' not in others.text
    assert "is not yours, or is gone" in others.text
    given = quote(json.dumps({"n": 7, "gone": 1}))
    linked = await http.get(f"{FORM}?parameters={given}", headers={**as_("bob"), **HTML})
    assert 'value="7"' in linked.text
    assert "no parameter gone" in linked.text


@pytest.mark.parametrize("given", ["{", "[1]", '"x"', '{"n": {"deep": [1, null]}, "word": 5}', '{"n": null}'])
async def test_odd_links_are_still_a_form(http: httpx.AsyncClient, given: str) -> None:
    page = await http.get(f"{FORM}?parameters={quote(given)}", headers={**as_("bob"), **HTML})
    assert page.status_code == 200
    assert 'id="p-n"' in page.text


async def test_a_version_that_does_not_run_says_why(http: httpx.AsyncClient) -> None:
    yank = {"reason": "wrong scale"}
    assert (
        await http.post("algorithms/ada/double/versions/1.0.0/yank", json=yank, headers=as_("ada"))
    ).status_code == 200
    page = await http.get(FORM, headers={**as_("bob"), **HTML})
    assert "wrong scale" in page.text
    assert "data-blocked" in page.text


async def test_the_list_of_runs(http: httpx.AsyncClient, world: World) -> None:
    empty = await http.get("runs", headers={**as_("bob"), **HTML})
    assert "You have not run anything yet" in empty.text
    for number in range(3):
        asked = {"algorithm": "ada/double@^1", "parameters": {"n": number}}
        world.look_until((await http.post("runs", json=asked, headers=as_("bob"))).json()["id"])
    page = await http.get("runs?limit=2&status=finished", headers={**as_("bob"), **HTML})
    assert page.text.count("ada/double 1.0.0") == 2
    following = page.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&").removeprefix(PREFIX)
    older = await http.get(following, headers={**as_("bob"), **HTML})
    assert older.text.count("ada/double 1.0.0") == 1
    assert "ada/double" not in (await http.get("runs", headers={**as_("cyd"), **HTML})).text.partition("<main")[2]
    assert (await http.get("runs", headers=as_("bob"))).json()["total"] == 3
