"""Sign-in for browsers without a hub: a stand-in answers for its token address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import APIRouter, Depends
from swath_service.actor import Actor
from swath_service.app import create_app
from swath_service.oauth import BrowserSessions, OAuthSettings, browser_actor
from swath_service.settings import SettingMissing

PREFIX = "/services/pages/"
HTML = {"accept": "text/html"}


class Known:
    """Tokens of people who are signed in."""

    def __init__(self) -> None:
        self.actors = {"of-ada": Actor(name="ada")}

    async def actor_for(self, token: str) -> Actor | None:
        return self.actors.get(token)


class Hub:
    """JupyterHub's address for tokens: knows one code."""

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.silent = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.silent:
            raise httpx.ConnectError("nobody there")
        form = parse_qs(request.content.decode())
        self.asked.append(form)
        good = form["code"] == ["good"]
        return httpx.Response(
            200 if good else 400, json={"access_token": "of-ada"} if good else {"error": "invalid_grant"}
        )


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
async def browser(hub: Hub, known: Known) -> AsyncIterator[httpx.AsyncClient]:
    settings = OAuthSettings(
        name="pages",
        prefix=PREFIX,
        client_id="service-pages",
        authorize_url="/hub/api/oauth2/authorize",
        token_url="http://hub/hub/api/oauth2/token",
        callback=f"{PREFIX}oauth_callback",
        secret="word-of-the-service",
    )
    app = create_app(title="pages", version="0", prefix=PREFIX, identity=known, statuses={})
    router = APIRouter(prefix=PREFIX.rstrip("/"))

    @router.api_route("/page", methods=["GET", "HEAD", "POST"])
    async def page(actor: Annotated[Actor, Depends(browser_actor)]) -> dict[str, str]:
        return {"name": actor.name}

    app.include_router(router)
    BrowserSessions(settings, transport=httpx.MockTransport(hub)).install(app)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://swath") as client:
        yield client


async def _begin(browser: httpx.AsyncClient, path: str = f"{PREFIX}page") -> str:
    """Begin a sign-in; its state."""
    answer = await browser.get(f"{PREFIX}oauth_login", params={"next": path})
    return parse_qs(urlsplit(answer.headers["location"]).query)["state"][0]


async def test_the_whole_way(browser: httpx.AsyncClient, hub: Hub) -> None:
    answer = await browser.get(f"{PREFIX}page?x=1&y=2", headers=HTML)
    assert answer.status_code == 302
    to_hub = await browser.get(answer.headers["location"])
    where = urlsplit(to_hub.headers["location"])
    query = parse_qs(where.query)
    assert where.path == "/hub/api/oauth2/authorize"
    assert query["redirect_uri"] == [f"{PREFIX}oauth_callback"]
    back = await browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": query["state"][0]})
    assert back.status_code == 302
    assert back.headers["location"] == f"{PREFIX}page?x=1&y=2"
    cookie = next(line for line in back.headers.get_list("set-cookie") if "session" in line)
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert f"Path={PREFIX}" in cookie
    # The browser never sees the hub's token.
    assert "of-ada" not in "".join(back.headers.get_list("set-cookie")) + back.text
    assert (await browser.get(f"{PREFIX}page")).json() == {"name": "ada"}
    assert hub.asked[0]["client_secret"] == ["word-of-the-service"]
    assert len(hub.asked[0]["code_verifier"][0]) >= 43


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/services/pages//evil.example",
        "/services/pages\\@evil",
        "/services/pages/\r\nSet-Cookie: a=b",
        "/services/pagesevil",
        "/hub/logout",
        "javascript:alert(1)",
        "",
    ],
)
async def test_no_link_leads_elsewhere_after_signing_in(browser: httpx.AsyncClient, elsewhere: str) -> None:
    state = await _begin(browser, elsewhere)
    back = await browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": state})
    assert back.headers["location"] == PREFIX


async def test_a_state_is_for_one_browser_and_one_use(browser: httpx.AsyncClient, hub: Hub) -> None:
    state = await _begin(browser)
    cookies = dict(browser.cookies)
    browser.cookies.clear()
    for cookie in ("", "swath-pages-sign-in=made-up"):
        head = {"cookie": cookie} if cookie else {}
        answer = await browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": state}, headers=head)
        assert answer.status_code == 422
        assert answer.json()["code"] == "sign-in-state"
    assert not hub.asked
    browser.cookies.update(cookies)
    head = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    first = await browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": state}, headers=head)
    again = await browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": state}, headers=head)
    assert (first.status_code, again.status_code) == (302, 422)


@pytest.mark.parametrize("answer", [{"code": "bad"}, {"error": "access_denied"}, {}])
async def test_a_hub_that_says_no(browser: httpx.AsyncClient, answer: dict[str, str]) -> None:
    state = await _begin(browser)
    back = await browser.get(f"{PREFIX}oauth_callback", params={**answer, "state": state})
    assert back.status_code == 403
    assert back.json()["code"] == "sign-in-refused"
    assert "session" not in str(back.headers.get_list("set-cookie"))


async def test_a_hub_that_is_silent(browser: httpx.AsyncClient, hub: Hub) -> None:
    state = await _begin(browser)
    hub.silent = True
    back = await browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": state})
    assert back.status_code == 503


async def test_a_session_ends_when_the_hub_forgets_the_token(browser: httpx.AsyncClient, known: Known) -> None:
    await browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": await _begin(browser)})
    assert (await browser.get(f"{PREFIX}page")).status_code == 200
    known.actors.clear()
    assert (await browser.get(f"{PREFIX}page")).status_code == 401
    known.actors["of-ada"] = Actor(name="ada")
    assert (await browser.get(f"{PREFIX}page")).status_code == 401


async def test_a_session_reads_only(browser: httpx.AsyncClient) -> None:
    await browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": await _begin(browser)})
    assert (await browser.head(f"{PREFIX}page")).status_code == 200
    assert (await browser.post(f"{PREFIX}page")).status_code == 401
    told = await browser.post(f"{PREFIX}page", headers={"authorization": "Bearer of-ada"})
    assert told.json() == {"name": "ada"}
    # A wrong token is not made good by a session.
    wrong = await browser.get(f"{PREFIX}page", headers={"authorization": "Bearer wrong"})
    assert wrong.status_code == 401


async def test_cookies_are_secure_behind_tls(browser: httpx.AsyncClient) -> None:
    answer = await browser.get(f"{PREFIX}oauth_login", headers={"x-forwarded-proto": "https"})
    assert "Secure" in answer.headers["set-cookie"]


def test_settings_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_NAME", "SERVICE_PREFIX", "CLIENT_ID", "API_URL", "API_TOKEN"):
        monkeypatch.setenv(f"JUPYTERHUB_{name}", "/x/")
    monkeypatch.delenv("JUPYTERHUB_CLIENT_ID")
    with pytest.raises(SettingMissing, match="JUPYTERHUB_CLIENT_ID"):
        OAuthSettings.from_environment()
    monkeypatch.setenv("JUPYTERHUB_CLIENT_ID", "service-x")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "word-of-the-service")
    settings = OAuthSettings.from_environment()
    assert settings.secret == "word-of-the-service"
    assert "word-of-the-service" not in repr(settings)
