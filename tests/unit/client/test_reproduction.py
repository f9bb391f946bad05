"""Asking for a reproduction, waiting for it, and how the command tells the verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath.cli import reproducing as verb
from swath.cli.app import app
from swath.client import reproduction
from swath.client.credentials import Credentials
from swath.client.errors import Invalid, WaitTimeout
from swath.client.http import Api
from typer.testing import CliRunner

BASE = "/services/marketplace/"
DIFFERENCE = {"where": "$.value", "expected": "1", "found": "2\x1b[2J", "distance": 1.0}


def told(**more: Any) -> dict[str, Any]:
    return {
        "id": "x1",
        "of_run": "r1",
        "algorithm": "ada/mean",
        "version": "1.0.0",
        "stage": "ended",
        "run": "r2",
        "verdict": "identical",
        "message": "every output is the same",
        "causes": [],
        "comparisons": {},
        "tolerances_from": "exact",
        "asked_at": "2026-01-01T00:00:00+00:00",
        **more,
    }


def differs() -> dict[str, Any]:
    one = {
        "verdict": "differs",
        "message": "1 of 1 values",
        "differences": [DIFFERENCE],
        "picture": f"{BASE}p/mean.png",
    }
    cause = {"code": "chance", "message": "cell 2 asks the clock"}
    return told(verdict="differs", message="mean: 1 of 1 values", causes=[cause], comparisons={"mean": one})


class Server:
    """Answers what it is given, the last for good."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []
        self.api = Api(
            Credentials(url="http://hub/", token="t", source="test"), transport=httpx.MockTransport(self._answer)
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.path, body))
        if request.url.path.endswith(".png"):
            return httpx.Response(200, content=b"png")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx.Response(202 if request.method == "POST" else 200, json=answer)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swath.client.reproduction.time.sleep", lambda _: None)


def test_a_run_or_a_receipt(tmp_path: Path) -> None:
    server, receipt = Server(told(verdict=None, stage="asked"), told()), tmp_path / "r1.receipt.json"
    receipt.write_text('{"format": "swath-receipt-1"}')
    made = reproduction.start(server.api, "r1", tolerances={"*": {"rtol": 0.1}}, budget_millicredits=5)
    assert made.verdict is None
    assert made.wait().same
    reproduction.start(server.api, receipt)
    assert server.asked == [
        ("POST", f"{BASE}runs/r1/reproductions", {"tolerances": {"*": {"rtol": 0.1}}, "budget_millicredits": 5}),
        ("GET", f"{BASE}reproductions/x1", None),
        ("POST", f"{BASE}reproductions", {"receipt": {"format": "swath-receipt-1"}}),
    ]


@pytest.mark.parametrize("content", ["", "[]", "{", '"x"'])
def test_what_is_no_receipt_is_sent_nowhere(tmp_path: Path, content: str) -> None:
    server, file = Server(told()), tmp_path / "file"
    file.write_text(content)
    with pytest.raises(Invalid, match="no receipt"):
        reproduction.start(server.api, file)
    with pytest.raises(Invalid, match="no file here"):
        reproduction.start(server.api, "../r1")
    assert server.asked == []


def test_waiting_ends() -> None:
    server = Server(told(verdict=None, stage="running"))
    with pytest.raises(WaitTimeout, match="no verdict yet"):
        reproduction.start(server.api, "r1").wait(timeout=0.1)


def test_pictures_are_saved(tmp_path: Path) -> None:
    made = reproduction.start(Server(differs()).api, "r1")
    assert made.save_pictures(tmp_path / "new") == [tmp_path / "new" / "mean.png"]
    assert (tmp_path / "new" / "mean.png").read_bytes() == b"png"
    assert reproduction.start(Server(told()).api, "r1").save_pictures(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_it_shows_itself_without_driving_anything() -> None:
    made = reproduction.start(Server(differs()).api, "r1")
    assert "because: cell 2 asks the clock" in repr(made)
    assert "<td style='text-align:left'>differs</td>" in made._repr_html_()


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (told(), 0, "identical"),
        (told(verdict="within-tolerance"), 0, "within-tolerance"),
        (differs(), 1, "$.value"),
        (told(verdict="cannot", message="it is gone", run=None), 2, "it is gone"),
    ],
)
def test_the_command_ends_as_the_verdict_is(
    answer: dict[str, Any], code: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(answer)
    monkeypatch.setattr(verb.session, "connection", lambda: server.api)
    ended = CliRunner().invoke(app, ["reproduce", "r1", "--rtol", "0.5"])
    assert ended.exit_code == code, ended.output
    assert words in ended.stdout
    assert "\x1b" not in ended.stdout
    assert server.asked[0][2] == {"tolerances": {"*": {"rtol": 0.5}}}
