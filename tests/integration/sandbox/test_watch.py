"""What a sandboxed command opens of a watched folder is recorded by its warden, whatever way it takes."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from swath_sandbox import Allow, Job, Limits, Sandbox, State, warden
from swath_sandbox.checks import check_isolation, check_watch
from swath_sandbox.errors import SandboxError

pytestmark = pytest.mark.integration
UID = 1_000_000_000 + secrets.randbelow(1_000_000_000)
PYTHON = "/usr/bin/python3"
POSSIBLE = check_watch().ok


class Reader:
    """Runs code beside an archive of small scenes."""

    def __init__(self, place: Path) -> None:
        self.place, self.archive = place, place / "archive"
        (self.archive / "c" / "i").mkdir(parents=True)
        for name in ("a.tif", "b.tif", "c d.tif"):
            (self.archive / "c" / "i" / name).write_bytes(name.encode() * 1000)
        self.folders: list[Path] = []
        try:
            check_isolation()
            self.allow: frozenset[Allow] = frozenset()
        except SandboxError:
            self.allow = frozenset({Allow.NO_CGROUPS})

    def launch(self, argv: list[str], **options: Any) -> Path:
        spec = Sandbox(
            argv=argv,
            uid=UID if os.geteuid() == 0 else None,
            ro_binds=[(self.archive, Path("/archive"))],
            env={"PATH": "/usr/bin:/bin"},
        )
        group = f"test-{uuid.uuid4().hex[:12]}"
        limits = Limits(memory_bytes=256 << 20, pids=64, cpus=2)
        given = {"wall_seconds": 30, "watch": "/archive", **options}
        folder = self.place / group
        warden.prepare(folder, Job(sandbox=spec, group=group, limits=limits, allow=self.allow, **given))
        self.folders.append(folder)
        warden.launch(folder)
        return folder

    def run(self, code: str, **options: Any) -> list[dict[str, Any]]:
        folder = self.launch([PYTHON, "-I", "-c", code], **options)
        ended = warden.wait(folder, timeout_seconds=60)
        assert ended is not None
        assert ended.exit_code == 0, (ended, (folder / "stderr.log").read_text())
        return record(folder)


def record(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "served.jsonl").read_text().splitlines()]


def paths(lines: list[dict[str, Any]]) -> list[str]:
    return [line["path"] for line in lines if "path" in line]


@pytest.fixture
def reader(place: Path) -> Iterator[Reader]:
    made = Reader(place)
    yield made
    for folder in made.folders:
        state, handle = warden.find(folder)
        if state is State.RUNNING and handle:
            warden.stop(handle)
            assert warden.wait(folder, timeout_seconds=20)
        assert warden.reap(folder)


A = "/archive/c/i/a.tif"
WAYS = {
    "open": f"open('{A}').read()",
    "os.open": f"import os; os.read(os.open('{A}', os.O_RDONLY), 9)",
    "without reading": f"import os; os.open('{A}', os.O_RDONLY)",
    "mmap": f"import mmap; f = open('{A}', 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); f.close(); m[:9]",
    "a thread": f"import threading as t; x = t.Thread(target=lambda: open('{A}').read()); x.start(); x.join()",
    "a child": f"import subprocess; subprocess.run(['cat', '{A}'], stdout=-3, check=True)",
    "an orphan": f"import os, time\nif os.fork() == 0:\n if os.fork() == 0:\n  os.setsid(); open('{A}').read(); "
    "open('/tmp/done', 'w').close()\n os._exit(0)\nwhile not os.path.exists('/tmp/done'): time.sleep(0.01)",
    "the root of a process": f"open('/proc/self/root{A}').read()",
    "a folder's descriptor": "import os; d = os.open('/archive/c', os.O_PATH); "
    "os.read(os.open('i/a.tif', os.O_RDONLY, dir_fd=d), 9)",
    "a path alone, opened later": f"import os; p = os.open('{A}', os.O_PATH); open(f'/proc/self/fd/{{p}}').read()",
    "the working folder": "import os; os.chdir('/archive/c/i'); open('a.tif').read()",
    "a link outside": f"import os; os.symlink('{A}', '/tmp/x'); open('/tmp/x').read()",
    "the last moment": f"import os; os.open('{A}', os.O_RDONLY); os._exit(0)",
    "a system call of its own": f"import ctypes; ctypes.CDLL(None).syscall(257, -100, b'{A}', 0)",
}


@pytest.mark.skipif(not POSSIBLE, reason="this kernel, or this user, has no fanotify")
@pytest.mark.parametrize("way", WAYS)
def test_whatever_way_a_file_is_opened_it_is_recorded(reader: Reader, way: str) -> None:
    lines = reader.run(WAYS[way])
    assert lines[0]["watching"] == "/archive"
    assert lines[-1]["ended"] is True
    (file,) = (line for line in lines if "path" in line)
    found = (reader.archive / "c/i/a.tif").stat()
    assert (file["path"], file["bytes"]) == ("c/i/a.tif", 5000)
    assert (file["device"], file["inode"], file["modified_ns"]) == (found.st_dev, found.st_ino, found.st_mtime_ns)


@pytest.mark.skipif(not POSSIBLE, reason="this kernel, or this user, has no fanotify")
def test_what_is_not_opened_or_opened_elsewhere_is_not_recorded(reader: Reader) -> None:
    code = "import os, time; os.listdir('/archive/c/i'); os.stat('/archive/c/i/b.tif')\n"
    folder = reader.launch([PYTHON, "-I", "-c", code + "time.sleep(0.5); open('/archive/c/i/c d.tif')"])
    while not (folder / "served.jsonl").exists() and warden.find(folder)[0] is State.RUNNING:
        pass
    for _ in range(20):
        (reader.archive / "c/i/a.tif").read_bytes()
    assert warden.wait(folder, timeout_seconds=30)
    assert paths(record(folder)) == ["c/i/c d.tif"]


@pytest.mark.skipif(not POSSIBLE, reason="this kernel, or this user, has no fanotify")
def test_two_at_once_are_told_apart(reader: Reader) -> None:
    code = "import time; time.sleep(0.3); open('/archive/c/i/%s.tif').read(); time.sleep(0.3)"
    folders = [reader.launch([PYTHON, "-I", "-c", code % name]) for name in "ab"]
    for folder, name in zip(folders, "ab", strict=True):
        assert warden.wait(folder, timeout_seconds=30)
        assert paths(record(folder)) == [f"c/i/{name}.tif"]


@pytest.mark.skipif(not POSSIBLE, reason="this kernel, or this user, has no fanotify")
def test_a_file_stands_once_and_again_when_it_has_become_another(reader: Reader) -> None:
    code = (
        f"import time\nfor _ in range(1000): open('{A}').read()\nprint('x', flush=True)\n"
        f"before = open('{A}').read(3)\nwhile open('{A}').read(3) == before: time.sleep(0.01)"
    )
    folder = reader.launch([PYTHON, "-I", "-c", code])
    log = folder / "stderr.log"
    while not (log.exists() and log.read_text()):
        assert warden.find(folder)[0] is State.RUNNING
    fresh = reader.archive / "c/i/.fresh"
    fresh.write_bytes(b"another")
    fresh.replace(reader.archive / "c/i/a.tif")
    assert warden.wait(folder, timeout_seconds=30)
    files = [line for line in record(folder) if "path" in line]
    assert [(file["path"], file["bytes"]) for file in files] == [("c/i/a.tif", 5000), ("c/i/a.tif", 7)]


@pytest.mark.skipif(not POSSIBLE, reason="this kernel, or this user, has no fanotify")
def test_thousands_of_files_are_all_there(reader: Reader) -> None:
    many = reader.archive / "many"
    many.mkdir()
    for number in range(3000):
        (many / f"{number}.tif").write_bytes(b"x")
    lines = reader.run("import os\nfor name in os.listdir('/archive/many'): open('/archive/many/' + name).close()")
    assert lines[-1].get("ended") is True, lines[-1]
    assert sorted(paths(lines)) == sorted(f"many/{number}.tif" for number in range(3000))


@pytest.mark.skipif(not POSSIBLE or os.geteuid() != 0, reason="mounts and fanotify are root's")
def test_a_folder_that_is_put_together_of_mounts_is_watched_whole(reader: Reader, place: Path) -> None:
    other, point = place / "other", reader.archive / "other disk"
    other.mkdir()
    point.mkdir()
    (other / "z.tif").write_bytes(b"z")
    subprocess.run(["mount", "--bind", other, point], check=True)
    try:
        lines = reader.run("open('/archive/other disk/z.tif').read()")
    finally:
        subprocess.run(["umount", point], check=True)
    assert paths(lines) == ["other disk/z.tif"]


def test_the_record_is_out_of_the_commands_reach(reader: Reader) -> None:
    code = "import os\nfor top in os.listdir('/'):\n"
    code += " if top not in ('usr', 'proc', 'sys'):\n"
    code += "  for _, _, names in os.walk('/' + top): assert 'served.jsonl' not in names\n"
    code += "fds = os.listdir('/proc/self/fd'); assert len(fds) <= 4, fds"
    lines = reader.run(code)
    assert lines[0].keys() & {"watching", "unwatched"}
    assert oct((reader.folders[-1] / "served.jsonl").stat().st_mode & 0o777) == "0o600"


def test_what_cannot_be_watched_is_said_and_runs_all_the_same(reader: Reader) -> None:
    lines = reader.run(f"open('{A}').read()", watch="/nowhere")
    assert lines[0].keys() == {"unwatched"}
    assert paths(lines) == []


@pytest.mark.skipif(not POSSIBLE, reason="this kernel, or this user, has no fanotify")
def test_a_killed_warden_leaves_a_record_that_says_it_is_not_whole(reader: Reader) -> None:
    folder = reader.launch([PYTHON, "-I", "-c", f"import time; open('{A}').read(); time.sleep(60)"])
    while not (folder / "served.jsonl").exists() or len(record(folder)) < 2:
        assert warden.find(folder)[0] is State.RUNNING
    _, handle = warden.find(folder)
    assert handle
    os.kill(handle.pid, 9)
    while not warden.reap(folder):
        pass
    lines = record(folder)
    assert paths(lines) == ["c/i/a.tif"]
    assert "ended" not in lines[-1]
