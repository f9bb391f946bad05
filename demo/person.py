"""A person at a running Swath: signs in as a browser does, has her JupyterLab spawned, runs code in its kernel."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
from websockets.sync.client import connect


class DemoFailed(Exception):
    """The walk met something that it cannot go on from; the message is for the person at the terminal."""


class Person:
    """Somebody signed in at JupyterHub.

    Parameters
    ----------
    url
        The hub's public address, ending in a slash.
    name, passcode
        A user of that hub and a one-time passcode, spent by this call.
    """

    def __init__(self, url: str, name: str, passcode: str) -> None:
        self.url = url
        self.name = name
        self._http = httpx.Client(base_url=url, timeout=30, follow_redirects=True, trust_env=False)
        self._http.get("hub/login").raise_for_status()
        answer = self._http.post(
            "hub/login",
            data={"username": name, "password": passcode, "_xsrf": self._http.cookies.get("_xsrf", path="/hub/")},
        )
        if answer.status_code != 200 or "/hub/login" in str(answer.url):
            raise DemoFailed(f"{name} could not sign in ({answer.status_code})")

    def token(self, note: str) -> str:
        """A token for programs, valid for a day; made as the page /hub/token makes it."""
        answer = self._http.post(
            f"hub/api/users/{self.name}/tokens",
            json={"note": note, "expires_in": 86_400},
            headers={
                "X-XSRFToken": self._http.cookies.get("_xsrf", path="/hub/") or "",
                "Referer": f"{self.url}hub/token",
            },
        )
        if answer.status_code not in (200, 201):
            raise DemoFailed(f"{self.name} got no token ({answer.status_code})")
        return str(answer.json()["token"])

    def spawn(self, token: str, on_progress: Callable[[str], None], *, timeout_seconds: float = 120) -> str:
        """Have JupyterLab spawned and wait until it is ready; returns its address."""
        head = {"Authorization": f"token {token}"}
        answer = self._http.post(f"hub/api/users/{self.name}/server", headers=head)
        if answer.status_code not in (201, 202, 400):  # 400: it is running already
            raise DemoFailed(f"the Lab server of {self.name} did not start: {answer.text[:300]}")
        deadline = time.monotonic() + timeout_seconds
        with self._http.stream(
            "GET", f"hub/api/users/{self.name}/server/progress", headers=head, timeout=timeout_seconds
        ) as events:
            for line in events.iter_lines():
                if time.monotonic() > deadline:
                    break
                if not line.startswith("data:"):
                    continue
                event = json.loads(line[5:])
                if event.get("failed"):
                    raise DemoFailed(f"the Lab server of {self.name} failed: {event.get('message')}")
                if event.get("ready"):
                    return f"{self.url}user/{self.name}/lab"
                on_progress(str(event.get("message", "")))
        raise DemoFailed(f"the Lab server of {self.name} was not ready after {timeout_seconds:.0f} s")

    def stop(self, token: str) -> None:
        """End the Lab server."""
        self._http.delete(f"hub/api/users/{self.name}/server", headers={"Authorization": f"token {token}"})

    def execute(self, token: str, code: str, *, kernel: str | None = None, timeout_seconds: float = 120) -> str:
        """Run `code` in a fresh kernel of the person's Lab server; returns what it printed."""
        base = f"{self.url}user/{self.name}/api/kernels"
        head = {"Authorization": f"token {token}"}
        made = self._http.post(base, headers=head, json={"name": kernel} if kernel else {})
        made.raise_for_status()
        kernel_id = made.json()["id"]
        try:
            return _execute_in(base.replace("http", "ws", 1) + f"/{kernel_id}/channels", head, code, timeout_seconds)
        finally:
            self._http.delete(f"{base}/{kernel_id}", headers=head)


def _execute_in(address: str, head: dict[str, str], code: str, timeout_seconds: float) -> str:
    message = {
        "header": {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "username": "",
            "session": uuid.uuid4().hex,
            "version": "5.4",
        },
        "parent_header": {},
        "metadata": {},
        "channel": "shell",
        "content": {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": True},
    }
    printed: list[str] = []
    failed: dict[str, Any] | None = None
    deadline = time.monotonic() + timeout_seconds
    with connect(address, additional_headers=head, max_size=None, proxy=None) as socket:
        socket.send(json.dumps(message))
        while True:
            reply = json.loads(socket.recv(timeout=max(0.1, deadline - time.monotonic())))
            if reply["parent_header"].get("msg_id") != message["header"]["msg_id"]:  # type: ignore[index]
                continue
            kind, content = reply["msg_type"], reply["content"]
            if kind == "stream":
                printed.append(content["text"])
            elif kind == "error":
                failed = content
            elif kind == "status" and content["execution_state"] == "idle":
                break
    if failed:
        raise DemoFailed(f"in the Lab kernel: {failed['ename']}: {failed['evalue']}")
    return "".join(printed)
