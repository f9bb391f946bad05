"""Forms that act: an authority for one person and one action, once, which no script can get at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Form, Request
from swath_service.actor import Actor
from swath_service.app import create_app
from swath_service.forms import FormTokens
from swath_service.oauth import BrowserSessions, OAuthSettings

PREFIX = "/services/pages/"
GOES_THERE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


class Known:
    """Tokens of people who are signed in."""

    def __init__(self) -> None:
        self.actors = {"of-ada": Actor(name="ada"), "of-bob": Actor(name="bob")}

    async def actor_for(self, token: str) -> Actor | None:
        return self.actors.get(token)


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
async def http(known: Known) -> AsyncIterator[httpx.AsyncClient]:
    settings = OAuthSettings(
        name="pages",
        prefix=PREFIX,
        client_id="service-pages",
        authorize_url="/hub/api/oauth2/authorize",
        token_url="http://hub/token",
        callback=f"{PREFIX}oauth_callback",
        secret="word-of-the-service",
    )
    app = create_app(title="pages", version="0", prefix=PREFIX, identity=known, statuses={})
    router, forms = APIRouter(prefix=PREFIX.rstrip("/")), FormTokens()

    @router.get("/form")
    async def form(request: Request) -> dict[str, Any]:
        return {"token": forms.issue(request, "POST /act")}

    @router.post("/{action}")
    async def act(request: Request, action: str, token: Annotated[str, Form()]) -> dict[str, str]:
        return {"name": (await forms.redeem(request, token, f"POST /{action}")).name}

    app.include_router(router)
    hub = httpx.MockTransport(lambda request: httpx.Response(200, json={"access_token": "of-ada"}))
    BrowserSessions(settings, transport=hub).install(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://swath") as client:
        to_hub = await client.get(f"{PREFIX}oauth_login")
        state = httpx.URL(to_hub.headers["location"]).params["state"]
        await client.get(f"{PREFIX}oauth_callback", params={"code": "x", "state": state})
        yield client


async def token(http: httpx.AsyncClient, **headers: str) -> Any:
    return (await http.get(f"{PREFIX}form", headers={**GOES_THERE, **headers})).json()["token"]


async def act(http: httpx.AsyncClient, word: str, action: str = "act") -> httpx.Response:
    # Without the session's cookie: a page with an origin of its own sends none.
    return await http.post(f"{PREFIX}{action}", data={"token": word}, headers={"cookie": ""})


async def test_a_form_acts_once_for_the_one_it_was_shown_to(http: httpx.AsyncClient) -> None:
    word = await token(http)
    first, again = await act(http, word), await act(http, word)
    assert (first.status_code, first.json()) == (200, {"name": "ada"})
    assert (again.status_code, again.json()["code"]) == (403, "form-expired")


async def test_a_token_is_for_one_action(http: httpx.AsyncClient) -> None:
    word = await token(http)
    assert (await act(http, word, "delete")).status_code == 403
    assert (await act(http, word)).status_code == 403


@pytest.mark.parametrize("word", ["", "made-up", "x" * 10_000])
async def test_a_made_up_token_does_nothing(http: httpx.AsyncClient, word: str) -> None:
    assert (await act(http, word)).status_code in (403, 422)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-mode": "cors"},
        {"sec-fetch-mode": "same-origin"},
        {"sec-fetch-dest": "iframe"},
        {"sec-fetch-dest": "empty"},
        {"sec-fetch-mode": ""},
    ],
)
async def test_a_script_gets_no_token(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert await token(http, **headers) is None


async def test_nobody_without_a_session_gets_one(http: httpx.AsyncClient) -> None:
    http.cookies.clear()
    assert await token(http) is None


async def test_signing_out_ends_the_authority(http: httpx.AsyncClient, known: Known) -> None:
    word = await token(http)
    known.actors.clear()
    assert (await act(http, word)).status_code == 403
