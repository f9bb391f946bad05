"""Commands under a warden: every ending told truly, started once, nothing left behind whoever is killed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from swath_sandbox import (
    Allow,
    AlreadyStarted,
    Handle,
    Job,
    Limits,
    Reason,
    Sandbox,
    State,
    bubblewrap,
    checks,
    python_binds,
    warden,
)
from swath_sandbox.checks import check_isolation
from swath_sandbox.errors import SandboxError
from swath_sandbox.hierarchies import find_hierarchy

pytestmark = pytest.mark.integration
MIB = 1 << 20
#: Of this process alone: other checkouts may be tested at the same time.
UID = 1_000_000_000 + secrets.randbelow(1_000_000_000)


def until(condition: Callable[[], bool], *, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def limited() -> bool:
    """Whether control groups can be had."""
    try:
        check_isolation()
    except SandboxError:
        return False
    return True


@pytest.fixture
def needs_groups(limited: bool) -> None:
    if not limited:
        pytest.skip("no control groups here")


class Bench:
    """Prepares and launches jobs in a folder of its own."""

    def __init__(self, place: Path, limited: bool) -> None:
        self.place, self.limited = place, limited
        self.out = place / "out"
        self.out.mkdir()
        if os.geteuid() == 0:
            os.chown(self.out, UID, UID)
        self.folders: list[Path] = []

    def prepare(self, argv: list[str], **options: Any) -> Path:
        spec_options = {key: options.pop(key) for key in ("ro_binds", "env", "network", "cwd") if key in options}
        spec = Sandbox(
            argv=argv,
            uid=UID if os.geteuid() == 0 else None,
            rw_binds=[(self.out, Path("/run/swath/out"))],
            **{"env": {"PATH": "/usr/bin:/bin"}, **spec_options},
        )
        memory, pids = options.pop("memory_bytes", 128 * MIB), options.pop("pids", 32)
        allow = frozenset() if self.limited else frozenset({Allow.NO_CGROUPS})
        group = f"test-{uuid.uuid4().hex[:12]}"
        limits = Limits(memory_bytes=memory, pids=pids, cpus=2)
        job = Job(**{"sandbox": spec, "group": group, "limits": limits, "wall_seconds": 30, "allow": allow, **options})
        folder = self.place / group
        warden.prepare(folder, job)
        self.folders.append(folder)
        return folder

    def run(self, argv: list[str], **options: Any) -> warden.Exit:
        folder = self.prepare(argv, **options)
        warden.launch(folder)
        ended = warden.wait(folder, timeout_seconds=60)
        assert ended is not None
        assert self.leftovers(folder) == []
        return ended

    def log(self) -> str:
        log = self.folders[-1] / "stderr.log"
        return log.read_text() if log.exists() else ""

    def leftovers(self, folder: Path) -> list[str]:
        """Control groups and processes that a job left; the record of its group stays behind."""
        record = json.loads((folder / "warden.json").read_text())
        groups = set((record["group"] or {"folders": {}})["folders"].values())
        left = [path for path in groups if Path(path).exists()]
        return left + (inside() if os.geteuid() == 0 else [])


def inside() -> list[str]:
    """Command lines of live processes with the test's uid."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid == UID and (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


@pytest.fixture
def bench(place: Path, limited: bool) -> Iterator[Bench]:
    made = Bench(place, limited)
    yield made
    for folder in made.folders:
        state, handle = warden.find(folder)
        if state is State.RUNNING and handle:
            warden.stop(handle)
            assert warden.wait(folder, timeout_seconds=20)
        assert warden.reap(folder)


def sh(code: str) -> list[str]:
    return ["/bin/sh", "-c", code]


@pytest.mark.parametrize(
    ("code", "exit_code", "signum"),
    [
        ("true", 0, None),
        ("exit 3", 3, None),
        ("kill -SEGV $$", 139, 11),
        ("kill -9 $$", 137, 9),
        ("exit 127", 127, None),
    ],
)
def test_exit_codes(bench: Bench, code: str, exit_code: int, signum: int | None) -> None:
    ended = bench.run(sh(code))
    assert (ended.reason, ended.exit_code, ended.signal) == (Reason.EXITED, exit_code, signum)
    assert ended.oom_kills == 0
    assert ended.wall_seconds < 10


def test_time_limit(bench: Bench) -> None:
    # One process: a shell that outlives its child by a moment would say "Killed" in the log.
    ended = bench.run(sh("echo begun; exec sleep 60"), wall_seconds=0.4)
    assert (ended.reason, ended.exit_code, ended.signal) == (Reason.TIME_LIMIT, None, 9)
    assert 0.4 <= ended.wall_seconds < 5
    assert "0.4 s" in ended.message
    assert bench.log() == "begun\n"


def test_time_limit_holds_for_a_command_that_never_stops_writing(bench: Bench) -> None:
    ended = bench.run(sh("yes"), wall_seconds=0.5, log_bytes=10_000)
    assert ended.reason is Reason.TIME_LIMIT
    assert ended.wall_seconds < 5
    assert 10_000 <= len(bench.log()) < 10_100
    assert bench.log().endswith("[swath: further output dropped]\n")


def test_memory_limit(bench: Bench, needs_groups: None) -> None:
    ended = bench.run(["/usr/bin/python3", "-S", "-c", "a = b'x' * (1 << 30)"])
    assert ended.reason is Reason.MEMORY_LIMIT
    assert ended.oom_kills >= 1
    assert ended.peak_memory_bytes <= 128 * MIB


def test_memory_limit_of_a_child_shows_when_the_command_goes_on(bench: Bench, needs_groups: None) -> None:
    """As a runner does whose kernel was killed; where the kernel kills whole groups the reason says it."""
    ended = bench.run(sh("/usr/bin/python3 -S -c \"a = b'x' * (1 << 30)\"; echo went on"))
    assert ended.oom_kills >= 1
    if ended.exit_code == 0:
        assert ended.reason is Reason.EXITED
        assert bench.log().endswith("went on\n")
    else:
        assert ended.reason is Reason.MEMORY_LIMIT


def test_memory_in_tmp_counts(bench: Bench, needs_groups: None) -> None:
    ended = bench.run(sh("head -c 1000000000 /dev/zero > /tmp/x; echo went on"))
    assert ended.oom_kills >= 1


@pytest.mark.parametrize(
    "code",
    [
        "i=0; while [ $i -lt 9 ]; do head -c 4000000 /dev/zero > f$i; i=$((i+1)); done; sleep 60",
        "exec 3> a 4> b; rm a b; head -c 12000000 /dev/zero >&3; head -c 12000000 /dev/zero >&4; sleep 60",
        "i=0; while [ $i -lt 3000 ]; do : > n$i; i=$((i+1)); done; sleep 60",
    ],
    ids=["files", "deleted-but-open", "many"],
)
def test_disk_limit(bench: Bench, needs_groups: None, code: str) -> None:
    ended = bench.run(
        sh(f"cd /run/swath/out; {code}"), disk_bytes=16 * MIB, disk_paths=[bench.out], disk_files=2000, wall_seconds=20
    )
    assert ended.reason is Reason.DISK_LIMIT, ended
    assert ended.wall_seconds < 15


def test_one_file_never_grows_over_the_limit(bench: Bench) -> None:
    options = {"disk_bytes": 8 * MIB, "disk_paths": [bench.out]}
    ended = bench.run(sh("head -c 100000000 /dev/zero > /run/swath/out/big"), **options)
    assert (bench.out / "big").stat().st_size == 8 * MIB
    assert ended.exit_code not in (0, None)


@pytest.mark.parametrize(
    ("argv", "options", "words"),
    [
        (["/bin/no-such-thing"], {}, "cannot execute /bin/no-such-thing"),
        (["/bin/true"], {"ro_binds": [(Path("/nonexistent-swath"), Path("/srv/x"))]}, "/nonexistent-swath"),
        (["/bin/true"], {"cwd": "/not/there"}, "/not/there"),
    ],
)
def test_failed_to_start(bench: Bench, argv: list[str], options: dict[str, Any], words: str) -> None:
    ended = bench.run(argv, **options)
    assert ended.reason is Reason.FAILED_TO_START
    assert words in ended.message


def test_failure_to_start_cannot_be_feigned(bench: Bench) -> None:
    """Or an algorithm could run for nothing."""
    ended = bench.run(sh("echo 'bwrap: No permissions to create new namespace' >&2; exit 1"))
    assert (ended.reason, ended.exit_code) == (Reason.EXITED, 1)


def test_stop(bench: Bench) -> None:
    folder = bench.prepare(sh("echo on; sleep 60"))
    handle = warden.launch(folder)
    assert warden.alive(handle)
    assert warden.find(folder) == (State.RUNNING, handle)
    assert warden.read_exit(folder) is None
    assert until(lambda: "on" in bench.log())
    assert warden.stop(handle)
    ended = warden.wait(folder, timeout_seconds=20)
    assert ended is not None
    assert ended.reason is Reason.STOPPED
    assert until(lambda: not warden.alive(handle))
    assert not warden.stop(handle)
    assert warden.find(folder)[0] is State.ENDED
    assert bench.leftovers(folder) == []


def test_usage_is_told_while_it_runs_and_by_the_clock_of_its_end(bench: Bench, limited: bool) -> None:
    folder = bench.prepare(sh("echo on; while :; do :; done"))
    assert warden.usage(folder) is None
    handle = warden.launch(folder)
    assert until(lambda: "on" in bench.log())
    if limited:
        assert until(lambda: (going := warden.usage(folder)) is not None and (going.cpu_seconds or 0) > 0.2)
    going = warden.usage(folder)
    assert going is not None
    assert (going.cpu_seconds is not None) == limited
    warden.stop(handle)
    ended = warden.wait(folder, timeout_seconds=20)
    assert ended is not None
    assert 0 < going.wall_seconds < ended.wall_seconds
    assert (going.cpu_seconds or 0) <= ended.cpu_seconds


def test_stop_gives_grace(bench: Bench) -> None:
    folder = bench.prepare(
        sh("trap 'echo saved; exit 0' TERM; echo on; while :; do sleep 0.05; done"), grace_seconds=10
    )
    handle = warden.launch(folder)
    assert until(lambda: "on" in bench.log())
    warden.stop(handle)
    ended = warden.wait(folder, timeout_seconds=20)
    assert ended is not None
    assert (ended.reason, ended.exit_code) == (Reason.STOPPED, 0)
    assert bench.log() == "on\nsaved\n"


def test_grace_is_not_for_ever(bench: Bench) -> None:
    folder = bench.prepare(sh("trap '' TERM; echo on; while :; do sleep 0.05; done"), grace_seconds=0.3)
    handle = warden.launch(folder)
    assert until(lambda: "on" in bench.log())
    warden.stop(handle)
    ended = warden.wait(folder, timeout_seconds=20)
    assert ended is not None
    assert (ended.reason, ended.signal) == (Reason.STOPPED, 9)


def test_started_once(bench: Bench) -> None:
    folder = bench.prepare(sh("echo x >> /run/swath/out/count"))
    answers: list[object] = []

    def launch() -> None:
        try:
            answers.append(warden.launch(folder))
        except AlreadyStarted as error:
            answers.append(error)

    threads = [threading.Thread(target=launch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(answer, Handle) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyStarted) for answer in answers) == 5
    assert warden.wait(folder, timeout_seconds=20)
    with pytest.raises(AlreadyStarted):
        warden.launch(folder)
    assert (bench.out / "count").read_text() == "x\n"


def test_survives_the_kill_of_its_launcher(bench: Bench) -> None:
    folder = bench.prepare(sh("while [ ! -e /run/swath/out/go ]; do sleep 0.05; done; echo done"))
    code = (
        "import sys, time; from pathlib import Path; from swath_sandbox import warden\n"
        "warden.launch(Path(sys.argv[1])); print('launched', flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == b"launched\n"
        os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()
    state, handle = warden.find(folder)
    assert state is State.RUNNING
    assert handle is not None
    assert warden.alive(handle)
    (bench.out / "go").touch()
    ended = warden.wait(folder, timeout_seconds=20)
    assert ended is not None
    assert (ended.reason, ended.exit_code) == (Reason.EXITED, 0)


def test_kill_of_the_warden_takes_all_along(bench: Bench) -> None:
    folder = bench.prepare(
        sh("setsid sh -c 'while :; do date > /run/swath/out/beat; sleep 0.05; done' & echo on; sleep 60")
    )
    handle = warden.launch(folder)
    assert until(lambda: (bench.out / "beat").exists())
    assert not warden.reap(folder), "reap must not touch what a live warden guards"
    assert warden.alive(handle)
    os.kill(handle.pid, signal.SIGKILL)
    assert until(lambda: not warden.alive(handle))
    assert warden.find(folder) == (State.LOST, handle)
    assert warden.read_exit(folder) is None
    if os.geteuid() == 0:
        assert until(lambda: inside() == [])
    assert until(lambda: warden.reap(folder))
    assert warden.reap(folder)
    assert bench.leftovers(folder) == []
    with pytest.raises(AlreadyStarted):
        warden.launch(folder)


def test_kill_of_the_warden_at_any_moment(bench: Bench) -> None:
    """Also while it is just starting: nothing stays alive or is left after reap, and nothing starts twice."""
    for step in range(12):
        folder = bench.prepare(sh("sleep 60"))
        process = subprocess.Popen(
            [*bubblewrap.python_command("swath_sandbox.shim"), str(folder)],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        process.wait()
        time.sleep(step * 0.004)
        try:
            handle = Handle.from_dict(json.loads((folder / "warden.json").read_text()))
            os.kill(handle.pid, signal.SIGKILL)
        except FileNotFoundError:
            assert until(lambda f=folder: warden.find(f)[0] is State.RUNNING)
            _, found = warden.find(folder)
            assert found is not None
            handle = found
            os.kill(handle.pid, signal.SIGKILL)
        assert until(lambda h=handle: not warden.alive(h))
        assert until(lambda f=folder: warden.reap(f))
        assert bench.leftovers(folder) == []


def test_handle_is_not_mistaken(bench: Bench) -> None:
    folder = bench.prepare(sh("sleep 60"))
    handle = warden.launch(folder)
    for other in (
        Handle(pid=handle.pid, start_time=handle.start_time + 1, boot_id=handle.boot_id),
        Handle(pid=handle.pid, start_time=handle.start_time, boot_id="another-boot"),
        Handle(pid=os.getpid(), start_time=handle.start_time - 1, boot_id=handle.boot_id),
    ):
        assert not warden.alive(other)
        assert not warden.stop(other)
    assert warden.alive(handle)
    assert Handle.from_dict(handle.as_dict()) == handle


def test_never_launched(bench: Bench) -> None:
    folder = bench.prepare(sh("true"))
    assert warden.find(folder) == (State.NEVER, None)
    assert warden.reap(folder)
    warden.launch(folder)
    assert warden.wait(folder, timeout_seconds=20)


def test_nothing_of_the_launchers_environment_gets_in(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "of-the-launcher")
    folder = bench.prepare(sh("env; sleep 60"), env={"PATH": "/usr/bin:/bin", "SWATH_TOKEN": "of-the-run"})
    handle = warden.launch(folder)
    assert until(lambda: "SWATH_TOKEN" in bench.log())
    assert b"of-the-launcher" not in Path(f"/proc/{handle.pid}/environ").read_bytes()
    assert set(bench.log().split()) == {"PATH=/usr/bin:/bin", "SWATH_TOKEN=of-the-run", "PWD=/tmp"}
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert b"of-the-run" not in cmdline.read_bytes()
        except OSError:
            continue
    assert (folder / "command.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_group_in_use_fails_truly(bench: Bench, needs_groups: None) -> None:
    folder = bench.prepare(sh("sleep 60"))
    warden.launch(folder)
    name = json.loads((folder / "command.json").read_text())["group"]
    second = bench.prepare(sh("true"), group=name)
    warden.launch(second)
    ended = warden.wait(second, timeout_seconds=20)
    assert ended is not None
    assert ended.reason is Reason.FAILED_TO_START
    assert "has processes in it" in ended.message
    assert ended.peak_memory_bytes == 0
    # Nor does cleaning up after the second touch the first.
    assert warden.reap(second)
    assert warden.find(folder)[0] is State.RUNNING
    assert json.loads((second / "warden.json").read_text())["group"] is None


def test_what_programs_expect_is_there(bench: Bench) -> None:
    code = (
        "import getpass, multiprocessing, os, pathlib, pty, socket, ssl, tempfile, threading, time\n"
        "assert getpass.getuser() == 'swath', getpass.getuser()\n"
        "assert pathlib.Path.home() == pathlib.Path('/tmp/home')\n"
        "pathlib.Path.home().joinpath('x').write_text('x')\n"
        "tempfile.TemporaryFile().write(b'x')\n"
        "multiprocessing.Lock(); pty.openpty()\n"
        "s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname()).close()\n"
        "socket.create_connection(('localhost', s.getsockname()[1])).close()\n"
        "assert ssl.create_default_context().get_ca_certs() is not None\n"
        "t = threading.Thread(target=print, args=['thread']); t.start(); t.join()\n"
        "assert os.cpu_count() >= 1 and time.localtime()\n"
        "print(os.getuid() == os.stat('/tmp/home/x').st_uid, 'fine')\n"
    )
    ended = bench.run(["/usr/bin/python3", "-S", "-c", code], env={"PATH": "/usr/bin:/bin", "HOME": "/tmp/home"})
    assert ended.exit_code == 0, bench.log()
    assert bench.log() == "thread\nTrue fine\n"


def test_no_descriptor_of_the_host_gets_in(bench: Bench) -> None:
    with open(bench.place / "open", "w") as stream:
        os.set_inheritable(stream.fileno(), True)
        bench.run(["/bin/ls", "-1", "/proc/self/fd"])
    # The fourth is ls's own, of the folder it lists.
    assert bench.log().split() == ["0", "1", "2", "3"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a folder that others cannot enter")
def test_python_below_a_closed_folder_works(bench: Bench, place: Path) -> None:
    """As one that pyenv installed below /root."""
    closed = place / "closed"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--copies", closed / "venv"], check=True)
    closed.chmod(0o700)
    python = closed / "venv" / "bin" / "python"
    ended = bench.run([str(python), "-c", "import json, sys; print(sys.prefix)"], ro_binds=python_binds(python))
    assert ended.exit_code == 0, bench.log()
    assert bench.log() == f"{closed}/venv\n"


def test_without_bubblewrap_when_allowed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = checks.Check(name="bubblewrap", ok=False, required=True, detail="bwrap is missing")
    monkeypatch.setattr(checks, "_check_bwrap", lambda: broken)
    monkeypatch.setattr(checks, "_working", [])
    with pytest.raises(SandboxError, match="bwrap is missing"):
        bench.prepare(sh("true"))
    allow = frozenset(Allow)
    ended = bench.run(["/usr/bin/touch", "/run/swath/out/made"], allow=allow, cwd="/run/swath/out")
    assert (ended.reason, ended.exit_code) == (Reason.EXITED, 0), bench.log()
    assert (bench.out / "made").stat().st_uid == (UID if os.geteuid() == 0 else os.geteuid())
    # Without a control group either, a child in its own session would outlive the run: that is what is lost.
    child = "setsid sleep 60 &" if bench.limited else ""
    folder = bench.prepare(sh(f"{child} echo on; sleep 60"), allow=allow, cwd="/run/swath/out")
    handle = warden.launch(folder)
    assert until(lambda: "on" in bench.log())
    warden.stop(handle)
    ended_early = warden.wait(folder, timeout_seconds=20)
    assert ended_early is not None
    assert ended_early.reason is Reason.STOPPED
    if bench.limited:
        assert bench.leftovers(folder) == []


def test_warden_is_small(bench: Bench) -> None:
    folder = bench.prepare(sh("echo on; sleep 60"))
    handle = warden.launch(folder)
    assert until(lambda: "on" in bench.log())
    status = Path(f"/proc/{handle.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < 20_000


def test_enter_makes_joins_and_becomes(place: Path, needs_groups: None) -> None:
    group, limits = f"test-{uuid.uuid4().hex[:12]}", Limits(memory_bytes=64 * MIB, pids=16, cpus=1)
    spec = Sandbox(argv=sh("echo $A; ulimit -c; read x"), uid=UID if os.geteuid() == 0 else None, env={"A": "b"})
    argv = [*bubblewrap.enter_command(group, limits), *bubblewrap.command(spec)]
    with subprocess.Popen(argv, env={"A": "b"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["b\n", "0\n"]
        folder = Path(find_hierarchy().parents["memory"], f"swath-{group}")
        # It became bwrap: the pid that the caller knows is in the group, with what is inside.
        members = {int(word) for word in (folder / "cgroup.procs").read_text().split()}
        assert process.pid in members
        assert len(members) >= 2
        assert bubblewrap.find_program("bwrap") in Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")[0]
        from swath_sandbox import remove_group

        assert remove_group(group)
        process.wait(timeout=5)
    assert not folder.exists()


def test_enter_refuses_what_it_cannot_limit() -> None:
    limits = Limits(memory_bytes=64 * MIB, pids=16, cpus=1)
    argv = bubblewrap.enter_command("../x", limits)
    done = subprocess.run([*argv, "/bin/echo", "ran"], capture_output=True, text=True, check=False)
    assert done.returncode == 126
    assert "not a name" in done.stderr
    assert done.stdout == ""
