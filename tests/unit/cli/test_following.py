"""`swath favourite` and `swath follow`: what is asked of the service, and what is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from swath.cli.app import app
from swath.client import session
from typer.main import get_command


class FakeApi:
    """A service that keeps what it is told."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def json(self, method: str, path: str, **_: Any) -> Any:
        told = path.removeprefix("services/marketplace/")
        self.asked.append(f"{method} {told}")
        if method == "GET":
            one = {"algorithm": "ada/double\x1b[2J", "since": "2026-06-01T00:00:00Z"}
            return {"favourites": [one], "follows": []}
        return {"algorithm": "ada/double", "chosen": method == "PUT", "since": None}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    api = FakeApi()
    monkeypatch.setattr(session, "connection", lambda: api)
    return api


def swath(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as ended:
        get_command(app).main(list(arguments))
    return ended.value.code


def test_what_is_chosen_and_taken_back(fake: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("favourite", "ada/double"), ("follow", "ada/double@^1"), ("follow", "ada/double", "--remove")):
        assert swath(*arguments) == 0
    told = capsys.readouterr().err
    assert "ada/double is a favourite" in told
    assert "ada/double is not followed" in told
    here = ["favourites", "follows", "follows"]
    verbs = zip(("PUT", "PUT", "DELETE"), here, strict=True)
    assert fake.asked == [f"{verb} {which}/ada/double" for verb, which in verbs]


def test_lists(fake: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    assert swath("favourite") == 0
    told = capsys.readouterr().out
    assert "ada/double" in told
    assert "\x1b" not in told
    assert swath("follow", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"follows": []}
    assert swath("follow", "--remove") == 2
    assert len(fake.asked) == 2
