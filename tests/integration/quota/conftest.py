"""The quota service as JupyterHub starts it: a process of its own, which asks a hub who is calling."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_quota.client import HttpQuotaClient

PREFIX = "/services/quota/"
ALL = ["read", "publish", "execute", "administer", "ledger"]


def scopes(*names: str) -> list[str]:
    return [f"custom:swath:{name}" for name in names]


#: Who the hub knows, by token.
MODELS: dict[str, dict[str, Any]] = {
    "token-marketplace": {"name": "marketplace", "kind": "service", "scopes": scopes("ledger")},
    "token-operator": {"name": "root", "kind": "user", "scopes": scopes("read", "execute", "administer")},
    "token-ada": {"name": "ada", "kind": "user", "scopes": scopes("read", "publish", "execute")},
    "token-bea": {"name": "bea", "kind": "user", "scopes": scopes("read", "publish", "execute")},
    "token-ada-mute": {"name": "ada", "kind": "user", "scopes": scopes("publish", "execute")},
}


class _Hub(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        token = self.headers.get("authorization", "").removeprefix("token ")
        model = MODELS.get(token) if self.path == "/hub/api/user" else None
        body = json.dumps(model or {"status": 403}).encode()
        self.send_response(200 if model else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def hub_url() -> Iterator[str]:
    """The API of a hub that knows `MODELS`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hub/api"
    server.shutdown()
    server.server_close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Service:
    """The service's process, which a test may kill and start again on the same port."""

    hub_url: str
    data: Path
    environment: dict[str, str]
    port: int = field(default_factory=_free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIX}"

    @property
    def log(self) -> str:
        return (self.data.parent / "quota.log").read_text()

    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.data.parent),
            "SWATH_DATA": str(self.data),
            "JUPYTERHUB_API_URL": self.hub_url,
            "JUPYTERHUB_API_TOKEN": "token-of-the-service",
            "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{self.port}",
            **self.environment,
        }

    def start(self) -> None:
        with (self.data.parent / "quota.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "swath_quota"], env=self.environ(), cwd=self.data.parent, stderr=log, stdout=log
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(self.url + "health", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait(timeout=20)

    def stop(self) -> int:
        assert self.process
        self.process.terminate()
        return self.process.wait(timeout=20)

    def client(self, token: str = "token-marketplace", **options: Any) -> HttpQuotaClient:
        return HttpQuotaClient(self.url, token, **options)

    def http(self, token: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)


@pytest.fixture
def service(hub_url: str, tmp_path: Path) -> Iterator[Service]:
    """A running service over a new SQLite ledger."""
    made = Service(hub_url=hub_url, data=tmp_path / "data", environment={"SWATH_QUOTA_SWEEP_SECONDS": "0.2"})
    made.start()
    yield made
    if made.process and made.process.poll() is None:
        made.kill()


@pytest.fixture
def new_service(hub_url: str, tmp_path: Path) -> Iterator[Any]:
    """Makes services that are not started yet; those that were are ended afterwards."""
    made: list[Service] = []

    def make(**environment: str) -> Service:
        folder = tmp_path / f"s{len(made)}"
        folder.mkdir()
        made.append(Service(hub_url=hub_url, data=folder / "data", environment=environment))
        return made[-1]

    yield make
    for service in made:
        if service.process and service.process.poll() is None:
            service.kill()
