"""A service's page in a browser: the hub's OAuth, then a session that only reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

pytestmark = pytest.mark.integration

HTML = {"Accept": "text/html,application/xhtml+xml"}


def test_a_person_is_led_through_the_hub_and_back(copy: Any, person: Callable[[str], Any]) -> None:
    grace = person("grace").sign_in()
    answer = grace.browser.get("services/pages/?a=1", headers=HTML)
    assert answer.status_code == 200
    assert answer.url.path == "/services/pages/"
    assert answer.url.query == b"a=1"
    told = answer.json()
    assert told["name"] == "grace"
    # What the service may do with the session is no more than the operator allowed its pages.
    assert {scope for scope in told["scopes"] if scope.startswith("custom:")} == {"custom:swath:read"}
    cookie = next(cookie for cookie in grace.browser.cookies.jar if cookie.name == "swath-pages-session")
    assert cookie.path == "/services/pages/"
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "lax"
    # Again, without a way round.
    again = grace.browser.get("services/pages/", headers=HTML, follow_redirects=False)
    assert again.status_code == 200


def test_a_session_only_reads(person: Callable[[str], Any]) -> None:
    heidi = person("heidi").sign_in()
    assert heidi.browser.get("services/pages/", headers=HTML).status_code == 200
    assert heidi.browser.post("services/pages/", headers=HTML).status_code == 401
    # Nor does it open what is for programs.
    assert heidi.browser.get("services/pages/api", headers=HTML).status_code == 401
    token = heidi.new_token()
    changed = heidi.browser.post("services/pages/", headers={"Authorization": f"Bearer {token}"})
    assert changed.json() == {"changed by": "heidi"}


def test_a_program_is_not_redirected(copy: Any) -> None:
    answer = httpx.get(f"{copy.url}services/pages/", follow_redirects=False, trust_env=False)
    assert answer.status_code == 401
    assert answer.json()["code"] == "no-token"


def test_the_flow_has_state_and_proof_and_ends_with_the_hubs_session(copy: Any, person: Callable[[str], Any]) -> None:
    ivan = person("ivan").sign_in()
    login = ivan.browser.get("services/pages/oauth_login", follow_redirects=False)
    asked = parse_qs(urlsplit(login.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    callback = ivan.browser.get(login.headers["location"], follow_redirects=False).headers["location"]
    # The answer works in the browser that asked, and nowhere else.
    elsewhere = httpx.get(copy.url.rstrip("/") + callback, follow_redirects=False, trust_env=False)
    assert elsewhere.status_code == 422
    assert elsewhere.json()["code"] == "sign-in-state"
    assert ivan.browser.get(callback, follow_redirects=False).status_code == 302
    assert ivan.browser.get(callback, follow_redirects=False).status_code == 422
    assert ivan.browser.get("services/pages/", headers=HTML, follow_redirects=False).status_code == 200
    ivan.browser.get("hub/logout")
    after = ivan.browser.get("services/pages/", headers=HTML, follow_redirects=False)
    assert after.status_code == 302
    assert after.headers["location"].startswith("/services/pages/oauth_login")


def test_signing_out_of_the_service(person: Callable[[str], Any]) -> None:
    judy = person("judy").sign_in()
    judy.browser.get("services/pages/", headers=HTML)
    foreign = judy.browser.post("services/pages/logout", headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    kept = judy.browser.cookies.get("swath-pages-session", path="/services/pages/")
    assert judy.browser.post("services/pages/logout", follow_redirects=False).status_code == 303
    stolen = {"Cookie": f"swath-pages-session={kept}", **HTML}
    again = httpx.get(str(judy.browser.base_url) + "services/pages/", headers=stolen, trust_env=False)
    assert again.status_code == 302
