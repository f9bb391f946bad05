"""``swath webhook`` and the client against the marketplace, and its own verifier beside standard-webhooks' own."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError
from swath.cli.app import app
from swath.client import session, webhooks
from swath.client.credentials import Credentials
from swath.client.errors import Invalid
from swath.client.http import Api
from swath_marketplace.hook_testing import LOOPBACK, Receiver, receiving
from swath_marketplace.testing import World, make_world
from typer.testing import CliRunner


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'marketplace.sqlite'}"


@pytest.fixture
def world(data: Path, database_url: str) -> Iterator[World]:
    made = make_world(data, database_url=database_url, **LOOPBACK)
    yield made
    made.made.database.dispose()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def swath(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The command, signed in as bob."""
    with TestClient(world.app(), raise_server_exceptions=False) as served:

        def handle(request: httpx.Request) -> httpx.Response:
            answer = served.request(
                request.method, str(request.url.raw_path, "ascii"), content=request.read(), headers=request.headers
            )
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

        credentials = Credentials(url="http://127.0.0.1:1/", token="bob", source="a test")
        api = Api(credentials, transport=httpx.MockTransport(handle))
        monkeypatch.setattr(session, "connection", lambda: api)
        runner = CliRunner()

        def invoke(*words: str, code: int = 0) -> Any:
            result = runner.invoke(app, ["webhook", *words, "--json"])
            assert result.exit_code == code, result.output
            return json.loads(result.stdout) if result.stdout.startswith("{") else result.output

        yield invoke


def test_the_life_of_a_webhook_on_the_command_line(swath: Any, receiver: Receiver) -> None:
    made = swath("add", receiver.url, "-e", "run.end", "-e", "notice", "--description", "mine")
    short = made["id"][:8]
    (listed,) = swath("list")["webhooks"]
    assert (listed["events"], "secret" in listed) == (["run.end", "notice"], False)
    told = swath("test", short)
    assert (told["status"], told["answer"]) == ("delivered", 204)
    (got,) = receiver.received
    assert webhooks.verify(made["secret"], got.body, got.headers)["type"] == "ping"
    (delivery,) = swath("deliveries", short)["deliveries"]
    again = swath("deliveries", short, "--again", delivery["id"])["deliveries"]
    assert [one["id"] for one in again] == [delivery["id"]]
    rotated = swath("rotate", short, "--overlap", "1")
    assert rotated["secret"] != made["secret"]
    assert not swath("switch", short, "--off")["active"]
    assert swath("switch", short, "--on")["active"]
    receiver.answer = lambda _: (500, {})
    assert swath("test", short, code=1)["answer"] == 500
    swath("remove", short)
    assert swath("list") == {"webhooks": []}
    assert "none of your webhooks" in swath("test", short, code=5)
    assert "not sent to" in swath("add", "https://user:pw@127.0.0.1/", code=5)


def test_the_tables_for_people(swath: Any, receiver: Receiver) -> None:
    hook = webhooks.add(session.connection(), receiver.url)
    assert hook.secret
    assert hook.secret not in hook._repr_html_() + repr(hook)
    hook.test()
    runner = CliRunner()
    for words in (["list"], ["deliveries", hook.id], ["add", receiver.url]):
        result = runner.invoke(app, ["webhook", *words])
        assert result.exit_code == 0, result.output
    assert "whsec_" in result.output


SECRET, OTHER = "whsec_" + "QUFB" * 8, "whsec_" + "QkJC" * 8


def signed(secret: str, body: bytes, *, at: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(int(at), UTC)
    signature = Signer(secret).sign("msg_1", moment, body.decode())
    return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(int(at)), "Webhook-Signature": signature}


def test_what_the_standards_own_library_signs_is_believed_and_nothing_else() -> None:
    now, body = time.time(), '{"type":"ping","ö":1}'.encode()
    head = signed(SECRET, body, at=now)
    assert webhooks.verify(SECRET, body, head)["type"] == "ping"
    assert webhooks.verify([OTHER, SECRET], body, head)["type"] == "ping"
    both = {**head, "Webhook-Signature": f"v1a,xx v1,AAAA {head['Webhook-Signature']}"}
    assert webhooks.verify(SECRET, body, both)
    bad: list[tuple[str, bytes, dict[str, str]]] = [
        (OTHER, body, head),
        (SECRET, body + b" ", head),
        (SECRET, body, {**head, "Webhook-Id": "msg_2"}),
        (SECRET, body, {**head, "Webhook-Timestamp": str(int(now) + 1)}),
        (SECRET, body, {**head, "Webhook-Timestamp": "x"}),
        (SECRET, body, {**head, "Webhook-Signature": ""}),
        (SECRET, body, {**head, "Webhook-Signature": "v1,ö"}),
        (SECRET, body, {}),
        ("whsec_x", body, head),
        (SECRET, body, signed(SECRET, body, at=now - 301)),
        (SECRET, body, signed(SECRET, body, at=now + 301)),
    ]
    for secret, sent, headers in bad:
        with pytest.raises(Invalid):
            webhooks.verify(secret, sent, headers)


def test_the_receiver_in_the_documentation_works() -> None:
    page = (Path(__file__).parents[3] / "docs/doors-events.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    told: dict[str, Any] = {}
    exec(compile(block, "doors-events.md", "exec"), told)
    body = b'{"type":"run.end"}'
    headers = {name.lower(): value for name, value in signed(SECRET, body, at=time.time()).items()}
    assert [told["receive"](SECRET, body, headers) for _ in range(2)] == ["run.end", None]
    with pytest.raises(WebhookVerificationError):
        told["receive"](OTHER, body, headers)
