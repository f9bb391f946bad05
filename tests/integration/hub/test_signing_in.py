"""Signing in through the hub's form."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.integration


def test_a_one_time_passcode_opens_once(copy: Any, person: Callable[[str], Any]) -> None:
    passcode = copy.passcode("once")
    first = person("once").submit(passcode)
    assert first.status_code == 200
    assert first.url.path == "/hub/home"
    second = person("once").submit(passcode)
    assert second.status_code == 403
    assert "Invalid username or password" in second.text


def test_of_two_sign_ins_with_one_passcode_one_succeeds(copy: Any, person: Callable[[str], Any]) -> None:
    passcode = copy.passcode("twin")
    people = [person("twin") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: one.submit(passcode).status_code, people))
    assert sorted(answers) == [200, 403, 403, 403]


def test_a_form_from_another_site_is_refused(copy: Any, person: Callable[[str], Any]) -> None:
    passcode = copy.passcode("forged")
    refused = person("forged").submit(passcode, xsrf="made-up")
    assert refused.status_code == 403
    assert "jupyterhub-hub-login" not in {cookie.name for cookie in refused.cookies.jar}
    # Nothing was used up by it.
    assert person("forged").submit(passcode).status_code == 200


def test_guessing_is_slowed_down_and_told(copy: Any, person: Callable[[str], Any]) -> None:
    copy.passcode("guessed")
    for _ in range(5):
        assert person("guessed").submit("not the password").status_code == 403
    answer = person("guessed").submit("not the password")
    assert answer.status_code == 429
    assert "Too many failed sign-ins. Try again in" in answer.text
    # Somebody else is not kept out by it.
    assert person("unguessed").submit(copy.passcode("unguessed")).status_code == 200


def test_nobody_signs_up(person: Callable[[str], Any]) -> None:
    assert person("stranger").submit("any-password-at-all").status_code == 403


def test_the_first_operator(copy: Any, person: Callable[[str], Any]) -> None:
    kept = copy.data / "secrets" / "initial-password"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    admin = person("admin")
    assert admin.submit(kept.read_text().strip()).status_code == 200
    model = admin.browser.get("hub/api/users/admin", headers={"Referer": f"{copy.url}hub/home"}).json()
    assert model["admin"] is True
    token = admin.new_token()
    mine = httpx.get(f"{copy.url}hub/api/user", headers={"Authorization": f"token {token}"}, trust_env=False).json()
    assert "custom:swath:administer" in mine["scopes"]
    assert mine["groups"] == ["operators"]


def test_no_secret_reaches_the_log(copy: Any, person: Callable[[str], Any]) -> None:
    passcode = copy.passcode("logged")
    person("logged").submit(passcode)
    kept = [
        path.read_text().strip() for path in (copy.data / "secrets").iterdir() if path.suffix not in {".lock", ".json"}
    ]
    assert len(kept) >= 4
    log = copy.log()
    assert not [value for value in [passcode, *kept] if value in log]


def test_users_file_holds_hashes_alone(copy: Any) -> None:
    passcode = copy.passcode("hashed")
    path = copy.data / "secrets" / "users.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert passcode not in path.read_text()
    assert len(json.loads(path.read_text())["users"]["hashed"]["passcodes"]) == 1
