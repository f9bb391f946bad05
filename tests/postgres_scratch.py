"""A PostgreSQL cluster for as long as a test session or a command lasts; nothing of it is left behind.

As a command, ``python tests/postgres_scratch.py COMMAND…`` runs COMMAND with a new database's URL in the place of
``{url}``.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

_USER = "swath"
#: Longest path of a Unix socket, less the name that PostgreSQL gives it.
_LONGEST_FOLDER = 80
_INITDB = ("-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
_PR_SET_PDEATHSIG = 1


class PostgresMissing(RuntimeError):
    """PostgreSQL's server programs are not installed."""


def binaries() -> Path:
    """The folder of PostgreSQL's server programs, of the newest version.

    Raises
    ------
    PostgresMissing
        Naming the package to install.
    """
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda folder: [int(part) for part in folder.parent.name.split(".") if part.isdigit()])
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    raise PostgresMissing("PostgreSQL's server is not installed; on Debian: apt-get install postgresql")


class ScratchCluster:
    """A running cluster that only a Unix socket in a private folder leads to.

    Parameters
    ----------
    durable
        Whether commits are flushed to the disk, as in production. Tests of behaviour do without.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._bin = binaries()
        self._durable = durable
        self._as = _server_user()
        where = tempfile.gettempdir()
        self.folder = Path(
            tempfile.mkdtemp(prefix="swath-pg-", dir=where if len(where) < _LONGEST_FOLDER - 20 else "/tmp")
        )
        if self._as:
            os.chown(self.folder, self._as.pw_uid, self._as.pw_gid)
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the maintenance database."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://{_USER}@/{database}?host={self.folder}"

    def start(self) -> None:
        """Make and start the cluster, and wait until it answers."""
        made = subprocess.run(
            [self._bin / "initdb", "-D", self.folder / "data", "-U", _USER, *_INITDB],
            capture_output=True,
            text=True,
            check=False,
            **self._options(),
        )
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr[-2000:]}")
        command = [self._bin / "postgres", "-D", self.folder / "data", "-k", self.folder]
        settings = ["listen_addresses=", "max_connections=200", "timezone=UTC"]
        settings += [] if self._durable else ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        for setting in settings:
            command += ["-c", setting]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, preexec_fn=_die_with_parent, **self._options()
            )
        self._wait()

    def stop(self) -> None:
        """Stop the cluster, cutting off whoever is connected, and remove all of it."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(timeout=20)
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty database, dropped afterwards."""
        name = f"scratch_{uuid.uuid4().hex}"
        self._do(f'CREATE DATABASE "{name}"')
        try:
            yield self.url_of(name)
        finally:
            self._do(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _do(self, statement: str) -> None:
        with psycopg.connect(host=str(self.folder), user=_USER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 60
        while True:
            try:
                self._do("SELECT 1")
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    told = self._log.read_text(errors="replace")[-2000:]
                    self.stop()
                    raise RuntimeError(f"PostgreSQL did not start: {told}") from None
                time.sleep(0.05)

    def _options(self) -> dict[str, object]:
        options: dict[str, object] = {
            "cwd": self.folder,
            "env": {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
        }
        if self._as:
            options |= {"user": self._as.pw_uid, "group": self._as.pw_gid, "extra_groups": []}
        return options


def _server_user() -> pwd.struct_passwd | None:
    """Whom to run the server as: PostgreSQL refuses root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresMissing("PostgreSQL does not run as root, and there is no user called postgres or nobody")


def _die_with_parent() -> None:
    """A test session that is killed outright leaves no server: fast shutdown when the parent goes."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def main(command: list[str]) -> int:
    """Run `command` beside a durable cluster; its exit code."""
    cluster = ScratchCluster(durable=True)
    try:
        cluster.start()
        with cluster.database() as url:
            return subprocess.run([part.replace("{url}", url) for part in command], check=False).returncode
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
