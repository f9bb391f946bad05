"""What authors ask: set over HTTP once a version is verified, quoted, held, paid and divided, over each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from swath_marketplace.domain.added_value import AddedValuePrice, Per, price_at
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.runs import RunStatus, Stage
from swath_marketplace.executors.fake import finishing, process_end
from swath_marketplace.executors.protocol import StartFailed
from swath_marketplace.services.holds import price_version_of
from swath_marketplace.store.database import Database
from swath_marketplace.testing import PREFIX, World, notebook
from swath_quota.client import NoSuchAuthor

CEILING = 375 + 500 + 2000
Publish = Callable[..., Awaitable[None]]
#: A tenth of a degree on a side, on the equator: 12,308.9 km² a square degree.
BOX = {"west": 0.0, "south": 0.0, "east": 0.1, "north": 0.1}


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


@pytest.fixture
def publish(http: httpx.AsyncClient, world: World) -> Publish:
    """Publishes ada/double 1.0.0, of a level that its evidence is said to earn."""

    async def publishes(level: str | None = "operational", **more: Any) -> None:
        body = {"notebook": notebook(**more), "version": "1.0.0"}
        made = await http.post("algorithms", json=body, headers=as_("ada"))
        assert made.status_code == 201, made.text
        if level:
            world.prove("ada/double@1.0.0", MaturityLevel(level))

    return publishes


async def mark(http: httpx.AsyncClient, level: str, *, who: str = "root") -> httpx.Response:
    body = {"level": level, "reason": "looked at"}
    return await http.put("algorithms/ada/double/versions/1.0.0/maturity", json=body, headers=as_(who))


async def price(http: httpx.AsyncClient, per: str | None = "run", *, who: str = "ada", **body: Any) -> httpx.Response:
    said = {"per": per, "millicredits": 0 if per is None else 3_000, **body}
    return await http.put("algorithms/ada/double/price", json=said, headers=as_(who))


async def ask(http: httpx.AsyncClient, what: str = "runs", *, who: str = "bob", **body: Any) -> httpx.Response:
    return await http.post(what, json={"algorithm": "ada/double@^1", **body}, headers=as_(who))


def earned(world: World, author: str = "ada") -> int:
    month = f"{datetime.now(UTC):%Y-%m}"
    try:
        return world.quota.payouts(author, month).closing
    except NoSuchAuthor:
        return 0


# Setting a price


async def test_a_price_waits_for_a_verified_version(http: httpx.AsyncClient, world: World, publish: Publish) -> None:
    await publish(level=None)
    # A mark bounds a level, and raises none.
    assert (await mark(http, "operational")).status_code == 200
    for level in (None, "incubating"):
        if level:
            world.prove("ada/double@1.0.0", MaturityLevel(level))
        refused = await price(http)
        assert refused.status_code == 409
        told = refused.json()
        assert (told["code"], told["needed"], told["level"]) == ("not-mature", "verified", level or "prototype")
    assert (await price(http, None)).status_code == 200, "to ask nothing is always possible"
    world.prove("ada/double@1.0.0", MaturityLevel.VERIFIED)
    set_ = await price(http)
    assert set_.status_code == 200
    assert (set_.json()["current"]["per"], set_.json()["current"]["millicredits"]) == ("run", 3_000)
    assert [one["version"] for one in set_.json()["prices"]] == [1, 2]


async def test_who_may_set_what(http: httpx.AsyncClient, publish: Publish) -> None:
    await publish()
    assert (await price(http, who="bob")).status_code == 403
    assert (await price(http, who="root")).status_code == 200
    assert (await mark(http, "validated", who="ada")).status_code == 403
    assert (await http.get("algorithms/ada/double/price", headers=as_("bob"))).json()["current"]["set_by"] == "root"
    assert (await http.get("algorithms/ada/nothing/price", headers=as_("bob"))).status_code == 404
    assert (await mark(http, "validated")).status_code == 200
    shown = await http.get("algorithms/ada/double/versions/1.0.0/maturity", headers=as_("bob"))
    assert (shown.json()["level"], shown.json()["marks"][0]["set_by"]) == ("validated", "root")
    body = {"level": "verified", "reason": "looked at"}
    ranged = await http.put("algorithms/ada/double/versions/%5E1/maturity", json=body, headers=as_("root"))
    assert (ranged.status_code, ranged.json()["code"]) == (422, "not-a-version")


async def test_prices_are_added_and_never_changed(
    http: httpx.AsyncClient, publish: Publish, database: Database
) -> None:
    await publish()
    first = (await price(http)).json()
    await mark(http, "validated")
    assert (await price(http)).json() == first, "the same again is one price"
    later = (datetime.now(UTC) + timedelta(days=5)).isoformat()
    announced = (await price(http, "cpu_hour", effective_at=later)).json()
    assert announced["current"] == first["current"]
    assert (await price(http, "cpu_hour", effective_at=later)).json() == announced
    assert [one["per"] for one in announced["prices"]] == ["run", "cpu_hour"]
    for table in ("added_value_prices", "maturity_marks"):
        for statement in (f"UPDATE {table} SET sequence = 9", f"DELETE FROM {table}"):
            with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.write() as connection:
                connection.execute(sa.text(statement))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"per": "run", "millicredits": 0}, "millicredits"),
        ({"per": None, "millicredits": 5}, "millicredits"),
        ({"per": "km2"}, "per"),
        ({"effective_at": "2020-01-01T00:00:00Z"}, "effective_at"),
        ({"per": "day"}, "per"),
        ({"millicredits": -1}, "millicredits"),
    ],
)
async def test_a_price_that_is_none(
    http: httpx.AsyncClient, publish: Publish, body: dict[str, Any], field: str
) -> None:
    await publish()
    said = {"per": "run", "millicredits": 3_000, **body}
    refused = await http.put("algorithms/ada/double/price", json=said, headers=as_("ada"))
    assert refused.status_code == 422
    assert field in str(refused.json()["findings"][0])


def test_the_price_in_force_is_that_which_began_last() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def made(sequence: int, days: int) -> AddedValuePrice:
        return AddedValuePrice(
            algorithm_id="a",
            sequence=sequence,
            per=Per.RUN,
            millicredits=1,
            set_by="ada",
            set_at=start,
            effective_at=start + timedelta(days=days),
        )

    known = [made(1, 0), made(2, 10), made(3, 5), made(4, 10)]
    found = [price_at(known, start + timedelta(days=days)) for days in (-1, 0, 7, 10, 99)]
    assert [one and one.sequence for one in found] == [None, 1, 3, 4, 4]


# Quotes, holds, runs


async def test_a_run_pays_what_was_quoted(http: httpx.AsyncClient, publish: Publish, world: World) -> None:
    await publish("validated")
    await price(http)
    quote = (await ask(http, "quotes")).json()
    assert (quote["hold_millicredits"], quote["ceiling_millicredits"]) == (CEILING + 3_000, CEILING + 3_000)
    told = quote["added_value"]
    assert (told["author"], told["per"], told["millicredits"], told["bound"]) == ("ada", "run", 3_000, 3_000)
    run = (await ask(http)).json()
    assert run["quote_millicredits"] == CEILING + 3_000
    assert run["cost"] is None
    held = world.quota.get_hold(f"run-{run['id']}")
    assert held is not None
    assert held.added_value is not None
    assert (held.added_value.author, held.added_value.maturity) == ("ada", "validated")
    assert world.look_until(run["id"]).status is RunStatus.FINISHED
    ended = (await http.get(f"runs/{run['id']}", headers=as_("bob"))).json()
    assert ended["cost"]["added_value_millicredits"] == 3_000
    assert ended["cost"]["resources_millicredits"] == ended["cost_millicredits"] - 3_000
    assert ended["added_value"]["paid"] == 3_000
    assert earned(world) == 1_500, "half, of a validated version"
    assert world.quota.audit().ok


async def test_square_kilometres_are_those_of_the_box(http: httpx.AsyncClient, publish: Publish, world: World) -> None:
    area = "# Where\narea: BBox = " + repr(BOX) + "\n# Not an area\narea_km2: float = 1.0\n# How many\nn: int = 3"
    await publish(parameters="from swath import BBox\n" + area)
    assert (await price(http, "km2", millicredits=100)).status_code == 200
    quote = (await ask(http, "quotes")).json()
    assert quote["added_value"]["area_km2"] == pytest.approx(123.09, abs=0.01)
    due = round(quote["added_value"]["area_km2"] * 100)
    assert quote["added_value"]["bound"] == due
    run = (await ask(http)).json()
    assert world.look_until(run["id"]).added_value.paid == due  # type: ignore[union-attr]
    assert earned(world) == due
    wide = (await ask(http, "quotes", parameters={"area": {**BOX, "east": 0.2}})).json()
    assert wide["added_value"]["bound"] == pytest.approx(2 * due, abs=1)


async def test_an_area_that_cannot_be_told_is_refused(http: httpx.AsyncClient, publish: Publish) -> None:
    await publish(parameters="from swath import BBox\n# Where\narea: BBox | None = None\n# How many\nn: int = 3")
    await price(http, "km2", millicredits=100)
    refused = await ask(http)
    assert (refused.status_code, refused.json()["code"]) == (422, "area-unknown")


async def test_cpu_hours_are_those_that_were_used(http: httpx.AsyncClient, publish: Publish, world: World) -> None:
    await publish()
    await price(http, "cpu_hour", millicredits=36_000)
    world.fake.script = finishing(outputs={"double": b"6"}, cpu_seconds=10)
    quote = (await ask(http, "quotes")).json()
    assert quote["added_value"]["bound"] == 9_000, "900 s of one core"
    run = (await ask(http)).json()
    assert world.look_until(run["id"]).added_value.paid == 100  # type: ignore[union-attr]
    assert earned(world) == 100


async def test_the_hold_bounds_cpu_hours_once_runs_are_known(
    http: httpx.AsyncClient, publish: Publish, world: World
) -> None:
    await publish()
    await price(http, "cpu_hour", millicredits=36_000)
    world.fake.script = finishing(outputs={"double": b"6"}, cpu_seconds=10)
    for _ in range(10):
        world.look_until((await ask(http)).json()["id"])
    quote = (await ask(http, "quotes")).json()
    assert quote["estimate"]["basis"] == "history"
    assert 100 <= quote["added_value"]["bound"] < 9_000
    assert quote["hold_millicredits"] >= quote["estimate"]["hold"] + quote["added_value"]["bound"] - 1
    run = (await ask(http)).json()
    ended = world.look_until(run["id"])
    assert ended.added_value is not None
    assert ended.added_value.paid == 100


async def test_an_author_pays_nothing_to_themselves(http: httpx.AsyncClient, publish: Publish, world: World) -> None:
    await publish()
    await price(http)
    assert (await ask(http, "quotes", who="ada")).json()["added_value"] is None
    run = (await ask(http, who="ada")).json()
    ended = world.look_until(run["id"])
    assert (ended.added_value, earned(world)) == (None, 0)


async def test_a_level_that_falls_counts_for_the_next_run(
    http: httpx.AsyncClient, publish: Publish, world: World
) -> None:
    await publish()
    await price(http)
    before = (await ask(http)).json()
    await mark(http, "incubating")
    after = (await ask(http)).json()
    assert (before["added_value"]["maturity"], after["added_value"]) == ("operational", None)
    assert world.look_until(before["id"]).added_value.paid == 3_000  # type: ignore[union-attr]
    assert world.look_until(after["id"]).cost_millicredits < CEILING  # type: ignore[operator]
    assert earned(world) == 3_000, "what was agreed is kept"


async def test_a_copy_of_a_verified_version_is_not_verified(http: httpx.AsyncClient, publish: Publish) -> None:
    await publish()
    await http.post("algorithms", json={"notebook": notebook(), "version": "1.0.0"}, headers=as_("cyd"))
    body = {"per": "run", "millicredits": 5}
    refused = await http.put("algorithms/cyd/double/price", json=body, headers=as_("cyd"))
    assert refused.json()["code"] == "not-mature"


async def test_what_fails_pays_no_price_by_run(http: httpx.AsyncClient, publish: Publish, world: World) -> None:
    await publish()
    await price(http)
    world.fake.script = lambda _run, _folder: process_end(exit_code=1, cpu_seconds=5)
    ended = world.look_until((await ask(http)).json()["id"])
    assert ended.status is RunStatus.ERROR
    assert ended.cost_millicredits
    assert ended.added_value is not None
    assert (ended.added_value.paid, earned(world)) == (0, 0)


async def test_the_platforms_fault_pays_nobody(http: httpx.AsyncClient, publish: Publish, world: World) -> None:
    await publish()
    await price(http)

    def broken(*_: Any) -> Any:
        raise StartFailed("no room")

    world.fake.start = broken  # type: ignore[method-assign]
    ended = world.look_until((await ask(http)).json()["id"])
    assert (ended.platform_fault, ended.cost_millicredits, earned(world)) == (True, 0, 0)
    assert ended.stage is Stage.TERMINAL
    assert price_version_of(ended)


async def test_a_budget_covers_the_added_value(http: httpx.AsyncClient, publish: Publish) -> None:
    await publish()
    await price(http)
    refused = await ask(http, budget_millicredits=3_500)
    assert (refused.status_code, refused.json()["code"]) == (422, "budget-too-small")
    least = refused.json()["least_millicredits"]
    assert least > 5_000, "the run's fee and the author's price"
    assert (await ask(http, budget_millicredits=least)).json()["quote_millicredits"] == least
