"""Quota and marketplace as plain processes on loopback, with a stand-in for JupyterHub that only knows tokens.

What is killed here must be the services alone: a hub would restart them by its own clock and hide what they do.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

USER_SCOPES = ["custom:swath:read", "custom:swath:publish", "custom:swath:execute"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PlainSwath:
    """The two services of one data folder.

    Parameters
    ----------
    data
        An empty folder, or one that was used before.
    python
        The interpreter that runs use; it needs ``swath[kernel]``.
    users
        Names of callers; `token` has a token for each.
    settings
        Further variables of the services' environment.
    """

    def __init__(
        self,
        data: Path,
        *,
        python: Path,
        editable: bool,
        users: list[str],
        slots_cpus: float = 2,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.token = {name: secrets.token_hex(16) for name in users}
        self._service_token = {name: secrets.token_hex(16) for name in ("quota", "marketplace")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {"quota": free_port(), "marketplace": free_port()}
        self._slots_cpus = slots_cpus
        self._settings = dict(settings or {})
        folder = data / "environments" / "eo"
        folder.mkdir(parents=True, exist_ok=True)
        described = {
            "name": "eo",
            "title": "Earth observation",
            "lock_sha256": hashlib.sha256(b"chaos").hexdigest(),
            "python": str(python),
            "editable": editable,
        }
        (folder / "environment.json").write_text(json.dumps(described))
        (data / "archive").mkdir(exist_ok=True)
        self._hub = self._start_hub()

    def _start_hub(self) -> ThreadingHTTPServer:
        models: dict[str, dict[str, Any]] = {
            **{token: {"kind": "user", "name": name, "scopes": USER_SCOPES} for name, token in self.token.items()},
            self._service_token["marketplace"]: {
                "kind": "service",
                "name": "marketplace",
                "scopes": ["custom:swath:ledger", "custom:swath:read"],
            },
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                model = models.get(self.headers.get("Authorization", "").partition(" ")[2])
                body = json.dumps(model or {"message": "who?"}).encode()
                self.send_response(200 if model else 403)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}/services/{service}/"

    def start(self, service: str) -> None:
        """Start one service; its log is appended to ``logs/<service>.log``."""
        (self.data / "logs").mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": os.environ.get("HOME", "/tmp"),
            "SWATH_DATA": str(self.data),
            # The environment is the same every time: its files are read once.
            "SWATH_MARKETPLACE_FILE_HASHES": str(Path(tempfile.gettempdir()) / f"swath-hashes-{os.geteuid()}.sqlite"),
            "SWATH_QUOTA_URL": self.url("quota"),
            "SWATH_MARKETPLACE_SLOTS_CPUS": str(self._slots_cpus),
            "SWATH_MARKETPLACE_LEASE_SECONDS": "5",
            "JUPYTERHUB_API_URL": f"http://127.0.0.1:{self._hub.server_address[1]}/hub/api",
            "JUPYTERHUB_API_TOKEN": self._service_token[service],
            "JUPYTERHUB_SERVICE_PREFIX": f"/services/{service}/",
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{self.ports[service]}",
            "JUPYTERHUB_SERVICE_NAME": service,
            **self._settings,
        }
        with (self.data / "logs" / f"{service}.log").open("ab") as log:
            self.processes[service] = subprocess.Popen(
                [sys.executable, "-m", f"swath_{service}"],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, service: str) -> None:
        """``kill -9`` of the service's own process and nothing else."""
        process = self.processes[service]
        process.send_signal(signal.SIGKILL)
        process.wait()

    def wait_ready(self, service: str, *, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.processes[service].poll() is not None:
                raise RuntimeError(f"{service} ended with {self.processes[service].returncode}; see its log")
            try:
                if httpx.get(self.url(service) + "health", timeout=2, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"{service} did not answer within {seconds} s")

    def client(self, user: str) -> httpx.Client:
        return httpx.Client(
            base_url=self.url("marketplace"),
            headers={"Authorization": f"Bearer {self.token[user]}"},
            timeout=20,
            trust_env=False,
        )

    def close(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._hub.shutdown()
        self._hub.server_close()
