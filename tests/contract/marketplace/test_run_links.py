"""Links to runs: what they show to whom, until when, and that they can be taken back. And how results are shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_marketplace.domain.run_links import MOST_LINKS
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.testing import PREFIX, World, make_world, notebook


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(data: Path, database_url: str, clock: Clock) -> Any:
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=finishing(outputs={"double": b"<b>6"}))
    made = make_world(
        data, database_url=database_url, executor=executor, clock=clock, slots_cpus=4, slots_memory_mb=8192
    )
    yield made
    made.made.database.dispose()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://swath{PREFIX}") as client:
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


@pytest.fixture
async def run_id(http: httpx.AsyncClient, world: World) -> str:
    await http.post("algorithms", json={"notebook": notebook(), "version": "1.0.0"}, headers=as_("ada"))
    made = await http.post("runs", json={"algorithm": "ada/double@^1"}, headers=as_("bob"))
    return str(world.look_until(made.json()["id"]).id)


async def test_whoever_has_a_link_looks_until_it_is_over(http: httpx.AsyncClient, run_id: str, clock: Clock) -> None:
    made = await http.post(f"runs/{run_id}/shares", json={"days": 2}, headers=as_("bob"))
    assert made.status_code == 201
    path = made.json()["href"].removeprefix(PREFIX)
    assert made.headers["cache-control"] == "no-store"
    assert (await http.get(f"runs/{run_id}", headers=as_("cyd"))).status_code == 404
    seen = await http.get(path, headers=as_("cyd"))
    assert (seen.status_code, seen.json()["id"]) == (200, run_id)
    assert (await http.get(f"{path}/results/double", headers=as_("cyd"))).content == b"<b>6"
    part = await http.get(f"{path}/results/double", headers={**as_("cyd"), "Range": "bytes=1-1"})
    assert (part.status_code, part.content) == (206, b"b")
    assert (await http.get(f"{path}/log", headers=as_("cyd"))).status_code == 200
    assert "finished" in (await http.get(f"{path}/events", headers=as_("cyd"))).text
    page = await http.get(path, headers={**as_("cyd"), "accept": "text/html"})
    assert "bob shared this run with you" in page.text
    assert "verified" in page.text
    assert (await http.get(path)).status_code == 401
    clock.now += timedelta(days=2, seconds=1)
    assert (await http.get(path, headers=as_("cyd"))).json()["code"] == "no-such-link"
    assert (await http.get(f"{path}/results/double", headers=as_("cyd"))).status_code == 404


async def test_a_link_only_reads(http: httpx.AsyncClient, run_id: str) -> None:
    href = (await http.post(f"runs/{run_id}/shares", json={}, headers=as_("bob"))).json()["href"].removeprefix(PREFIX)
    assert (await http.get(href, headers=as_("cyd"))).status_code == 200
    for method, path in (
        ("DELETE", href),
        ("POST", f"{href}/shares"),
        ("DELETE", f"runs/{run_id}"),
        ("POST", f"runs/{run_id}/reproductions"),
    ):
        assert (await http.request(method, path, headers=as_("cyd"))).status_code in (404, 405)


async def test_it_is_taken_back_by_who_made_it(http: httpx.AsyncClient, run_id: str) -> None:
    made = (await http.post(f"runs/{run_id}/shares", json={}, headers=as_("bob"))).json()
    listed = (await http.get(f"runs/{run_id}/shares", headers=as_("bob"))).json()["shares"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert "href" not in listed[0]
    own = f"runs/{run_id}/shares/{made['id']}"
    assert (await http.delete(own, headers=as_("cyd"))).status_code == 404
    assert (await http.delete(own, headers=as_("root"))).status_code == 403
    for _ in range(2):
        assert (await http.delete(own, headers=as_("bob"))).status_code == 204
    assert (await http.get(made["href"].removeprefix(PREFIX), headers=as_("cyd"))).status_code == 404
    assert (await http.get(f"runs/{run_id}/shares", headers=as_("bob"))).json() == {"shares": []}
    assert (await http.delete(f"runs/{run_id}/shares/x", headers=as_("bob"))).json()["code"] == "no-such-link"


@pytest.mark.parametrize("who", ["cyd", "root", "robot"])
async def test_only_its_caller_shares_a_run(http: httpx.AsyncClient, run_id: str, who: str) -> None:
    assert (await http.post(f"runs/{run_id}/shares", json={}, headers=as_(who))).status_code in (403, 404)


async def test_links_have_bounds(http: httpx.AsyncClient, run_id: str) -> None:
    for days in (0, 91, "7", 1.5):
        assert (await http.post(f"runs/{run_id}/shares", json={"days": days}, headers=as_("bob"))).status_code == 422
    for _ in range(MOST_LINKS):
        assert (await http.post(f"runs/{run_id}/shares", json={}, headers=as_("bob"))).status_code == 201
    more = await http.post(f"runs/{run_id}/shares", json={}, headers=as_("bob"))
    assert more.json()["code"] == "too-many-links"


async def test_a_ticket_shows_one_output_and_nothing_in_it_acts(http: httpx.AsyncClient, run_id: str) -> None:
    ticket = f"runs/{run_id}/results/double/ticket"
    assert (await http.post(ticket, headers=as_("cyd"))).status_code == 404
    href = (await http.post(ticket, headers=as_("bob"))).json()["href"].removeprefix(PREFIX)
    shown = await http.get(href)
    assert (shown.status_code, shown.content) == (200, b"<b>6")
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert shown.headers["content-disposition"].startswith("inline")
    assert (await http.get(f"{href}x")).status_code == 404
    assert (await http.get(f"content/made-up/{href.rpartition('/')[2]}")).json()["code"] == "no-such-ticket"
