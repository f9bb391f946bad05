"""A small host to attack: secrets, another run, a listening service, processes; and users to attack it as."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from swath_sandbox.checks import doctor
from swath_sandbox.errors import SandboxError
from swath_sandbox.hierarchies import find_hierarchy
from swath_sandbox.pythons import python_binds

NOBODY = 65534
HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]


@pytest.fixture(scope="session", autouse=True)
def _sandbox_works() -> None:
    lacking = [check for check in doctor() if check.required and not check.ok and check.name != "cgroups"]
    if lacking:
        pytest.skip("; ".join(check.detail for check in lacking))


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="swath-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def until(condition: Callable[[], bool], *, seconds: float = 10) -> bool:
    """Poll; whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@dataclass
class Person:
    """Who starts sandboxes: a prefix that turns a command into that user's, and whether it may limit with groups."""

    name: str
    uid: int
    prefix: list[str]
    allow: list[str]
    sandbox_uid: int | None
    groups: list[str] = field(default_factory=list)


@pytest.fixture(params=["root", "unprivileged"])
def person(request: pytest.FixtureRequest) -> Iterator[Person]:
    root = os.geteuid() == 0
    if request.param == "root":
        if not root:
            pytest.skip("needs root")
        allow = [] if _has_groups() else ["no-cgroups"]
        yield Person(
            name="root", uid=0, prefix=[], allow=allow, sandbox_uid=1_000_000_000 + secrets.randbelow(1_000_000_000)
        )
        return
    if not root:
        allow = [] if _has_groups() else ["no-cgroups"]
        yield Person(name="unprivileged", uid=os.geteuid(), prefix=[], allow=allow, sandbox_uid=None)
        return
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--"]
    with delegated(NOBODY) as joins:
        prefix = ["/bin/sh", "-c", joins + 'exec "$@"', "sh", *drop] if joins else drop
        tried = subprocess.run([*drop, "bwrap", "--unshare-user", "--ro-bind", "/", "/", "true"], capture_output=True)
        seen = subprocess.run([*drop, sys.executable, "-c", "import swath_sandbox"], capture_output=True)
        if tried.returncode or seen.returncode:
            pytest.skip(f"an unprivileged user cannot: {(tried.stderr + seen.stderr).decode()[-300:]}")
        yield Person(
            name="unprivileged", uid=NOBODY, prefix=prefix, allow=[] if joins else ["no-cgroups"], sandbox_uid=None
        )


def _has_groups() -> bool:
    try:
        find_hierarchy()
    except SandboxError:
        return False
    return True


@contextlib.contextmanager
def delegated(uid: int) -> Iterator[str]:
    """Groups below ours that belong to `uid`, as systemd delegates them; yields shell code that moves into them."""
    if not _has_groups():
        yield ""
        return
    hierarchy, name, joins, made = find_hierarchy(), f"swath-delegated-{uuid.uuid4().hex[:8]}", "", []
    for folder in sorted({f"{parent}/{name}" for parent in hierarchy.parents.values()}):
        Path(folder).mkdir()
        made.append(Path(folder))
        home = folder
        if hierarchy.version == 2:
            Path(folder, "cgroup.subtree_control").write_text(" ".join(f"+{c}" for c in sorted(hierarchy.parents)))
            home = f"{folder}/home"
            Path(home).mkdir()
            made.append(Path(home))
        for path in {folder, home}:
            for file in (".", "cgroup.procs", "cgroup.subtree_control"):
                if Path(path, file).exists():
                    os.chown(Path(path, file), uid, uid)
        joins += f"echo $$ > {home}/cgroup.procs; "
    try:
        yield joins
    finally:
        for folder in reversed(made):
            assert until(lambda folder=folder: _removed(folder)), f"something lives on in {folder}"


def _removed(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()


@dataclass
class Host:
    """What there is to reach."""

    folder: Path
    out: Path
    archive: Path
    token: str
    port: int
    abstract: str
    secret: Path
    other: Path
    killable: subprocess.Popen[bytes]
    traceable: subprocess.Popen[bytes]


@pytest.fixture
def host(place: Path, person: Person) -> Iterator[Host]:
    token = f"swath-secret-{uuid.uuid4().hex}"
    secret = place / "secret.txt"
    other = place / "runs" / "other" / "report.txt"
    out, archive = place / "out", place / "archive"
    for folder in (other.parent, out, archive):
        folder.mkdir(parents=True)
    for file in (secret, other):
        file.write_text(token)
        file.chmod(0o600)
    (archive / "item.json").write_text("{}")
    for path in (place, secret, other, other.parent, archive):
        _give(path, person.uid)
    _give(out, person.sandbox_uid or person.uid)
    environment = {"PATH": "/usr/bin:/bin", "JUPYTERHUB_API_TOKEN": token}
    sleeper = [*person.prefix, sys.executable, "-S", "-c", "import time; time.sleep(120)", token]
    abstract = f"swath-{uuid.uuid4().hex}"
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind("\0" + abstract)
        unix.listen()
        killable, traceable = (subprocess.Popen(sleeper, env=environment) for _ in range(2))
        for process in (killable, traceable):
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert until(lambda p=process: b"time.sleep" in Path(f"/proc/{p.pid}/cmdline").read_bytes())
        yield Host(
            folder=place, out=out, archive=archive, token=token, port=tcp.getsockname()[1], abstract=abstract,
            secret=secret, other=other, killable=killable, traceable=traceable,
        )  # fmt: skip


def _give(path: Path, uid: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, uid, uid)


@pytest.fixture
def drive(place: Path, person: Person) -> Callable[..., dict[str, object]]:
    """Start one job as `person`, by a script of its own process; return how it ended."""

    def run(argv: list[str], **options: object) -> dict[str, object]:
        token = str(options.pop("token", ""))
        folder = place / f"warden-{uuid.uuid4().hex[:8]}"
        folder.mkdir(mode=0o700)
        _give(folder, person.uid)
        binds = [[str(path), str(path)] for path in python_binds(Path(sys.executable), editable=True)]
        asked = {
            "folder": str(folder), "argv": argv, "group": f"test-{uuid.uuid4().hex[:12]}", "uid": person.sandbox_uid,
            "ro_binds": binds, "rw_binds": [[str(place / "out"), "/run/swath/out"]], "env": {"PATH": "/usr/bin:/bin"},
            "cwd": "/tmp", "memory_bytes": 256 << 20, "pids": 64, "wall_seconds": 60, "disk_bytes": None,
            "allow": person.allow,
        }  # fmt: skip
        asked["ro_binds"] = [*binds, *options.pop("ro_binds", [])]  # type: ignore[misc]
        asked |= options
        file = place / f"{folder.name}.json"
        file.write_text(json.dumps(asked))
        done = subprocess.run(
            [*person.prefix, sys.executable, str(HERE / "drive.py"), str(file)],
            env={"PATH": "/usr/bin:/bin", "JUPYTERHUB_API_TOKEN": token, "HOME": str(place)},
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    return run
