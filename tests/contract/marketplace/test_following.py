"""Favourites and follows over each database: who is told of what, once; the pages and their buttons."""

from __future__ import annotations

import re
from collections.abc import Sequence

import httpx
import pytest
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.testing import PREFIX, World, notebook, operator, user
from swath_service.errors import Forbidden

ADA, BOB, CYD = user("ada"), user("bob"), user("cyd")
HTML = {"accept": "text/html"}
GOES_THERE = {**HTML, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def publish(world: World, version: str, *, n: int) -> None:
    world.registry.publish(ADA, notebook(parameters=f"# How many\nn: int = {n}"), version=version)


def told(world: World, who: str) -> Sequence[tuple[str, str]]:
    world.made.context.judging.follow_keeper.look()
    found, _ = world.made.context.rounds.notices(user(who), limit=50)
    return [(one.kind.value, one.text) for one in reversed(found)]


def test_followers_are_told_of_what_happens_after_they_follow_once(world: World) -> None:
    following = world.made.context.judging.following
    publish(world, "1.0.0", n=1)
    assert following.set_follow(BOB, "ada/double", wanted=True).since
    since = following.followed(BOB, "ada/double").since
    assert following.set_follow(BOB, "ada/double", wanted=True).since == since
    assert told(world, "bob") == []
    publish(world, "1.1.0", n=2)
    world.prove("ada/double@1.0.0", MaturityLevel.VERIFIED)
    assert sorted(told(world, "bob")) == [
        ("level-rose", "ada/double 1.0.0 rose from prototype to verified"),
        ("new-version", "ada/double 1.1.0 is published: Doubles a number"),
    ]
    following.set_follow(CYD, "ada/double", wanted=True)
    world.made.context.maturity.mark(
        operator(), "ada/double@1.0.0", level=MaturityLevel.INCUBATING, reason="looked at it"
    )
    world.registry.yank(ADA, "ada/double@1.1.0", reason="wrong numbers")
    kinds = [kind for kind, _ in told(world, "bob")]
    assert sorted(kinds) == ["level-fell", "level-rose", "new-version", "version-yanked"]
    assert sorted(kind for kind, _ in told(world, "cyd")) == ["level-fell", "version-yanked"]
    assert told(world, "ada") == []
    following.set_follow(BOB, "ada/double", wanted=False)
    publish(world, "1.2.0", n=3)
    assert len(told(world, "bob")) == 4
    assert len(told(world, "cyd")) == 3


def test_a_list_is_its_owner_s_alone(world: World) -> None:
    following = world.made.context.judging.following
    publish(world, "1.0.0", n=1)
    following.set_favourite(BOB, "ada/double", wanted=True)
    assert [one.name for one in following.lists(BOB)[0]] == ["double"]
    assert following.lists(CYD) == ([], [])
    following.set_favourite(BOB, "ada/double", wanted=False)
    following.set_favourite(BOB, "ada/double", wanted=False)
    assert following.lists(BOB) == ([], [])
    with pytest.raises(Forbidden):
        following.set_favourite(user("eve", scopes=()), "ada/double", wanted=True)


@pytest.fixture
def http(bobs_browser: httpx.AsyncClient) -> httpx.AsyncClient:
    return bobs_browser


def form(page: httpx.Response, verb: str) -> dict[str, str]:
    found = re.search(
        rf'action="([^"]*/{verb}[^"]*)"[^>]*>\s*<input type="hidden" name="token" value="([^"]+)"', page.text
    )
    assert found, page.text
    return {"action": found[1], "token": found[2]}


async def test_the_buttons_work_once_and_the_pages_tell(http: httpx.AsyncClient, world: World) -> None:
    publish(world, "1.0.0", n=1)
    for verb in ("favourite", "follow"):
        found = form(await http.get("algorithms/ada/double", headers=GOES_THERE), verb)
        for status in (303, 403):
            answer = await http.post(f"http://swath{found['action']}", data={"token": found["token"]})
            assert answer.status_code == status
    card = await http.get("algorithms/ada/double", headers=GOES_THERE)
    assert "In your favourites" in card.text
    assert "Following" in card.text
    listed = await http.get("favourites", headers=GOES_THERE)
    assert listed.text.count("ada/double</a>") == 2
    publish(world, "1.1.0", n=2)
    world.made.context.judging.follow_keeper.look()
    notices = await http.get("notices", headers=GOES_THERE)
    assert "ada/double 1.1.0 is published" in notices.text
    until = re.search(r'name="until" value="([^"]+)"', notices.text)
    assert until
    found = form(notices, "read-all")
    data = {"token": found["token"], "until": until[1].replace("&#43;", "+")}
    assert (await http.post("notices/read-all", data=data)).status_code == 303
    assert "0 unread" in (await http.get("notices", headers=HTML)).text
    removed = form(listed, "unfavourite")
    assert (await http.post(f"http://swath{removed['action']}", data={"token": removed["token"]})).headers[
        "location"
    ] == f"{PREFIX}favourites"
    data = (await http.get("favourites", headers={"Authorization": "Bearer bob"})).json()
    assert (data["favourites"], len(data["follows"])) == ([], 1)


async def test_a_token_of_one_button_is_no_other_s(http: httpx.AsyncClient, world: World) -> None:
    publish(world, "1.0.0", n=1)
    token = form(await http.get("algorithms/ada/double", headers=GOES_THERE), "favourite")["token"]
    for verb in ("follow", "nothing"):
        answer = await http.post(f"algorithms/ada/double/keep/{verb}", data={"token": token})
        assert answer.status_code == 403
    plain = await http.get("algorithms/ada/double", headers=HTML)
    assert 'name="token"' not in plain.text
