"""Limits on failures, and the authenticator's answers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from swath_hub.authenticator import LocalUsersAuthenticator
from swath_hub.ratelimit import FailureLimit
from swath_hub.users import UserFile
from tornado import web


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_five_failures_a_minute_and_name() -> None:
    clock = Clock()
    limit = FailureLimit(clock=clock)
    for _ in range(5):
        assert limit.wait_seconds("ada") == 0
        limit.failed("ada")
        clock.now += 1
    assert limit.wait_seconds("ada") == 55
    assert limit.wait_seconds("ben") == 0
    clock.now += 55
    assert limit.wait_seconds("ada") == 0


def test_success_forgets_a_names_failures() -> None:
    limit = FailureLimit(clock=Clock())
    for _ in range(4):
        limit.failed("ada")
    limit.succeeded("ada")
    limit.failed("ada")
    assert limit.wait_seconds("ada") == 0


def test_many_names_are_limited_together_and_forgotten() -> None:
    clock = Clock()
    limit = FailureLimit(overall=20, clock=clock)
    for number in range(20):
        limit.failed(f"name-{number}")
    assert limit.wait_seconds("somebody-else") == 60
    clock.now += 61
    assert limit.wait_seconds("somebody-else") == 0
    assert not limit._by_name


@pytest.fixture
def authenticator(tmp_path: Path) -> LocalUsersAuthenticator:
    users = UserFile(tmp_path / "users.json")
    users.add("ada", admin=True)
    users.set_password("ada", "correct horse battery")
    return LocalUsersAuthenticator(users_file=str(tmp_path / "users.json"), allow_all=True)


async def test_who_signs_in(authenticator: LocalUsersAuthenticator) -> None:
    found = await authenticator.authenticate(None, {"username": " Ada ", "password": "correct horse battery"})
    assert found == {"name": "ada", "admin": True, "groups": ["operators"]}


@pytest.mark.parametrize(
    "form", [{}, {"username": "ada"}, {"username": "ada", "password": ""}, {"username": "ada", "password": "x" * 2000}]
)
async def test_half_a_form(authenticator: LocalUsersAuthenticator, form: dict[str, str]) -> None:
    assert await authenticator.authenticate(None, form) is None


async def test_the_sixth_guess_is_not_even_tried(authenticator: LocalUsersAuthenticator) -> None:
    for _ in range(5):
        assert await authenticator.authenticate(None, {"username": "ada", "password": "wrong"}) is None
    with pytest.raises(web.HTTPError) as told:
        await authenticator.authenticate(None, {"username": "ada", "password": "correct horse battery"})
    assert told.value.status_code == 429


async def test_a_removed_user_is_signed_out(authenticator: LocalUsersAuthenticator, tmp_path: Path) -> None:
    ada = SimpleNamespace(name="ada")
    assert await authenticator.refresh_user(ada) == {"name": "ada", "admin": True, "groups": ["operators"]}
    UserFile(tmp_path / "users.json").remove("ada")
    assert await authenticator.refresh_user(ada) is False


@pytest.mark.parametrize(
    ("name", "may"), [("ada", True), ("a-b", True), ("Ada", False), ("a_b", False), ("a" * 33, False)]
)
def test_names(authenticator: LocalUsersAuthenticator, name: str, may: bool) -> None:
    assert authenticator.validate_username(name) is may
