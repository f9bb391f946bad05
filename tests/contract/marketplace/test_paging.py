"""Lists by cursor: whole, without repeats, whatever is added between two pages; on every kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from swath_marketplace.domain.breaks import Changes, Notice, NoticeKind
from swath_marketplace.store.breaks import NoticeStore, write_changes
from swath_marketplace.testing import PREFIX, World, notebook

VERSION = "algorithms/ada/double/versions/1.0.0"
AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        await client.post("algorithms", json={"notebook": notebook()}, headers=as_("ada"))
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def walk(
    http: httpx.AsyncClient, path: str, name: str, *, limit: int = 2, between: Callable[[], Any] | None = None
) -> list[dict[str, Any]]:
    """Every item by the next links; `between` is called after the first page."""
    found: list[dict[str, Any]] = []
    following: str | None = f"{path}{'&' if '?' in path else '?'}limit={limit}"
    while following:
        answer = await http.get(following, headers=as_("bob"))
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert len(told[name]) <= limit
        found += told[name]
        following = told["links"]["next"]
        header = answer.headers.get("link")
        assert header == (f'<{following}>; rel="next"' if following else None)
        assert (told["next_cursor"] is None) == (following is None)
        following = following and f"http://test{following}"
        if between:
            await between()
            between = None
    return found


async def start(http: httpx.AsyncClient, n: int = 3) -> str:
    answer = await http.post("runs", json={"algorithm": "ada/double", "parameters": {"n": n}}, headers=as_("bob"))
    run_id: str = answer.json()["id"]
    return run_id


async def test_runs_stay_where_they_are_while_others_are_made(world: World, http: httpx.AsyncClient) -> None:
    world.fake.hold_back = True
    made = [await start(http) for _ in range(5)]

    async def two_more() -> None:
        made.extend([await start(http), await start(http)])

    walked = [run["id"] for run in await walk(http, "runs", "runs", between=two_more)]
    assert walked == made[4::-1]
    assert [run["id"] for run in await walk(http, "runs?status=queued&status=running", "runs", limit=3)] == made[::-1]


async def test_a_cursor_is_of_one_list_and_no_authority(world: World, http: httpx.AsyncClient) -> None:
    world.fake.hold_back = True
    for _ in range(3):
        await start(http)
    told = (await http.get("runs", params={"limit": 1}, headers=as_("bob"))).json()
    cursor = told["next_cursor"]
    assert (told["offset"], told["next_offset"], told["total"]) == (0, 1, 3)
    more = (await http.get("runs", params={"limit": 2, "cursor": cursor}, headers=as_("bob"))).json()
    assert (len(more["runs"]), more["offset"], more["next_offset"], more["next_cursor"]) == (2, None, None, None)
    # Somebody else sees what is theirs, which is nothing.
    assert (await http.get("runs", params={"cursor": cursor}, headers=as_("cyd"))).json()["runs"] == []
    wrong: list[dict[str, Any]] = [
        {"cursor": cursor, "status": "queued"},
        {"cursor": cursor[:-2]},
        {"cursor": "A" + cursor[1:] if cursor[0] != "A" else "B" + cursor[1:]},
        {"cursor": ""},
        {"cursor": cursor, "offset": 1},
        {"cursor": "x" * 2001},
    ]
    for params in wrong:
        answer = await http.get("runs", params=params, headers=as_("bob"))
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), params
    for path in ("notices", "breaks", "reproductions", f"{VERSION}/reviews"):
        assert (await http.get(path, params={"cursor": cursor}, headers=as_("bob"))).status_code == 422, path


async def test_notices_of_one_moment_are_each_told_once(world: World, http: httpx.AsyncClient) -> None:
    told = tuple(
        Notice(
            id=f"n{number}",
            user="bob",
            kind=NoticeKind.BENCHMARK_BROKEN,
            text=f"number {number}",
            link="",
            at=AT + timedelta(microseconds=number // 3),
        )
        for number in range(7)
    )
    with world.made.database.write() as connection:
        write_changes(connection, Changes(opened=(), closed=(), notices=told))
    assert [one["id"] for one in await walk(http, "notices?unread=true", "notices")] == [
        "n6",
        "n3",
        "n4",
        "n5",
        "n0",
        "n1",
        "n2",
    ]

    async def read_one() -> None:
        NoticeStore(world.made.database).read("bob", "n6", at=AT)

    # What leaves the list between two pages makes none of the others be passed over.
    assert len(await walk(http, "notices?unread=true", "notices", between=read_one)) == 7


async def test_reviews_and_assessments_by_number(world: World, http: httpx.AsyncClient) -> None:
    for number in range(3):
        body = {
            "kind": "functional",
            "verdict": "approve",
            "text": f"The number {number} was doubled as it should be. " * 3,
        }
        answer = await http.post(f"{VERSION}/reviews", json=body, headers=as_("bob"))
        assert answer.status_code == 201, answer.text
        await http.get(f"{VERSION}/maturity", headers=as_("bob"))
    assert [one["number"] for one in await walk(http, f"{VERSION}/reviews", "reviews")] == [3, 2, 1]
    assessments = [one["number"] for one in await walk(http, f"{VERSION}/assessments", "assessments", limit=1)]
    assert assessments == list(range(len(assessments), 0, -1))
    assert await walk(http, f"{VERSION}/rounds", "rounds") == []
