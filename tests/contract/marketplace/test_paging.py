"""Lists by cursor: whole, without repeats, whatever is added between two pages; on every kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from swath_marketplace.domain.account_archive import ArchivedRun
from swath_marketplace.domain.account_work import AccountWork, WorkKind, WorkStage
from swath_marketplace.domain.breaks import Changes, Notice, NoticeKind
from swath_marketplace.domain.hooks import Message, Topic
from swath_marketplace.domain.reports import Report, ReportKind
from swath_marketplace.services.exit.documents import run_json
from swath_marketplace.store.account_tables import foreign_runs
from swath_marketplace.store.account_work import AccountWorkStore
from swath_marketplace.store.breaks import NoticeStore, write_changes
from swath_marketplace.store.hook_tables import webhooks
from swath_marketplace.store.moderation import ModerationStore
from swath_marketplace.store.outbox import tell
from swath_marketplace.store.reports import ReportStore
from swath_marketplace.testing import PREFIX, World, notebook, user

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
    http: httpx.AsyncClient,
    path: str,
    name: str,
    *,
    limit: int = 2,
    who: str = "bob",
    between: Callable[[], Any] | None = None,
) -> list[dict[str, Any]]:
    """Every item by the next links; `between` is called after the first page."""
    found: list[dict[str, Any]] = []
    following: str | None = f"{path}{'&' if '?' in path else '?'}limit={limit}"
    while following:
        answer = await http.get(following, headers=as_(who))
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
    others = (
        "notices",
        "breaks",
        "reproductions",
        f"{VERSION}/reviews",
        "acts",
        "reports",
        "ogc/processes",
        "algorithms",
    )
    for path in (*others, "account/exports", "account/imports", "imported-runs"):
        answer = await http.get(path, params={"cursor": cursor}, headers=as_("bob"))
        assert answer.status_code == (400 if path.startswith("ogc/") else 422), path


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


def _at(number: int) -> datetime:
    """Three of each moment."""
    return AT + timedelta(microseconds=number // 3)


def _reports(world: World) -> None:
    store = ReportStore(world.made.database, ModerationStore(world.made.database))
    algorithm = world.registry.get(user("ada"), "ada/double")
    said = {"kind": ReportKind.OTHER, "about": "ada", "text": "It is not what it says it is.", "reporter": "bob"}
    for number in range(7):
        of = {"algorithm_id": algorithm.id, "owner": "ada", "name": "double", "at": _at(number)}
        assert store.add(Report(id=f"r{number}", **said, **of), since=AT, most=100, told=())


def _work(world: World) -> None:
    store = AccountWorkStore(world.made.database)
    for number in range(7):
        for kind in WorkKind:
            done = {"stage": WorkStage.DONE, "ended_at": AT, "asked_at": _at(number), "owner": "bob"}
            store.create(AccountWork(id=f"{kind.value[0]}{number}", kind=kind, **done))


def _foreign(world: World) -> None:
    told = {"algorithm": "eve/far", "version": "1.0.0", "digest": "0" * 64, "purpose": "call", "status": "finished"}
    with world.made.database.write() as connection:
        for number in range(7):
            document = ArchivedRun(id=f"o{number}", **told, parameters={}, resources={}, created_at=_at(number))
            row = {"id": f"f{number}", "importer": "bob", "origin": "elsewhere", "origin_run_id": document.id}
            times = {"created_at": document.created_at, "imported_at": AT}
            connection.execute(foreign_runs.insert().values(**row, document=run_json(document), **times))


def _deliveries(world: World) -> None:
    hook = {"id": "h", "user": "bob", "kind": "webhook", "url": "https://example.org/", "topics": ["run.end"]}
    rest = {"form": "standard", "description": "", "secret_number": 1, "disabled_why": "", "created_at": AT}
    with world.made.database.write() as connection:
        connection.execute(webhooks.insert().values(**hook, **rest))
        for number in range(7):
            # Two things of one moment, told in this order.
            tell(
                connection,
                [
                    Message(key=f"{number}-{one}", topic=Topic.RUN_END, user="bob", at=_at(number), data={"n": number})
                    for one in range(2)
                ],
            )


async def test_what_happened_at_one_moment_is_told_once(world: World, http: httpx.AsyncClient) -> None:
    for put in (_reports, _work, _foreign, _deliveries):
        put(world)
    for path, name, count in (
        ("reports?box=mine", "reports", 7),
        ("reports?state=open", "reports", 7),
        ("account/exports?", "exports", 7),
        ("account/imports?", "imports", 7),
        ("imported-runs?", "runs", 7),
        ("webhooks/h/deliveries?", "deliveries", 14),
    ):
        whole = (await http.get(f"{path}&limit=200", headers=as_("bob"))).json()[name]
        walked = await walk(http, path, name)
        assert ([one["id"] for one in walked], len(walked)) == ([one["id"] for one in whole], count), path


async def test_acts_by_number_processes_and_what_is_found(world: World, http: httpx.AsyncClient) -> None:
    for verb in ("hide", "unhide", "hide", "unhide", "hide", "unhide"):
        answer = await http.post(f"algorithms/ada/double/{verb}", json={"reason": "to be seen"}, headers=as_("root"))
        assert answer.status_code == 200, answer.text
    assert [one["number"] for one in await walk(http, "acts", "acts", who="ada")] == [6, 5, 4, 3, 2, 1]
    for number in range(4):
        published = {"notebook": notebook(name=f"triple-{number}")}
        assert (await http.post("algorithms", json=published, headers=as_("ada"))).is_success
    names = [f"triple-{number}" for number in (3, 2, 1, 0)]
    assert [one["name"] for one in await walk(http, "algorithms?q=triple", "algorithms")] == names
    found: list[str] = []
    following: str | None = "ogc/processes?limit=2"
    while following:
        page = (await http.get(following, headers=as_("bob"))).json()
        found += [one["id"] for one in page["processes"]]
        following = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    assert [one for one in found if "triple" in one] == [f"ada.{name}" for name in names]
    assert len(set(found)) == len(found) == 5


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
