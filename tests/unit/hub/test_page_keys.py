"""Keys of pages with scripts: whom they are given to, what they open, and when they end."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
import swath_service.page_keys as page_keys
from fastapi import APIRouter, Depends, Request
from swath_service.actor import Actor
from swath_service.app import create_app
from swath_service.oauth import BrowserSessions, OAuthSettings, browser_actor
from swath_service.page_keys import install_page_keys
from swath_service.rate_policies import RatePolicy
from swath_service.rates import install_rates, policies_of

PREFIX = "/services/pages/"
GOES_THERE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


class Known:
    """Tokens of people who are signed in."""

    def __init__(self) -> None:
        self.actors = {"of-ada": Actor(name="ada")}

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
    install_page_keys(app, prefix=PREFIX)
    install_rates(app, policies=policies_of({"api": RatePolicy(quota=30, window_seconds=60)}), prefix=PREFIX)
    router = APIRouter(prefix=PREFIX.rstrip("/"))

    @router.get("/page")
    async def page(request: Request) -> dict[str, str | None]:
        return {"key": app.state.page_keys.issue(request)}

    @router.post("/act")
    async def act(actor: Annotated[Actor, Depends(browser_actor)]) -> dict[str, str]:
        return {"name": actor.name}

    app.include_router(router)
    hub = httpx.MockTransport(lambda request: httpx.Response(200, json={"access_token": "of-ada"}))
    BrowserSessions(settings, transport=hub).install(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=f"http://swath{PREFIX}") as client:
        to_hub = await client.get("oauth_login")
        state = httpx.URL(to_hub.headers["location"]).params["state"]
        await client.get("oauth_callback", params={"code": "x", "state": state})
        yield client


async def key_of(http: httpx.AsyncClient, **headers: str) -> str | None:
    return (await http.get("page", headers={**GOES_THERE, **headers})).json()["key"]


async def act(http: httpx.AsyncClient, key: str | None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}", "Origin": "null", "cookie": ""}
    return await http.post("act", headers=headers)


async def test_a_key_acts_for_its_person_again_and_again(http: httpx.AsyncClient) -> None:
    key = await key_of(http)
    assert key is not None
    assert re.fullmatch(r"swath-page-[\w-]{43}", key)
    for _ in range(2):
        answer = await act(http, key)
        assert (answer.status_code, answer.json()) == (200, {"name": "ada"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert exposed >= {
            *("X-Request-Id", "Location", "Link", "ETag", "Retry-After"),
            *("Preference-Applied", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy"),
        }
        # Counted as hers, not as a stranger's.
        assert answer.headers["ratelimit-policy"] == '"api";q=30;w=60'


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-mode": "cors"},
        {"sec-fetch-dest": "iframe"},
        {"sec-fetch-dest": "empty"},
        {"service-worker-navigation-preload": "true"},
        {"service-worker-navigation-preload": ""},
        {"sec-fetch-mode": ""},
    ],
)
async def test_a_script_gets_none(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert await key_of(http, **headers) is None


async def test_nobody_without_a_session_gets_one(http: httpx.AsyncClient) -> None:
    http.cookies.clear()
    assert await key_of(http) is None


@pytest.mark.parametrize("key", ["swath-page-", "swath-page-made-up", "swath-page-" + "x" * 9000])
async def test_a_made_up_key_opens_nothing(http: httpx.AsyncClient, key: str) -> None:
    answer = await act(http, key)
    assert (answer.status_code, answer.json()["code"]) == (401, "page-key-expired")


async def test_signing_out_ends_it(http: httpx.AsyncClient) -> None:
    key = await key_of(http)
    await http.post("logout")
    assert (await act(http, key)).status_code == 401


async def renew(http: httpx.AsyncClient, key: str | None, secret: str = "s" * 43) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}", "Origin": "null", "cookie": ""}
    return await http.post("page-key", headers=headers, json={"secret": secret})


async def test_a_page_renews_its_key_by_what_only_it_knows(http: httpx.AsyncClient) -> None:
    key = await key_of(http)
    first = await renew(http, key)
    assert first.headers["access-control-allow-origin"] == "*"
    assert first.json()["seconds"] == 3600
    # Its answer was lost, or its own key ended while the machine slept.
    again = await renew(http, "swath-page-over")
    assert len({key, first.json()["key"], again.json()["key"]}) == 3
    for one in (key, first.json()["key"], again.json()["key"]):
        assert (await act(http, one)).status_code == 200


async def test_the_key_of_a_document_is_worth_nothing_after_its_exchange(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_keys, "GRACE_SECONDS", -1)
    key = await key_of(http)
    fresh = (await renew(http, key)).json()["key"]
    assert (await act(http, key)).status_code == 401
    assert (await renew(http, key, "t" * 43)).json()["code"] == "page-over"
    assert (await act(http, fresh)).status_code == 200


async def test_two_that_claim_one_page_get_nothing(http: httpx.AsyncClient) -> None:
    key = await key_of(http)
    fresh = (await renew(http, key)).json()["key"]
    assert (await renew(http, fresh, "t" * 43)).status_code == 401
    assert (await act(http, fresh)).status_code == 401
    assert (await renew(http, fresh)).status_code == 401


async def test_nothing_is_renewed_without_the_sign_in(http: httpx.AsyncClient, known: Known) -> None:
    kept = [await key_of(http) for _ in range(2)]
    await renew(http, kept[0])
    assert (await renew(http, kept[1], "short")).status_code == 422
    known.actors.clear()
    assert (await renew(http, kept[0])).json()["code"] == "page-over"
    known.actors["of-ada"] = Actor(name="ada")
    await http.post("logout")
    for key in kept:
        assert (await renew(http, key)).status_code == 401


async def test_the_hub_forgetting_its_person_ends_it(http: httpx.AsyncClient, known: Known) -> None:
    key = await key_of(http)
    known.actors.clear()
    assert (await act(http, key)).status_code == 401


async def test_a_preflight_is_answered_and_costs_nothing(http: httpx.AsyncClient) -> None:
    asked = {
        "Origin": "null",
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "authorization, idempotency-key, last-event-id, range",
    }
    answer = await http.options("act", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "ratelimit-policy" not in answer.headers


async def test_a_refusal_for_too_much_can_be_read_by_a_page(http: httpx.AsyncClient) -> None:
    key = await key_of(http)
    for _ in range(40):
        answer = await act(http, key)
    assert answer.status_code == 429
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-request-id"]
