"""The forms of a page of reviews, as a browser sends them: each acts once, for who sees it, and for nobody else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_marketplace.testing import PREFIX, World, make_world, notebook, user
from swath_service.oauth import BrowserSessions, OAuthSettings

GOES_THERE = {
    "accept": "text/html,*/*;q=0.8",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-site": "same-origin",
}
PAGE = "reviews/ada/double/1.0.0"
REVIEW = "I looked at the cells and ran it with ten numbers;\r\nevery one was doubled."


@pytest.fixture
def world(data: Path) -> Any:
    made = make_world(data)
    made.registry.publish(user("ada"), notebook())
    yield made
    made.made.database.dispose()


@asynccontextmanager
async def browser_of(world: World, who: str) -> AsyncIterator[httpx.AsyncClient]:
    app = world.app()
    settings = OAuthSettings(
        name="marketplace",
        prefix=PREFIX,
        client_id="service-marketplace",
        authorize_url="/hub/api/oauth2/authorize",
        token_url="http://hub/token",
        callback=f"{PREFIX}oauth_callback",
        secret="word-of-the-service",
    )
    hub = httpx.MockTransport(lambda request: httpx.Response(200, json={"access_token": who}))
    BrowserSessions(settings, transport=hub).install(app)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://swath{PREFIX}") as client:
        to_hub = await client.get("oauth_login")
        state = httpx.URL(to_hub.headers["location"]).params["state"]
        await client.get("oauth_callback", params={"code": "x", "state": state})
        yield client


def forms(page: httpx.Response) -> dict[str, str]:
    """The token of each form, by where it is sent."""
    found = re.findall(
        r'action="[^"]*/1\.0\.0/([^"]+)"[^>]*>\s*<input type="hidden" name="token" value="([^"]+)"', page.text
    )
    return dict(found)


async def test_two_people_review_and_reply_in_their_browsers(world: World) -> None:
    async with browser_of(world, "bob") as bob, browser_of(world, "ada") as ada:
        page = await bob.get(PAGE, headers=GOES_THERE)
        assert "sandbox" in page.headers["content-security-policy"]
        assert "allow-same-origin" not in page.headers["content-security-policy"]
        assert set(forms(page)) == {"review", "report"}
        sent = {"token": forms(page)["review"], "kind": "technical", "verdict": "approve", "text": REVIEW}
        done = await bob.post(f"{PAGE}/review", data=sent)
        assert (done.status_code, done.headers["location"]) == (303, f"{PREFIX}{PAGE}#reviews")
        assert (await bob.post(f"{PAGE}/review", data=sent)).status_code == 403
        seen = await ada.get(PAGE, headers=GOES_THERE)
        assert "every one was doubled." in seen.text
        assert set(forms(seen)) == {"1/reply", "report"}
        sent = {"token": forms(seen)["1/reply"], "text": "Thank you; 1.0.1 is quicker."}
        done = await ada.post(f"{PAGE}/1/reply", data=sent)
        assert done.headers["location"] == f"{PREFIX}{PAGE}#review-1"
        assert "1.0.1 is quicker" in (await bob.get(PAGE, headers=GOES_THERE)).text


async def test_a_report_from_the_page_is_shown_to_its_reporter(world: World) -> None:
    async with browser_of(world, "bob") as bob:
        token = forms(await bob.get(PAGE, headers=GOES_THERE))["report"]
        sent = {"token": token, "kind": "licence", "about": "", "text": "It carries code that may not be sold."}
        done = await bob.post(f"{PAGE}/report", data=sent)
        assert done.status_code == 303
        page = await bob.get(f"http://swath{done.headers['location']}", headers=GOES_THERE)
        assert "may not be sold" in page.text
    async with browser_of(world, "cyd") as cyd:
        assert (await cyd.get(f"http://swath{done.headers['location']}", headers=GOES_THERE)).status_code == 404


@pytest.mark.parametrize(
    ("change", "status"), [({"token": "made-up"}, 403), ({"verdict": "perhaps"}, 422), ({"text": "short"}, 422)]
)
async def test_what_a_form_does_not_offer_does_nothing(world: World, change: dict[str, str], status: int) -> None:
    async with browser_of(world, "bob") as bob:
        token = forms(await bob.get(PAGE, headers=GOES_THERE))["review"]
        sent = {"token": token, "kind": "technical", "verdict": "approve", "text": REVIEW, **change}
        answer = await bob.post(f"{PAGE}/review", data=sent)
        assert answer.status_code == status
        assert "That did not work" in answer.text
        assert "Nobody has reviewed" in (await bob.get(PAGE, headers=GOES_THERE)).text


async def test_a_page_that_a_script_asks_for_has_no_form(world: World) -> None:
    async with browser_of(world, "bob") as bob:
        page = await bob.get(PAGE, headers={**GOES_THERE, "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"})
        assert (page.status_code, forms(page)) == (200, {})
        assert "swath review" in page.text
