"""Quota and marketplace as plain processes behind a stub of the hub, to be killed and started again at will.

Used by the tests beside it, and made to be used by scripts: ``with Stack(folder) as stack: …``.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

USER = ["custom:swath:read", "custom:swath:publish", "custom:swath:execute"]
#: Token → what the hub tells of its owner. A user's token is the user's name.
DEFAULT_ACTORS: dict[str, dict[str, Any]] = {
    **{name: {"name": name, "kind": "user", "scopes": USER, "groups": []} for name in ("ada", "bob", "cyd", "dan")},
    "operator": {"name": "root", "kind": "user", "scopes": [*USER, "custom:swath:administer"], "groups": []},
    "marketplace": {"name": "marketplace", "kind": "service", "scopes": ["custom:swath:ledger", "custom:swath:read"]},
    "quota": {"name": "quota", "kind": "service", "scopes": []},
}
SERVICES = ("quota", "marketplace")


class StubHub:
    """Answers ``GET /hub/api/user`` as the hub would."""

    def __init__(self, actors: Mapping[str, Mapping[str, Any]]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                token = self.headers.get("Authorization", "").removeprefix("token ")
                found = actors.get(token) if self.path == "/hub/api/user" else None
                body = json.dumps(found or {"status": 403, "message": "Forbidden"}).encode()
                self.send_response(200 if found else 403)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hub/api"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Stack:
    """The two services over one data folder.

    Parameters
    ----------
    data
        The data folder, with at least one environment in it.
    databases
        SQLAlchemy URL of a service's database; by default SQLite in the data folder.
    environment
        Further variables of both services.
    """

    def __init__(
        self,
        data: Path,
        *,
        databases: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        actors: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.data = data
        self.ports = {name: _free_port() for name in SERVICES}
        self._databases = dict(databases or {})
        self._environment = dict(environment or {})
        self._hub = StubHub(actors or DEFAULT_ACTORS)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._clients: list[httpx.Client] = []
        (data / "logs").mkdir(exist_ok=True)

    def __enter__(self) -> Self:
        try:
            for name in SERVICES:
                self.start(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}/services/{name}/"

    def start(self, name: str, *, seconds: float = 60) -> None:
        """Start a service and wait until it answers."""
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.data),
            "LANG": "C.UTF-8",
            "SWATH_DATA": str(self.data),
            # The environment is the same in every test: its files are read once.
            "SWATH_MARKETPLACE_FILE_HASHES": str(Path(tempfile.gettempdir()) / f"swath-hashes-{os.geteuid()}.sqlite"),
            "SWATH_QUOTA_URL": self.url("quota"),
            "JUPYTERHUB_API_URL": self._hub.url,
            "JUPYTERHUB_API_TOKEN": name,
            "JUPYTERHUB_SERVICE_PREFIX": f"/services/{name}/",
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{self.ports[name]}",
            **self._environment,
        }
        if name in self._databases:
            env[f"SWATH_{name.upper()}_DATABASE_URL"] = self._databases[name]
        with (self.data / "logs" / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"swath_{name}"], env=env, cwd=self.data, stdout=log, stderr=log
            )
        self._wait_for(name, seconds)

    def kill(self, name: str, signum: int = signal.SIGKILL) -> None:
        """End a service; by default as a crash would."""
        process = self._processes.pop(name)
        process.send_signal(signum)
        process.wait()

    def restart(self, name: str) -> None:
        """Kill it outright and start it again."""
        self.kill(name)
        self.start(name)

    def client(self, token: str, *, service: str = "marketplace") -> httpx.Client:
        """An HTTP client with a user's token."""
        client = httpx.Client(
            base_url=self.url(service), headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        )
        self._clients.append(client)
        return client

    def log(self, name: str) -> str:
        return (self.data / "logs" / f"{name}.log").read_text()

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for name in list(self._processes):
            self.kill(name, signal.SIGTERM)
        self._hub.close()

    def _wait_for(self, name: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            if self._processes[name].poll() is not None:
                raise RuntimeError(f"{name} did not start:\n{self.log(name)[-4000:]}")
            try:
                if httpx.get(self.url(name) + "health", timeout=5, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not answer:\n{self.log(name)[-4000:]}")
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
