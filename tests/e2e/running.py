"""Whole copies of Swath on data folders of their own, started as an operator does: with `swath up`."""

from __future__ import annotations

import contextlib
import importlib.util
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
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from swath_hub import ports, state
from swath_sandbox.checks import check_isolation
from swath_sandbox.errors import SandboxUnavailable
from swath_sandbox.processes import start_time

ROOT = Path(__file__).parents[2]
SWATH = Path(sys.executable).with_name("swath")
#: Where the built environment and the fetched sample are, if somebody set this checkout up.
BUILT = Path(os.environ.get("SWATH_DATA") or ROOT / ".swath" / "data")


def load(path: Path, name: str) -> ModuleType:
    """A module from its file, loaded once under `name`: no folder of tests is on ``sys.path``."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


person = load(ROOT / "demo" / "person.py", "swath_tests_person")


def until(condition: Callable[[], Any], *, seconds: float = 60, what: str = "") -> Any:
    """Poll until `condition` is truthy; its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        time.sleep(0.1)
    return value


def sources() -> Path | None:
    """The folder of real Sentinel series, where there is one; else the archive holds what the registries have."""
    named = Path(os.environ.get("SWATH_ARCHIVE_SOURCES") or ROOT.parent / "shared" / "data")
    return named if named.is_dir() else None


def environment() -> dict[str, Any]:
    """``environment.json`` of the kernels: the built one if it holds the present sources, else the checkout's own."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        built = BUILT / "environments" / "eo"
        described: dict[str, Any] = json.loads((built / "environment.json").read_text())
        stamp = json.loads((built / ".swath-stamp.json").read_text())
        builder = load(ROOT / "kernels" / "environments" / "build.py", "swath_tests_build")
        if stamp["swath"] == builder.digest(builder.sources()) and Path(described["python"]).exists():
            return described
    title = "Earth observation (Python)"
    return {"name": "eo", "title": title, "lock_sha256": "0" * 64, "python": sys.executable, "editable": True}


@dataclass(frozen=True)
class Copy:
    """One data folder and what runs on it."""

    data: Path

    def swath(self, *arguments: str, check: bool = True, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """`swath … --data DATA`."""
        command = [str(SWATH), *arguments, "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def start(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.swath("up", "--detach", "--json").stdout)
        return told

    @property
    def state(self) -> dict[str, Any]:
        stored: dict[str, Any] = json.loads((self.data / "state.json").read_text())
        return stored

    @property
    def url(self) -> str:
        return str(self.state["url"])

    def passcode(self, name: str) -> str:
        """A fresh one-time passcode; the user is added if need be."""
        return str(json.loads(self.swath("user", "add", name, "--json").stdout)["passcode"])

    def person(self, name: str) -> Any:
        """Somebody signed in without a browser."""
        return person.Person(self.url, name, self.passcode(name))

    def get(self, path: str, token: str = "") -> httpx.Response:
        headers = {"Authorization": f"token {token}"} if token else {}
        return httpx.get(self.url + path, headers=headers, timeout=30, trust_env=False)

    def post(self, path: str, token: str, body: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"token {token}", "Idempotency-Key": uuid.uuid4().hex}
        return httpx.post(self.url + path, headers=headers, json=body, timeout=30, trust_env=False)

    def delete(self, path: str, token: str) -> httpx.Response:
        headers = {"Authorization": f"token {token}"}
        return httpx.delete(self.url + path, headers=headers, timeout=30, trust_env=False)

    def as_user(self, token: str, *arguments: str) -> Any:
        """What `swath … --json` tells the owner of `token`."""
        given = {**os.environ, "SWATH_URL": self.url, "SWATH_TOKEN": token}
        command = [str(SWATH), *arguments, "--json"]
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=180)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def hub_is_alive(self) -> bool:
        return start_time(self.state["hub"]["pid"]) == self.state["hub"]["started"]

    def kill_hub(self) -> None:
        os.kill(self.state["hub"]["pid"], signal.SIGKILL)
        until(lambda: not self.hub_is_alive(), what="the killed hub is gone")

    def end(self) -> None:
        """End everything of this copy, by force if it must be, and remove its folder; also when interrupted."""
        try:
            with contextlib.suppress(Exception):
                self.swath("down", check=False)
        finally:
            for pid in processes(self.data):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.data.parent, ignore_errors=True)


def processes(data: Path) -> dict[int, str]:
    """Processes whose command line or environment names `data`, except this one and those that started it."""
    wanted, found = str(data).encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            if wanted in command or wanted in (folder / "environ").read_bytes():
                found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")[:200]
    for mine in (os.getpid(), os.getppid()):
        found.pop(mine, None)
    return found


@contextlib.contextmanager
def archive() -> Iterator[Path]:
    """A filled archive to copy from: real series where their folder is there, and the sample of the registries."""
    place = Path(tempfile.mkdtemp(prefix="swath-archive-", dir="/var/tmp"))
    try:
        if (BUILT / "cache").is_dir():
            # Fetched before: linked, so that the 73 MB are not fetched again.
            shutil.copytree(BUILT / "cache", place / "cache", copy_function=_link)
        found = sources()
        given = {name: value for name, value in os.environ.items() if name != "SWATH_ARCHIVE_SOURCES"}
        command = [str(SWATH), "archive", "init", "--path", str(place / "archive"), "--json"]
        command += ["--from", str(found)] if found else []
        done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        yield place / "archive"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class House:
    """What the tests of a session share: one archive, one running copy, and more copies on demand."""

    def __init__(self) -> None:
        try:
            check_isolation()
        except SandboxUnavailable as error:
            pytest.skip(str(error))
        self._kept = contextlib.ExitStack()
        self._archive: Path | None = None
        self._running: Copy | None = None

    def make(self) -> Copy:
        """A data folder that is ready to start: archive and kernel environment are there."""
        if self._archive is None:
            self._archive = self._kept.enter_context(archive())
        place = Path(tempfile.mkdtemp(prefix="swath-e2e-", dir="/var/tmp"))
        # Users' servers run under uids of their own and reach what is below.
        place.chmod(0o755)
        copy = Copy(place / "data")
        self._kept.callback(copy.end)
        copy.data.mkdir()
        # Two copies that start at the same time, beside other tests, would both take the usual port for free.
        state.save(copy.data / "state.json", state.State(ports={ports.PUBLIC: ports.pick(())}))
        described = copy.data / "environments" / "eo" / "environment.json"
        described.parent.mkdir(parents=True)
        described.write_text(json.dumps(environment()))
        shutil.copytree(self._archive, copy.data / "archive")
        return copy

    def running(self) -> Copy:
        """The copy that all tests of the session share."""
        if self._running is None:
            made = self.make()
            made.start()
            self._running = made
        return self._running

    def close(self) -> None:
        self._kept.close()


_KEY = pytest.StashKey[House]()


def house(session: pytest.Session) -> House:
    """The session's house, the same for every folder of tests; closed at the end, whatever happened.

    With the session and not after it: a worker of pytest-xdist is interrupted a few seconds after its last test.
    """
    if _KEY not in session.config.stash:
        made = House()
        session.config.stash[_KEY] = made
        session.addfinalizer(made.close)
    return session.config.stash[_KEY]
