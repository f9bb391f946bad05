"""The file of local users."""

from __future__ import annotations

import json
import stat
import threading
import time
from pathlib import Path

import pytest
from swath_hub.errors import OperatorError
from swath_hub.users import UserFile


@pytest.fixture
def users(tmp_path: Path) -> UserFile:
    return UserFile(tmp_path / "users.json")


def test_a_passcode_works_once_and_no_other(users: UserFile) -> None:
    assert users.add("ada") is True
    first, second = users.new_passcode("ada"), users.new_passcode("ada")
    assert first != second
    assert users.verify("ada", "wrong") is None
    assert users.verify("ada", first) is not None
    assert users.verify("ada", first) is None
    assert users.verify("ada", second) is not None


def test_a_passcode_is_for_one_user(users: UserFile) -> None:
    users.add("ada")
    users.add("ben")
    passcode = users.new_passcode("ada")
    assert users.verify("ben", passcode) is None
    assert users.verify("ada", passcode) is not None


def test_a_passcode_expires(users: UserFile) -> None:
    users.add("ada")
    late = users.new_passcode("ada", seconds=-1)
    assert users.verify("ada", late) is None


def test_racing_uses_of_one_passcode(users: UserFile) -> None:
    users.add("ada")
    passcode = users.new_passcode("ada")
    gate, won = threading.Barrier(6), []

    def use() -> None:
        gate.wait()
        if users.verify("ada", passcode) is not None:
            won.append(1)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_password_lasts_and_is_kept_as_a_hash(users: UserFile, tmp_path: Path) -> None:
    users.add("ada", admin=True)
    users.set_password("ada", "correct horse battery")
    for _ in range(2):
        found = users.verify("ada", "correct horse battery")
        assert found is not None
        assert found.admin is True
    path = tmp_path / "users.json"
    assert "correct horse" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "users.lock").stat().st_mode) == 0o600


def test_an_unknown_name_costs_as_much(users: UserFile) -> None:
    users.add("ada")
    users.set_password("ada", "correct horse battery")

    def seconds(name: str) -> float:
        times = []
        for _ in range(5):
            begun = time.thread_time()
            users.verify(name, "not the password")
            times.append(time.thread_time() - begun)
        return min(times)

    known, unknown = seconds("ada"), seconds("nobody-here")
    # Both hash once: without that the unknown one would take a thousandth.
    assert unknown > known / 3


def test_adding_again_changes_nothing(users: UserFile) -> None:
    users.add("ada", admin=True)
    passcode = users.new_passcode("ada")
    assert users.add("ada") is False
    found = users.verify("ada", passcode)
    assert found is not None
    assert found.admin is True


def test_removed_is_removed(users: UserFile) -> None:
    users.add("ada")
    passcode = users.new_passcode("ada")
    users.remove("ada")
    assert users.verify("ada", passcode) is None
    assert users.get("ada") is None
    with pytest.raises(OperatorError, match="no user 'ada'"):
        users.remove("ada")


@pytest.mark.parametrize("name", ["", "Ada", "a b", "-a", "a-", "a--b", "1a", "ä", "a/b", "..", "a" * 33, "a.b", "a\n"])
def test_names_that_cannot_be(users: UserFile, name: str) -> None:
    with pytest.raises(OperatorError) as told:
        users.add(name)
    assert told.value.code == "bad-user-name"


@pytest.mark.parametrize("name", ["quota", "marketplace", "root", "public", "operators", "platform"])
def test_names_of_parts_of_swath(users: UserFile, name: str) -> None:
    with pytest.raises(OperatorError) as told:
        users.add(name)
    assert told.value.code == "reserved-user-name"


def test_a_short_password(users: UserFile) -> None:
    users.add("ada")
    with pytest.raises(OperatorError, match="at least 12"):
        users.set_password("ada", "short")


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2, "users": {}}', '{"version": 1, "users": {"a": {"x": 1}}}'])
def test_a_broken_file_is_told_and_left_alone(users: UserFile, tmp_path: Path, text: str) -> None:
    path = tmp_path / "users.json"
    path.write_text(text)
    with pytest.raises(OperatorError) as told:
        users.add("ada")
    assert told.value.code == "users-unreadable"
    assert path.read_text() == text


def test_expired_passcodes_are_swept(users: UserFile, tmp_path: Path) -> None:
    users.add("ada")
    users.new_passcode("ada", seconds=-1)
    users.new_passcode("ada")
    stored = json.loads((tmp_path / "users.json").read_text())
    assert len(stored["users"]["ada"]["passcodes"]) == 1
