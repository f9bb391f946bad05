"""Dashboards on both databases: the sums are right, nobody learns of others' runs, no words become markup."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from swath_marketplace.domain.added_value import Per
from swath_marketplace.domain.dashboards import cell_told, class_told, every_day
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.executors.fake import process_end, write_report
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import PREFIX, World, notebook, operator, user

ADA, BOB, CYD, ROOT = user("ada"), user("bob"), user("cyd"), operator()
SECRET = "52.0714N-of-bob"
XSS = [
    "<script>alert(1)</script> is what is wrong with this version of it",
    '"><img src=x onerror=alert(1)> and more of the very same sort here',
    "<svg onload=alert(1)><a href='javascript:alert(1)'>is drawn into it</a>",
    "{{ 7 * 7 }} {% raw %} ${7*7} <!-- unended ]]> &lt;script&gt; and so on",
    "</textarea></title><iframe srcdoc='<script>alert(1)</script>'></iframe>",
]


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    world.identity.actors["olaf"] = user("olaf", scopes={"custom:swath:read", "custom:swath:oversee"})
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        world.registry.publish(ADA, notebook())
        yield client


def as_(name: str, accept: str = "application/json") -> dict[str, str]:
    return {"Authorization": f"Bearer {name}", "Accept": accept}


def run(world: World, who: Any, *, n: int = 1, fails: str | None = None, code: str = "cell-failed") -> None:
    def failing(_: Any, folder: Any) -> Any:
        error = {"code": code, "message": fails, "cell": 1, "cell_id": "", "traceback": f"Traceback\n{fails}"}
        write_report(folder, outputs={}, error=error)
        return process_end(exit_code=1)

    before = world.fake.script
    if fails is not None:
        world.fake.script = failing
    made, _ = world.runs.create(who, RunRequest(algorithm="ada/double@1.0.0", parameters={"n": n}))
    world.look_until(made.id)
    world.fake.script = before


async def test_an_author_is_told_how_it_goes_and_never_who_or_with_what(http: httpx.AsyncClient, world: World) -> None:
    run(world, BOB, n=4711)
    run(world, BOB)
    run(world, CYD)
    run(world, ADA)
    run(world, BOB, fails=f"ValueError: no scene at {SECRET}")
    run(world, BOB, fails=f"{SECRET}: a class that the notebook made up of a parameter")
    told = await http.get("dashboard", headers=as_("ada"))
    (desk,) = told.json()["algorithms"]
    use = desk["use"]
    assert (use["runs"], use["finished"], use["failed"], use["callers"]) == (5, 3, 2, 2)
    assert use["success"] == 0.6
    assert [one["day"] for one in use["by_day"]] == [datetime.now(UTC).date().isoformat()]
    seen = sorted((one["code"], one["class"], one["cell"], one["version"], one["count"]) for one in use["failures"])
    assert seen == [("cell-failed", "ValueError", 1, "1.0.0", 1), ("cell-failed", "another", 1, "1.0.0", 1)]
    page = await http.get("dashboard", headers=as_("ada", "text/html"))
    assert page.status_code == 200
    for text in (told.text, page.text):
        assert not any(word in text for word in ("bob", "cyd", "4711", SECRET, "Traceback", "no scene"))
    others = (await http.get("dashboard", headers=as_("bob"))).json()
    assert others["algorithms"] == others["reports"] == others["acts"] == []


async def test_what_the_platform_spoilt_is_no_failure_of_the_version(http: httpx.AsyncClient, world: World) -> None:
    run(world, BOB)
    world.made.context.moderation.acts.hide(ROOT, "ada/double", reason="looked at")
    world.made.context.moderation.acts.unhide(ROOT, "ada/double", reason="nothing found")
    made, _ = world.runs.create(BOB, RunRequest(algorithm="ada/double@1.0.0", parameters={"n": 1}))
    world.made.context.moderation.acts.revoke(ROOT, "ada/double@1.0.0", reason="reads the wrong band")
    world.look_until(made.id)
    use = (await http.get("dashboard", headers=as_("ada"))).json()["algorithms"][0]["use"]
    assert (use["runs"], use["finished"], use["failed"], use["failures"]) == (2, 1, 0, [])
    assert (await http.get("operator", headers=as_("root"))).json()["spend"][0]["faults"] == 1


async def test_what_callers_paid_on_top_is_told(http: httpx.AsyncClient, world: World) -> None:
    world.prove("ada/double@1.0.0", MaturityLevel.VERIFIED)
    world.made.context.added_values.set_price(ADA, "ada/double", per=Per.RUN, millicredits=250)
    run(world, BOB)
    run(world, CYD)
    run(world, ADA)
    income = (await http.get("dashboard", headers=as_("ada"))).json()["algorithms"][0]["use"]["income"]
    assert (income["runs"], income["millicredits"], len(income["by_day"])) == (2, 500, 1)
    assert "0.5" in (await http.get("dashboard", headers=as_("ada", "text/html"))).text


async def test_a_dashboard_begins_when_it_is_asked_to(http: httpx.AsyncClient, world: World) -> None:
    run(world, BOB)
    run(world, CYD)
    before = datetime.now(UTC) - timedelta(days=40)
    with world.made.database.write() as connection:
        statement = sa.text("UPDATE runs SET created_at = :at, ended_at = :at WHERE caller = 'cyd'")
        connection.execute(statement.bindparams(sa.bindparam("at", before, type_=sa.DateTime(timezone=True))))
    for days, runs, callers in ((30, 1, 1), (90, 2, 2)):
        use = (await http.get(f"dashboard?days={days}", headers=as_("ada"))).json()["algorithms"][0]["use"]
        assert (use["runs"], use["callers"]) == (runs, callers)
    assert (await http.get("dashboard?days=0", headers=as_("ada"))).status_code == 422


async def test_the_operator_sees_the_whole(http: httpx.AsyncClient, world: World) -> None:
    for number in range(6):
        run(world, BOB, fails="ValueError: x" if number else None)
    world.fake.hold_back = True
    waiting = [
        world.runs.create(CYD, RunRequest(algorithm="ada/double@1.0.0", parameters={"n": 1}))[0] for _ in range(7)
    ]
    world.made.reconciler.look()
    told = (await http.get("operator", headers=as_("olaf"))).json()
    assert told["queue"]["runs"] + told["capacity"]["running"] == len(waiting)
    assert told["queue"]["waiting"][0]["caller"] == "cyd"
    assert told["capacity"]["cpus_in_use"] == told["capacity"]["running"] <= told["capacity"]["cpus"] == 4
    assert [(one["version"], one["failed"], one["runs"]) for one in told["failing_versions"]] == [("1.0.0", 5, 6)]
    (day,) = told["spend"]
    assert (day["runs"], day["finished"], day["failed"]) == (6, 1, 5)
    assert day["millicredits"] > 0
    assert told["storage"]["result_files"] == 1
    assert told["deliveries"] == {}
    page = await http.get("operator", headers=as_("olaf", "text/html"))
    assert page.status_code == 200
    assert "<svg" in page.text
    for who, there in (("olaf", True), ("ada", False)):
        page = await http.get("notices", headers=as_(who, "text/html"))
        assert (">Operator</a>" in page.text) is there
    for who in ("ada", "bob"):
        for accept in ("application/json", "text/html"):
            assert (await http.get("operator", headers=as_(who, accept))).status_code == 403


@pytest.mark.parametrize("words", XSS)
async def test_no_words_of_anybody_become_markup(http: httpx.AsyncClient, world: World, words: str) -> None:
    path = "algorithms/ada/double/versions/1.0.0"
    asked = {"kind": "technical", "verdict": "reject", "text": words}
    assert (await http.post(f"{path}/reviews", json=asked, headers=as_("bob"))).status_code == 201
    await http.post(f"{path}/reviews/1/replies", json={"text": words}, headers=as_("ada"))
    report = {"algorithm": "ada/double@1.0.0", "kind": "abuse", "text": words}
    made = (await http.post("reports", json=report, headers=as_("bob"))).json()
    pages = [("bob", "reviews/ada/double/1.0.0"), ("root", "operator"), ("bob", f"reports/{made['id']}")]
    await looked_at(http, pages, words)
    answer = {"state": "upheld", "answer": words}
    await http.post(f"reports/{made['id']}/answer", json=answer, headers=as_("root"))
    await http.post(f"{path}/reviews/1/withhold", json={"reason": words}, headers=as_("root"))
    await http.post(f"{path}/revoke", json={"reason": words}, headers=as_("root"))
    await http.post("algorithms/ada/double/hide", json={"reason": words}, headers=as_("root"))
    pages = [("ada", "reviews/ada/double/1.0.0"), ("root", "operator"), ("ada", "dashboard"), ("ada", "reports")]
    await looked_at(http, pages, words)


async def looked_at(http: httpx.AsyncClient, pages: list[tuple[str, str]], words: str) -> None:
    for who, page in pages:
        answer = await http.get(page, headers=as_(who, "text/html"))
        assert answer.status_code == 200, page
        assert words not in answer.text, page
        for markup in ("<script>alert", "<img", "<iframe", "<svg onload", "href='javascript", ">49<", " 49 "):
            assert markup not in answer.text, page
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_class_is_told_when_it_is_pythons_own() -> None:
    assert [class_told(head) for head in ("ValueError", " KeyError ", "Bob52N", "", None)] == [
        "ValueError",
        "KeyError",
        "another",
        None,
        None,
    ]


def test_a_cell_that_no_notebook_has_is_none() -> None:
    told = [cell_told(cell) for cell in (0, "7", None, 52_071_400, "9" * 400, -1, 1.5, "x")]
    assert told == [0, 7, *[None] * 6]


def test_no_day_is_left_out_of_a_chart() -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC).date()
    drawn = every_day({first: 3}, first=first, last=first + timedelta(days=6))
    assert list(drawn.values()) == [3, 0, 0, 0, 0, 0, 0]
    drawn = every_day({first: 3, first + timedelta(days=1): 4}, first=first, last=first + timedelta(days=364))
    assert len(drawn) == 53
    assert json.dumps(list(drawn.values())[:2]) == "[7, 0]"
