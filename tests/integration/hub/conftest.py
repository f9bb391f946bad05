"""One real copy of Swath for the session: hub, proxy, services; and people at it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_sandbox.checks import check_isolation
from swath_sandbox.errors import SandboxUnavailable
from swath_sandbox.processes import start_time
from swath_sandbox.spec import Allow
from websockets.sync.client import connect

PAGES = Path(__file__).with_name("pages_service.py")
SECRET_NOTE = "nobody but ben may read this"

# A service with pages for browsers beside Swath's own; users may access it.
EXTRA_CONFIG = f"""
import sys
from swath_hub.services import ends_with_hub
if "services" in c.JupyterHub:
    c.JupyterHub.services.append({{
        "name": "pages", "url": "http://127.0.0.1:%(port)d", "command": ends_with_hub([sys.executable, {str(PAGES)!r}]),
        "oauth_no_confirm": True, "oauth_client_allowed_scopes": ["custom:swath:read", "access:services!service=pages"],
    }})
    c.JupyterHub.load_roles[0]["scopes"].append("access:services!service=pages")
"""


def until(condition: Callable[[], Any], *, seconds: float = 30, what: str = "") -> Any:
    """Poll until `condition` is truthy; its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.05)
    return value


@dataclass
class Copy:
    """One data folder and what runs on it."""

    data: Path
    options: list[str] = field(default_factory=list)

    def swath(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`swath …` as an operator types it."""
        command = [sys.executable, "-m", "swath_hub", *arguments, "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def start(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.swath("up", "--detach", "--json", *self.options).stdout)
        return told

    @property
    def state(self) -> dict[str, Any]:
        stored: dict[str, Any] = json.loads((self.data / "state.json").read_text())
        return stored

    @property
    def url(self) -> str:
        return str(self.state["url"])

    def hub_is_alive(self) -> bool:
        return start_time(self.state["hub"]["pid"]) == self.state["hub"]["started"]

    def kill_hub(self) -> None:
        os.kill(self.state["hub"]["pid"], signal.SIGKILL)
        until(lambda: not self.hub_is_alive(), what="the killed hub is gone")

    def passcode(self, name: str) -> str:
        return str(json.loads(self.swath("user", "add", name, "--json").stdout)["passcode"])

    def log(self) -> str:
        return (self.data / "logs" / "hub.log").read_text(errors="replace")


def make_copy(**config: Any) -> Copy:
    """A data folder that other uids may enter, with the checkout's own Python as its environment."""
    data = Path(tempfile.mkdtemp(prefix="swath-hub-", dir="/var/tmp"))
    data.chmod(0o755)
    environment = data / "environments" / "eo"
    environment.mkdir(parents=True)
    described = {"name": "eo", "title": "Earth observation", "lock_sha256": "0" * 64, "python": sys.executable}
    (environment / "environment.json").write_text(json.dumps({**described, "editable": True}))
    (data / "archive").mkdir()
    (data / "archive" / "about.txt").write_text("what the archive holds")
    copy = Copy(data=data)
    if config:
        (data / "extra_config.py").write_text(EXTRA_CONFIG % config)
        copy.options = ["--config", str(data / "extra_config.py")]
    return copy


def end(copy: Copy) -> None:
    with contextlib.suppress(Exception):
        copy.swath("down", check=False)
    with contextlib.suppress(Exception):
        copy.kill_hub()
    shutil.rmtree(copy.data, ignore_errors=True)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def given_up() -> list[str]:
    """What this machine and user lack, as options of `swath up`; without bubblewrap there is nothing to test."""
    try:
        have = check_isolation([Allow.NO_CGROUPS])
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    return [] if have.cgroups else ["--allow-no-cgroups"]


@pytest.fixture(scope="session")
def copy(given_up: list[str]) -> Iterator[Copy]:
    made = make_copy(port=free_port())
    try:
        made.options += ["--port", str(free_port()), *given_up]
        made.start()
        yield made
    finally:
        end(made)


@pytest.fixture
def second_copy(given_up: list[str]) -> Iterator[Copy]:
    made = make_copy()
    made.options += given_up
    try:
        yield made
    finally:
        end(made)


class Person:
    """Somebody with a browser."""

    def __init__(self, copy: Copy, name: str) -> None:
        self.copy, self.name = copy, name
        self.browser = httpx.Client(base_url=copy.url, follow_redirects=True, timeout=60, trust_env=False)

    @property
    def xsrf(self) -> str:
        return self.browser.cookies.get("_xsrf", path="/hub/") or ""

    def submit(self, password: str, *, xsrf: str | None = None) -> httpx.Response:
        """Open the sign-in form and send it."""
        self.browser.get("hub/login")
        form = {"username": self.name, "password": password, "_xsrf": self.xsrf if xsrf is None else xsrf}
        return self.browser.post("hub/login", data=form)

    def sign_in(self) -> Person:
        answer = self.submit(self.copy.passcode(self.name))
        assert answer.status_code == 200, answer.text[:500]
        assert answer.url.path == "/hub/home"
        return self

    def new_token(self, **wanted: Any) -> str:
        headers = {"X-XSRFToken": self.xsrf, "Referer": f"{self.copy.url}hub/token"}
        answer = self.browser.post(
            f"hub/api/users/{self.name}/tokens", json={"note": "test", **wanted}, headers=headers
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


@dataclass
class Lab:
    """Somebody's JupyterLab server and a kernel in it."""

    copy: Copy
    name: str
    token: str
    kernel: str = ""
    shown: list[str] = field(default_factory=list)

    def api(self, method: str, path: str, **settings: Any) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}"}
        return httpx.request(method, self.copy.url + path, headers=headers, timeout=60, trust_env=False, **settings)

    def server(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.api("GET", f"hub/api/users/{self.name}").json()["servers"].get("")
        return found

    def start(self) -> float:
        """Spawn; seconds until it was ready."""
        begun = time.monotonic()
        if self.server() is None:
            answer = self.api("POST", f"hub/api/users/{self.name}/server")
            assert answer.status_code in (201, 202), answer.text
        until(lambda: (self.server() or {}).get("ready"), seconds=60, what="the server is ready")
        return time.monotonic() - begun

    def stop(self) -> None:
        answer = self.api("DELETE", f"hub/api/users/{self.name}/server")
        assert answer.status_code in (202, 204), answer.text
        until(lambda: self.server() is None, seconds=60, what="the server is gone")
        self.kernel = ""

    def run(self, code: str, *, seconds: float = 90) -> str:
        """What `code` prints in the kernel; an error in it fails the test."""
        if not self.kernel:
            answer = self.api("POST", f"user/{self.name}/api/kernels", json={"name": "python3"})
            assert answer.status_code == 201, answer.text
            self.kernel = str(answer.json()["id"])
        address = f"{self.copy.url.replace('http', 'ws', 1)}user/{self.name}/api/kernels/{self.kernel}/channels"
        asked = uuid.uuid4().hex
        header = {"msg_id": asked, "msg_type": "execute_request", "username": "", "session": asked, "version": "5.4"}
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": True}
        message = {"header": header, "parent_header": {}, "metadata": {}, "channel": "shell", "content": content}
        printed, deadline = [], time.monotonic() + seconds
        headers = {"Authorization": f"token {self.token}"}
        with connect(address, additional_headers=headers, max_size=None, proxy=None) as socket:
            socket.send(json.dumps(message))
            while True:
                reply = json.loads(socket.recv(timeout=max(0.1, deadline - time.monotonic())))
                if reply["parent_header"].get("msg_id") != asked:
                    continue
                if reply["msg_type"] == "stream":
                    printed.append(reply["content"]["text"])
                elif reply["msg_type"] == "display_data":
                    self.shown.append(reply["content"]["data"]["text/plain"])
                elif reply["msg_type"] == "error":
                    pytest.fail("\n".join(reply["content"]["traceback"]))
                elif reply["msg_type"] == "status" and reply["content"]["execution_state"] == "idle":
                    return "".join(printed)

    def displayed(self, code: str) -> list[str]:
        """What a cell with `code` shows as rich output, as plain text."""
        self.shown.clear()
        self.run(code)
        return list(self.shown)

    def answer(self, code: str, **settings: Any) -> Any:
        """The JSON value that `code` leaves in `answer`."""
        return json.loads(self.run(f"{code}\nimport json; print(json.dumps(answer))", **settings))


@pytest.fixture(scope="session")
def tokens(copy: Copy) -> dict[str, str]:
    """Tokens of two users with all that users may do."""
    return {name: Person(copy, name).sign_in().new_token() for name in ("ada", "ben")}


@pytest.fixture(scope="session")
def ada(copy: Copy, tokens: dict[str, str]) -> Iterator[Lab]:
    """Ada's running server; Ben has a home with a note in it."""
    home = copy.data / "homes" / "ben"
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "note.txt").write_text(SECRET_NOTE)
    lab = Lab(copy=copy, name="ada", token=tokens["ada"])
    lab.start()
    yield lab
    if lab.server() is not None:
        lab.stop()


@pytest.fixture(scope="session")
def person(copy: Copy) -> Callable[[str], Person]:
    """Somebody new at the sign-in page."""
    return lambda name: Person(copy, name)


@pytest.fixture(scope="session")
def lab(copy: Copy) -> Callable[[str, str], Lab]:
    """Somebody's server, not started yet."""
    return lambda name, token: Lab(copy=copy, name=name, token=token)


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    """`until`, for tests."""
    return until


@pytest.fixture(scope="session")
def make() -> Callable[[], Copy]:
    """A new data folder, with a port that nobody else has."""

    def made() -> Copy:
        copy = make_copy()
        copy.options += ["--port", str(free_port())]
        return copy

    return made


@pytest.fixture(scope="session")
def finish() -> Callable[[Copy], None]:
    """End a copy and delete it."""
    return end


@pytest.fixture(scope="session")
def visit() -> Callable[[Copy, str], Lab]:
    """Somebody at a copy, signed in."""
    return lambda copy, name: Lab(copy=copy, name=name, token=Person(copy, name).sign_in().new_token())
