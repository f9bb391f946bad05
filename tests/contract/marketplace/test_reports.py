"""Reports and what follows reviews: who sees what, who is told, and that no words of anybody's act."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from swath_marketplace.testing import PREFIX, World, notebook, user

WORDS = "The mean is taken over clouds, too: n=3 gives 7 and not 6."
REVIEW = "I looked at the cells and ran it with ten numbers; every one was doubled."
XSS = [
    "<script>alert(1)</script> is what is wrong with it",
    '"><img src=x onerror=alert(1)> and more of the same',
    "<svg onload=alert(1)> drawn into the page of it",
    "javascript:alert(1) is where the link leads to it",
    "{{ 7 * 7 }} {% raw %} and ${7*7} <!-- unended",
    "</textarea></title><iframe srcdoc='<script>alert(1)</script>'>",
]


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    world.identity.actors["olaf"] = user("olaf", scopes={"custom:swath:read", "custom:swath:oversee"})
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}") as client:
        await client.post("algorithms", json={"notebook": notebook()}, headers=as_("ada"))
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


async def report(http: httpx.AsyncClient, *, who: str = "bob", **more: Any) -> httpx.Response:
    body = {"algorithm": "ada/double@1.0.0", "kind": "wrong-results", "text": WORDS, **more}
    return await http.post("reports", json=body, headers=as_(who))


async def review(http: httpx.AsyncClient, *, who: str = "bob", text: str = REVIEW) -> httpx.Response:
    body = {"kind": "technical", "verdict": "reject", "text": text}
    return await http.post("algorithms/ada/double/versions/1.0.0/reviews", json=body, headers=as_(who))


async def told(http: httpx.AsyncClient, who: str) -> list[tuple[str, str]]:
    found = (await http.get("notices", headers=as_(who))).json()["notices"]
    return [(one["kind"], one["text"]) for one in found]


async def test_a_report_goes_to_operators_and_its_answer_comes_back(http: httpx.AsyncClient) -> None:
    made = await report(http)
    assert made.status_code == 201
    here = made.headers["location"].removeprefix(PREFIX)
    queue = (await http.get("reports?box=queue&state=open", headers=as_("olaf"))).json()
    assert [(one["reporter"], one["text"], one["state"]) for one in queue["reports"]] == [("bob", WORDS, "open")]
    answered = await http.post(
        f"{here}/answer", json={"state": "upheld", "answer": "seen, mended in 1.0.1"}, headers=as_("root")
    )
    assert answered.json()["state"] == "upheld"
    mine = (await http.get("reports", headers=as_("bob"))).json()["reports"][0]
    assert (mine["state"], mine["answer"], mine["acts"][0]["kind"]) == ("upheld", "seen, mended in 1.0.1", "uphold")
    again = await http.post(
        f"{here}/answer", json={"state": "dismissed", "answer": "no, after all"}, headers=as_("root")
    )
    assert (again.status_code, again.json()["code"]) == (409, "report-answered")
    assert [kind for kind, _ in await told(http, "bob")] == ["answered"]


async def test_the_author_reads_the_words_and_never_learns_whose_they_are(http: httpx.AsyncClient) -> None:
    here = (await report(http)).headers["location"].removeprefix(PREFIX)
    await http.post(f"{here}/answer", json={"state": "dismissed", "answer": "as intended"}, headers=as_("root"))
    seen = [
        (await http.get(path, headers=as_("ada"))).text
        for path in (here, "reports?box=about", "acts", "notices", "reports?box=about&state=dismissed")
    ]
    assert WORDS in seen[0]
    assert WORDS in seen[1]
    assert not any("bob" in text for text in seen)
    assert sorted(kind for kind, _ in await told(http, "ada")) == ["answered", "reported"]


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("cyd", "{here}", 404),
        ("cyd", "reports?box=queue", 403),
        ("ada", "reports?box=queue", 403),
        ("bob", "{here}", 200),
    ],
)
async def test_who_sees_a_report(http: httpx.AsyncClient, who: str, path: str, status: int) -> None:
    here = (await report(http)).headers["location"].removeprefix(PREFIX)
    assert (await http.get(path.format(here=here), headers=as_(who))).status_code == status
    for box in ("mine", "about"):
        others = await http.get(f"reports?box={box}", headers=as_("cyd"))
        assert others.json()["reports"] == []
    for whose in ("bob", "ada", "olaf"):
        answer = await http.post(f"{here}/answer", json={"state": "upheld", "answer": "me"}, headers=as_(whose))
        assert answer.status_code == 422 if len("me") < 3 else 403
        answer = await http.post(f"{here}/answer", json={"state": "upheld", "answer": "yes, so"}, headers=as_(whose))
        assert answer.status_code == 403


async def test_a_day_has_so_many_reports(http: httpx.AsyncClient) -> None:
    answers = [(await report(http, text=f"{WORDS} {number}")) for number in range(11)]
    assert [one.status_code for one in answers] == [201] * 10 + [409]
    assert answers[-1].json()["code"] == "too-many-reports"
    assert (await report(http, who="cyd")).status_code == 201


async def test_what_cannot_be_reported(http: httpx.AsyncClient) -> None:
    assert (await report(http, algorithm="ada/other1")).status_code == 404
    assert (await report(http, review=1)).status_code == 404
    assert (await report(http, text="too short")).status_code == 422
    assert (await report(http, text=" " * 50)).json()["code"] == "report-invalid"
    assert (await report(http, kind="dislike")).status_code == 422
    assert (await report(http, who="robot")).status_code == 403


async def test_acts_name_the_report_that_they_answer(http: httpx.AsyncClient) -> None:
    made = (await report(http)).json()
    await http.post("algorithms", json={"notebook": notebook(name="other")}, headers=as_("cyd"))
    other = (await report(http, algorithm="cyd/other")).json()
    body = {"reason": "as reported", "report": other["id"]}
    refused = await http.post("algorithms/ada/double/versions/1.0.0/revoke", json=body, headers=as_("root"))
    assert refused.json()["code"] == "another-report"
    body["report"] = made["id"]
    assert (
        await http.post("algorithms/ada/double/versions/1.0.0/revoke", json=body, headers=as_("ada"))
    ).status_code == 403
    done = await http.post("algorithms/ada/double/versions/1.0.0/revoke", json=body, headers=as_("root"))
    assert done.json()["revoked_reason"] == "as reported"
    seen = (await http.get(f"reports/{made['id']}", headers=as_("root"))).json()
    assert [(one["kind"], one["version"]) for one in seen["acts"]] == [("revoke", "1.0.0")]


async def test_the_author_replies_and_nobody_else(http: httpx.AsyncClient) -> None:
    await review(http)
    path = "algorithms/ada/double/versions/1.0.0/reviews"
    body = {"text": "Thank you; cell 2 is mended in 1.0.1."}
    assert (await http.post(f"{path}/1/replies", json=body, headers=as_("cyd"))).status_code == 403
    assert (await http.post(f"{path}/7/replies", json=body, headers=as_("ada"))).status_code == 404
    for _ in range(2):
        assert (await http.post(f"{path}/1/replies", json=body, headers=as_("ada"))).status_code == 201
    await review(http, text=f"{REVIEW} And again.")
    listed = (await http.get(path, headers=as_("cyd"))).json()["reviews"]
    assert [(one["number"], one["superseded"], len(one["replies"])) for one in listed] == [(2, False, 0), (1, True, 1)]
    assert [kind for kind, _ in await told(http, "bob")] == ["review"]
    assert [kind for kind, _ in await told(http, "ada")] == ["review", "review"]


async def test_a_withheld_review_is_out_of_sight_and_counts_no_more(http: httpx.AsyncClient, world: World) -> None:
    await review(http, who="root")
    path = "algorithms/ada/double/versions/1.0.0/reviews"
    made = (await report(http, who="cyd", review=1, kind="abuse")).json()
    assert [kind for kind, _ in await told(http, "root")] == ["reported"]
    assert (await http.get("reports?box=about", headers=as_("ada"))).json()["reports"] == []
    body = {"reason": "insults somebody", "report": made["id"]}
    assert (await http.post(f"{path}/1/withhold", json=body, headers=as_("ada"))).status_code == 403
    assert (await http.post(f"{path}/1/withhold", json=body, headers=as_("root"))).status_code == 204
    listed = (await http.get(path, headers=as_("bob"))).json()["reviews"][0]
    assert (listed["text"], listed["withheld"]) == ("", "insults somebody")
    view = (await http.get("algorithms/ada/double/versions/1.0.0/maturity", headers=as_("bob"))).text
    assert REVIEW not in view
    with world.made.database.read() as connection:
        assert connection.execute(sa.text("SELECT text FROM reviews")).scalar_one() == REVIEW


@pytest.mark.parametrize(
    "statement", ["DELETE FROM reports", "UPDATE reports SET text = 'x'", "DELETE FROM review_replies"]
)
async def test_sql_itself_keeps_what_was_said(http: httpx.AsyncClient, world: World, statement: str) -> None:
    await report(http)
    await review(http)
    await http.post(
        "algorithms/ada/double/versions/1.0.0/reviews/1/replies", json={"text": "Thank you, truly."}, headers=as_("ada")
    )
    with pytest.raises(sa.exc.DBAPIError, match="never changes"), world.made.database.write() as connection:
        connection.execute(sa.text(statement))
