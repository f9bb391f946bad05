"""What tokens open, and what they do not."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
from swath.client import errors
from swath.client import tokens as tokens_of
from swath.client.credentials import Credentials
from swath.client.http import Api

pytestmark = pytest.mark.integration

USER = {"custom:swath:read", "custom:swath:publish", "custom:swath:execute"}


def _get(copy: Any, path: str, token: str | None = None, *, scheme: str = "Bearer", **settings: Any) -> httpx.Response:
    headers = {"Authorization": f"{scheme} {token}"} if token else {}
    return httpx.get(copy.url + path, headers=headers, trust_env=False, timeout=30, **settings)


def _swath(scopes: list[str]) -> set[str]:
    return {scope for scope in scopes if scope.startswith("custom:")}


def test_a_user_reads_publishes_and_executes(copy: Any, tokens: dict[str, str]) -> None:
    mine = _get(copy, "hub/api/user", tokens["ada"]).json()
    assert _swath(mine["scopes"]) == USER


@pytest.mark.parametrize("path", ["services/quota/wallet", "services/marketplace/runs"])
def test_services_want_a_token_in_the_header(copy: Any, tokens: dict[str, str], path: str) -> None:
    assert _get(copy, path, tokens["ada"]).status_code == 200
    assert _get(copy, path, tokens["ada"], scheme="token").status_code == 200
    assert _get(copy, path).status_code == 401
    assert _get(copy, path, "0" * 32).status_code == 401
    assert _get(copy, path, params={"token": tokens["ada"]}).status_code == 401


def test_a_narrow_token_is_narrow(copy: Any, person: Callable[[str], Any]) -> None:
    narrow = person("narrow").sign_in().new_token(scopes=["custom:swath:read"])
    assert _swath(_get(copy, "hub/api/user", narrow).json()["scopes"]) == {"custom:swath:read"}
    headers = {"Authorization": f"Bearer {narrow}"}
    asked = {"algorithm": "ada/none@1", "parameters": {}}
    answer = httpx.post(f"{copy.url}services/marketplace/runs", json=asked, headers=headers, trust_env=False)
    assert answer.status_code == 403
    assert answer.json()["code"] == "missing-scope"
    # It may not access the gateway at all.
    assert _get(copy, "services/dask-gateway/api/v1/clusters/", narrow, scheme="jupyterhub").status_code == 401


@pytest.mark.parametrize("scheme", ["jupyterhub", "Bearer"])
def test_the_gateway_wants_a_token_that_may_access_it(copy: Any, tokens: dict[str, str], scheme: str) -> None:
    path = "services/dask-gateway/api/v1/clusters/"
    assert _get(copy, path, tokens["ada"], scheme=scheme).status_code == 200
    assert _get(copy, path).status_code == 401
    # Its own authenticator would have said 500.
    assert _get(copy, path, "0" * 32, scheme=scheme).status_code == 401


def test_nobody_takes_a_right_he_lacks(copy: Any, person: Callable[[str], Any]) -> None:
    mallory = person("mallory").sign_in()
    headers = {"X-XSRFToken": mallory.xsrf, "Referer": f"{copy.url}hub/token"}
    for scope in ("custom:swath:administer", "custom:swath:ledger", "admin:users"):
        wanted = {"note": "more", "scopes": [scope]}
        answer = mallory.browser.post("hub/api/users/mallory/tokens", json=wanted, headers=headers)
        assert answer.status_code in (400, 403), scope
    token = mallory.new_token()
    assert _get(copy, "hub/api/users", token).status_code == 403
    assert _get(copy, "hub/api/users/ada", token).status_code == 404
    assert _get(copy, "hub/api/services", token).status_code == 403


def test_services_have_the_least_they_need(copy: Any, person: Callable[[str], Any]) -> None:
    admin = person("admin")
    admin.submit((copy.data / "secrets" / "initial-password").read_text().strip())
    services = _get(copy, "hub/api/services", admin.new_token()).json()
    roles = {name: set(model["roles"]) for name, model in services.items() if name != "pages"}
    assert roles == {
        "quota": set(),
        "archive": {"swath-archive"},
        "dask-gateway": {"swath-dask-gateway"},
        "lab": {"swath-lab"},
        "marketplace": {"swath-marketplace"},
        "idle-culler": {"swath-idle-culler"},
    }
    assert not [name for name, model in services.items() if model["admin"]]


def test_a_token_for_one_purpose_does_that_and_ends(copy: Any, person: Callable[[str], Any]) -> None:
    whole = Api(Credentials(url=copy.url, token=person("careful").sign_in().new_token(), source="a test"))
    made = tokens_of.create(whole, purpose="nightly NDVI", scopes=["execute"], days=90)
    assert (made.scopes, made.purpose) == (("execute", "read"), "nightly NDVI")
    assert made.secret
    assert made.secret not in repr(made)
    lasts = datetime.fromisoformat(made.expires_at or "") - datetime.fromisoformat(made.created_at or "")
    assert abs(lasts.total_seconds() - 90 * 86_400) < 60
    narrow = Api(Credentials(url=copy.url, token=made.secret, source="a test"))
    # It runs (there is no such algorithm), reads, publishes nothing, and makes no further tokens.
    assert _code(narrow, "POST", "runs", {"algorithm": "ada/none", "parameters": {}}) == "no-such-algorithm"
    assert narrow.json("GET", "services/marketplace/runs")["runs"] == []
    assert narrow.json("GET", "services/quota/wallet")
    assert _code(narrow, "POST", "algorithms", {"notebook": {}}) == "missing-scope"
    with pytest.raises(errors.SwathError) as refused:
        tokens_of.create(narrow, purpose="more", scopes=["publish"])
    assert refused.value.status in (403, 404)
    reader = tokens_of.create(whole, purpose="dashboard", days=1)
    assert reader.secret
    reading = Api(Credentials(url=copy.url, token=reader.secret, source="a test"))
    assert _code(reading, "POST", "runs", {"algorithm": "ada/none", "parameters": {}}) == "missing-scope"
    with pytest.raises(errors.Invalid, match="must not exceed"):
        tokens_of.create(whole, purpose="for ever", days=366)
    listed = {one.purpose: one for one in tokens_of.list_tokens(whole)}
    assert listed["nightly NDVI"].last_used_at
    assert listed["nightly NDVI"].secret is None
    # Nobody saw this one yet, so nobody believes it for a moment longer.
    unused = tokens_of.create(whole, purpose="mistake", days=1)
    assert tokens_of.revoke(whole, "mistake").id == unused.id
    gone = _get(copy, "services/marketplace/runs", unused.secret)
    assert (gone.status_code, gone.json()["code"]) == (401, "unknown-token")
    with pytest.raises(errors.NotFound):
        tokens_of.revoke(whole, "mistake")
    short = person("careful").sign_in().new_token(expires_in=1, note="short")
    while _get(copy, "hub/api/user", short).status_code == 200:
        time.sleep(0.1)
    assert _get(copy, "services/marketplace/runs", short).status_code == 401


def _code(api: Api, method: str, path: str, body: dict[str, Any]) -> str:
    with pytest.raises(errors.SwathError) as refused:
        api.request(method, f"services/marketplace/{path}", json=body, repeatable=False)
    return refused.value.code
