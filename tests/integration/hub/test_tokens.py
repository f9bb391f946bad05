"""What tokens open, and what they do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

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
