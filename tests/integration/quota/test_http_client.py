"""`HttpQuotaClient` against answers that the service never gives, but proxies and half-started processes do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from swath_quota.client import HttpQuotaClient
from swath_service.errors import Invalid, Unauthenticated, Unavailable

pytestmark = pytest.mark.integration
PRICES = (
    b'{"effective_on": "2025-01-01", "per_cpu_hour": 1, "per_gb_hour": 2, "per_batch_run": 3, "per_sync_call": 4,'
    b' "a_later_member": 5}'
)


class _Script(BaseHTTPRequestHandler):
    answers: ClassVar[list[tuple[int, bytes] | None]] = []
    seen: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        self.seen.append({"path": self.path, **self.headers})
        answer = self.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def script() -> Iterator[Any]:
    """A server that answers what it is told to, in turn; ``None`` hangs up."""

    class Script(_Script):
        answers: ClassVar[list[tuple[int, bytes] | None]] = []
        seen: ClassVar[list[dict[str, Any]]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Script)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Script.url = f"http://127.0.0.1:{server.server_port}/services/quota"  # type: ignore[attr-defined]
    yield Script
    server.shutdown()
    server.server_close()


def client_of(script: Any) -> HttpQuotaClient:
    return HttpQuotaClient(script.url, "token-of-the-test", attempts=3, pause_seconds=0.001)


def test_silence_is_asked_again(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # A proxy of the environment must not see the token.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    script.answers[:] = [(503, b"<html>"), None, (200, PRICES)]
    with client_of(script) as client:
        assert client.prices().per_sync_call == 4
    assert [seen["path"] for seen in script.seen] == ["/services/quota/prices"] * 3
    assert {seen["Authorization"] for seen in script.seen} == {"Bearer token-of-the-test"}


@pytest.mark.parametrize("silence", [(502, b""), (503, b"{}"), (504, b""), None])
def test_lasting_silence_is_unavailable_and_tells_no_token(script: Any, silence: tuple[int, bytes] | None) -> None:
    script.answers[:] = [silence] * 3
    with client_of(script) as client, pytest.raises(Unavailable) as caught:
        client.prices()
    assert caught.value.code == "quota-unreachable"
    assert "3 attempts" in caught.value.message
    assert "token-of-the-test" not in repr(caught.value) + caught.value.message
    assert script.answers == []


@pytest.mark.parametrize("answer", [(200, b"<html>"), (200, b"[]"), (404, b"not here"), (500, b"")])
def test_what_is_not_the_service_is_unavailable(script: Any, answer: tuple[int, bytes]) -> None:
    script.answers[:] = [answer]
    with client_of(script) as client, pytest.raises(Unavailable):
        client.prices()


def test_an_unknown_code_is_its_statuss_error_with_all_that_was_told(script: Any) -> None:
    script.answers[:] = [
        (422, b'{"code": "brand-new", "detail": "d", "mend": "m", "findings": [{"field": "f"}], "more": 1}'),
        (401, b'{"code": "unknown-token", "detail": "d"}'),
        (500, b'{"code": "internal-error", "detail": "d"}'),
    ]
    with client_of(script) as client:
        with pytest.raises(Invalid) as caught:
            client.prices()
        error = caught.value
        assert (error.code, error.message, error.mend, error.findings, error.extra) == (
            "brand-new",
            "d",
            "m",
            ({"field": "f"},),
            {"more": 1},
        )
        with pytest.raises(Unauthenticated):
            client.prices()
        with pytest.raises(Unavailable):
            client.prices()
