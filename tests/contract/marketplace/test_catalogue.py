"""The catalogue over HTTP: what programs get of a search, and the page for people."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_marketplace.testing import PREFIX, World, make_world, notebook, user, write_environment

AS_BOB = {"Authorization": "Bearer bob"}
HTML = {**AS_BOB, "Accept": "text/html"}
BAD = '<script>alert(1)</script>"'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A catalogue of four that no test here changes."""
    data: Path = tmp_path_factory.mktemp("catalogue")
    write_environment(data, python=sys.executable)
    made = make_world(data)
    for number, licence in enumerate(("MIT", "MIT", "Apache-2.0")):
        book = notebook(name=f"water-{number}", title=f"Water {number}", license=licence)
        made.registry.publish(user("ada"), book)
    made.registry.publish(user("bob"), notebook(name="bad", title=BAD, summary="<img src=x>", keywords=["javascript:"]))
    yield made
    made.made.database.dispose()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}", headers=AS_BOB) as client:
        yield client


async def test_pages_follow_each_other_by_cursor_and_by_offset(http: httpx.AsyncClient) -> None:
    first = (await http.get("algorithms", params={"limit": 3})).json()
    assert (first["total"], first["next_offset"], len(first["algorithms"])) == (4, 3, 3)
    by_cursor = (await http.get("algorithms", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    by_offset = (await http.get("algorithms", params={"limit": 3, "offset": 3})).json()
    assert by_cursor["algorithms"] == by_offset["algorithms"]
    assert (by_cursor["next_cursor"], by_cursor["next_offset"], by_offset["next_offset"]) == (None, None, None)
    assert first["algorithms"][0]["links"]["self"] == f"{PREFIX}algorithms/bob/bad"


async def test_an_answer_that_did_not_change_is_not_sent_again(http: httpx.AsyncClient) -> None:
    answer = await http.get("algorithms?q=water&licence=MIT")
    tag = answer.headers["etag"]
    again = await http.get("algorithms?q=water&licence=MIT", headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = await http.get("algorithms?q=water", headers={"If-None-Match": tag})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("query", "field", "mend"),
    [
        ("level=best", "level", "prototype, incubating, verified"),
        ("price=cheap", "price", "free, paid"),
        ("sort=price", "sort", "relevance, use, level, newest"),
        ("kind=all", "kind", "algorithm, external, any"),
        ("limit=0", "limit", "1 to 200"),
        ("limit=%C2%B2", "limit", "1 to 200"),
        ("cursor=WyJ4Iiwx", "cursor", "begin again"),
        ("cursor=%F0%9F%98%80", "cursor", "begin again"),
        ("q=a&q=b", "q", "once"),
        ("q=" + "x" * 201, "q", "fewer words"),
        ("author=%00", "author", "facets"),
    ],
)
async def test_a_wrong_value_is_told_with_those_that_would_do(
    http: httpx.AsyncClient, query: str, field: str, mend: str
) -> None:
    answer = await http.get(f"algorithms?{query}")
    told = answer.json()
    assert (answer.status_code, told["code"], [one["field"] for one in told["findings"]]) == (
        422,
        "search-invalid",
        [field],
    )
    assert mend in told["findings"][0]["mend"]
    page = await http.get(f"algorithms?{query}", headers=HTML)
    assert (page.status_code, page.headers["content-type"]) == (422, "text/html; charset=utf-8")


async def test_a_cursor_is_good_for_its_question_alone(http: httpx.AsyncClient) -> None:
    cursor = (await http.get("algorithms?q=water&limit=1")).json()["next_cursor"]
    assert (await http.get("algorithms", params={"q": "water", "limit": 2, "cursor": cursor})).status_code == 200
    for other in (
        {"q": "fire"},
        {"q": "water", "sort": "newest"},
        {"q": "water", "licence": "MIT"},
        {"q": "water", "offset": 1},
    ):
        assert (await http.get("algorithms", params={**other, "cursor": cursor})).status_code == 422


@pytest.mark.parametrize("path", ["", "algorithms"])
async def test_browsers_get_a_page_and_programs_do_not(http: httpx.AsyncClient, path: str) -> None:
    page = await http.get(path, headers=HTML)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert len(page.content) < 100_000
    assert "<script" not in page.text
    assert "Water 2" in page.text
    told = await http.get(path, headers={**AS_BOB, "Accept": "*/*"})
    assert told.headers["content-type"] == "application/json"


async def test_nothing_that_somebody_wrote_is_markup(http: httpx.AsyncClient) -> None:
    page = await http.get("algorithms", params={"q": f"alert {BAD}", "collection": BAD}, headers=HTML)
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    page = await http.get("algorithms", params={"author": "bob"}, headers=HTML)
    assert "<img" not in page.text


async def test_what_is_chosen_can_be_taken_away(http: httpx.AsyncClient) -> None:
    page = (await http.get("algorithms?q=water&licence=MIT&sort=use", headers=HTML)).text
    assert 'value="MIT" checked' in page
    assert f'href="{PREFIX}algorithms?q=water&amp;sort=use"' in page
    assert f'href="{PREFIX}algorithms?licence=MIT&amp;sort=use"' in page
    assert "2 entries" in page


async def test_nothing_found_says_what_would_be(http: httpx.AsyncClient) -> None:
    page = (await http.get("algorithms?q=watr", headers=HTML)).text
    assert f'href="{PREFIX}algorithms?q=water"' in page
    page = (await http.get("algorithms?q=water&licence=CC0-1.0", headers=HTML)).text
    assert "without licence CC0-1.0" in page
    told: dict[str, Any] = (await http.get("algorithms?q=water&licence=CC0-1.0")).json()
    assert told["hints"] == [{"message": "without licence CC0-1.0", "without": "licence", "q": None, "count": 3}]
