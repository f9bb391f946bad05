"""`swath benchmark OWNER/NAME` and `swath notices`: what is asked of the service, what is told, with which code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from swath.cli.app import app
from swath.client import benchmarks, session
from typer.main import get_command

DIFFERS = {
    "verdict": "differs",
    "kind": "json",
    "message": "1 of 1 values differs",
    "compared": 1,
    "differing": 1,
    "largest": 0.06,
    "differences": [{"where": "$.value", "expected": "6.0", "found": "6.06\x1b[2J", "distance": 0.06}],
    "picture": None,
}


class FakeApi:
    """A service with one version, whose round ends after a few looks."""

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome
        self.asked: list[str] = []
        self.looks = 0

    def json(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        del json
        told = path.removeprefix("services/marketplace/")
        self.asked.append(f"{method} {told}")
        if told.endswith("/rounds"):
            return {"id": "r1", "state": "waiting", "results": []}
        if told == "rounds/r1":
            self.looks += 1
            result = {
                "scenario": "three",
                "outcome": self.outcome,
                "message": "what came",
                "wall_seconds": 2.5,
                "comparisons": {"double": DIFFERS} if self.outcome == "red" else {},
                "repeated": {},
            }
            over = self.looks > 2
            return {"id": "r1", "state": "ended" if over else "running", "results": [result] if self.looks > 1 else []}
        if told == "notices":
            notice = {"id": "n1", "at": "2026-06-01T00:00:00Z", "read_at": None, "text": "three is red\x1b[2J"}
            return {"notices": [notice], "total": 1, "params": dict(params or {})}
        if told == "notices/n1/read":
            return {"id": "n1", "read_at": "2026-06-02T00:00:00Z"}
        return {"version": "1.2.0"}


@pytest.fixture
def fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    api = FakeApi(getattr(request, "param", "green"))
    monkeypatch.setattr(session, "connection", lambda: api)
    monkeypatch.setattr(benchmarks.time, "sleep", lambda _: None)
    return api


def swath(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        get_command(app).main(list(arguments))
    code = ended.value.code
    assert isinstance(code, int)
    return code


@pytest.mark.parametrize(("fake", "code"), [("green", 0), ("red", 1), ("unknown", 1)], indirect=["fake"])
def test_a_round_of_the_service_is_followed(fake: FakeApi, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert swath("benchmark", "ada/double@^1") == code
    assert fake.asked[:2] == [
        "GET algorithms/ada/double/versions/%5E1",
        "POST algorithms/ada/double/versions/1.2.0/rounds",
    ]
    told = capsys.readouterr()
    assert told.err.count("three: what came") == 1, "each scenario is told once"
    assert "2.5" in told.out
    assert "\x1b" not in told.out + told.err
    assert ("$.value" in told.out) is (fake.outcome == "red")


def test_it_need_not_be_waited_for(fake: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    assert swath("benchmark", "ada/double", "--no-wait") == 0
    assert capsys.readouterr().out == "r1\n"
    assert fake.looks == 0


def test_as_json_it_is_one_document(fake: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    assert swath("benchmark", "ada/double", "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["results"][0]["scenario"] == "three"
    assert told.err == ""
    assert fake.looks == 3


@pytest.mark.parametrize("option", ["--update", "--once", "--scenario=x", "--pictures=x"])
def test_what_is_for_a_folder_is_refused_for_the_service(fake: FakeApi, option: str) -> None:
    assert swath("benchmark", "ada/double", option) == 2
    assert fake.asked == []


def test_a_folder_that_is_not_there_is_no_algorithm(fake: FakeApi) -> None:
    assert swath("benchmark", "nowhere") == 5
    assert swath("benchmark", "gone.ipynb") == 6
    assert fake.asked == []


def test_notices_are_shown_and_read(fake: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    assert swath("notices", "--unread") == 0
    told = capsys.readouterr().out
    assert "three is red" in told
    assert "new" in told
    assert "\x1b" not in told
    assert swath("notices", "--read", "all") == 0
    assert "1 read" in capsys.readouterr().err
    assert fake.asked[-1] == "POST notices/n1/read"
    assert swath("notices", "--read", "../x") == 5
