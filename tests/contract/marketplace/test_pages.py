"""Pages of runs and of maturity: what they tell, that nothing in them acts, and the button that reproduces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.testing import PREFIX, World, make_world, notebook

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
GOES_THERE = {**HTML, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "same-origin"}
NASTY = "<script>alert(1)</script>\"'&"


@pytest.fixture
def world(data: Path) -> Any:
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    made = make_world(data, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    yield made
    made.made.database.dispose()


@pytest.fixture
def browser(bobs_browser: httpx.AsyncClient) -> httpx.AsyncClient:
    return bobs_browser


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def run_of(browser: httpx.AsyncClient, world: World, *, who: str = "bob", **more: Any) -> str:
    book = notebook(parameters="# How many\nn: int = 3\n# A word\nword: str = 'x'", **more)
    made = await browser.post("algorithms", json={"notebook": book, "version": "1.0.0"}, headers=as_("ada"))
    assert made.status_code in (200, 201), made.text
    asked = {"algorithm": "ada/double@^1", "parameters": {"word": NASTY}}
    run_id: str = (await browser.post("runs", json=asked, headers=as_(who))).json()["id"]
    world.look_until(run_id)
    return run_id


async def test_a_browser_gets_a_page_and_a_program_json(browser: httpx.AsyncClient, world: World) -> None:
    run_id = await run_of(browser, world)
    page, data = await browser.get(f"runs/{run_id}", headers=HTML), await browser.get(f"runs/{run_id}")
    assert page.headers["content-type"].startswith("text/html")
    assert data.json()["id"] == run_id
    for told in ("ada/double 1.0.0", "verified", "Where it comes from", "Nobody has run it again yet", run_id):
        assert told in page.text
    assert (await browser.get("static/pages.css")).headers["content-type"].startswith("text/css")


async def test_nothing_in_a_page_acts(browser: httpx.AsyncClient, world: World) -> None:
    run_id = await run_of(browser, world, title=f"Doubles {NASTY}")
    for path in (f"runs/{run_id}", "algorithms/ada/double/versions/1.0.0/page"):
        page = await browser.get(path, headers=GOES_THERE)
        assert page.status_code == 200
        # No script but ours: by the page's nonce alone, and what it is told stands there as data.
        nonces = re.findall(r"script-src ([^;]*)", page.headers["content-security-policy"])
        ours = re.findall(r'<script type="(?:module|application/json)"[^>]* nonce="([\w-]+)"', page.text)
        assert page.text.count("<script") == len(ours)
        assert nonces == [f"'nonce-{nonce}' 'strict-dynamic'" for nonce in sorted(set(ours))]
        assert not re.search(r"\son\w+=|javascript:|style=", page.text)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"
    assert "&lt;script&gt;" in (await browser.get(f"runs/{run_id}", headers=HTML)).text


async def test_another_s_run_is_not_there(browser: httpx.AsyncClient, world: World) -> None:
    run_id = await run_of(browser, world, who="cyd")
    for path in (f"runs/{run_id}", "runs/nothing"):
        page = await browser.get(path, headers=HTML)
        assert page.status_code == 404
        assert "That did not work" in page.text
    none = await browser.get("algorithms/ada/none/versions/1/page", headers=HTML)
    assert (none.status_code, "no algorithm" in none.text) == (404, True)


async def test_a_run_that_failed_has_no_button_and_says_why(browser: httpx.AsyncClient, world: World) -> None:
    world.fake.script = finishing(outputs={})
    run_id = await run_of(browser, world)
    page = await browser.get(f"runs/{run_id}", headers=GOES_THERE)
    assert "error" in page.text
    assert "Reproduce" not in page.text


def token_in(page: httpx.Response) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


async def test_the_button_reproduces_once_for_who_sees_it(browser: httpx.AsyncClient, world: World) -> None:
    run_id = await run_of(browser, world)
    page = await browser.get(f"runs/{run_id}", headers=GOES_THERE)
    policy = page.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "allow-same-origin" not in policy
    assert "allow-same-origin" not in page.headers["content-security-policy"]
    form, no_cookie = {"token": token_in(page)}, {"cookie": ""}
    first = await browser.post(f"runs/{run_id}/reproduce", data=form, headers=no_cookie)
    assert (first.status_code, first.headers["location"]) == (303, f"{PREFIX}runs/{run_id}#reproductions")
    again = await browser.post(f"runs/{run_id}/reproduce", data=form, headers=no_cookie)
    assert (again.status_code, "used before" in again.text) == (403, True)
    told = (await browser.get(f"runs/{run_id}/reproductions", headers=as_("bob"))).json()
    assert [one["asked_by"] for one in told["reproductions"]] == ["bob"]
    assert "by bob" in (await browser.get(f"runs/{run_id}", headers=HTML)).text


@pytest.mark.parametrize(
    "headers", [HTML, {**GOES_THERE, "sec-fetch-mode": "cors"}, {**GOES_THERE, "sec-fetch-dest": "iframe"}]
)
async def test_a_script_gets_the_page_without_the_button(
    browser: httpx.AsyncClient, world: World, headers: dict[str, str]
) -> None:
    run_id = await run_of(browser, world)
    page = await browser.get(f"runs/{run_id}", headers=headers)
    assert 'name="token"' not in page.text
    assert f"swath reproduce {run_id}" in page.text


async def test_a_token_is_for_one_run(browser: httpx.AsyncClient, world: World) -> None:
    one, other = await run_of(browser, world), await run_of(browser, world)
    token = token_in(await browser.get(f"runs/{one}", headers=GOES_THERE))
    refused = await browser.post(f"runs/{other}/reproduce", data={"token": token})
    assert refused.status_code == 403
    for form in ({}, {"token": "made-up"}):
        assert (await browser.post(f"runs/{one}/reproduce", data=form)).status_code in (403, 422)
    told = (await browser.get("reproductions", headers=as_("bob"))).json()
    assert told["total"] == 0


async def test_a_version_s_page_tells_its_level_and_what_is_missing(browser: httpx.AsyncClient, world: World) -> None:
    await run_of(browser, world)
    page = await browser.get("algorithms/ada/double/versions/1.0.0/page", headers=HTML)
    for told in ("prototype", "Missing for", "What its evidence shows", "A licence in SPDX form"):
        assert told in page.text


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("runs?limit=many", 422, "<p>Limit: Input"),
        ("nowhere/at/all", 404, "nothing at this address"),
        ("runs/none", 404, "no such run"),
        ("runs", 500, "the operator finds it in the log"),
    ],
)
async def test_every_error_is_a_page_in_a_browser_and_a_problem_for_programs(
    browser: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch, *, path: str, status: int, told: str
) -> None:
    if status == 500:
        monkeypatch.setattr(type(world.runs), "list", lambda *_, **__: 1 / 0)
    page, problem = await browser.get(path, headers=HTML), await browser.get(path)
    assert (page.status_code, problem.status_code) == (status, status)
    assert page.headers["content-type"].startswith("text/html")
    assert problem.headers["content-type"] == "application/problem+json"
    assert told.lower() in page.text.lower()
    assert re.search(r"· id \w{8,}", page.text)
