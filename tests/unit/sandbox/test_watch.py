"""A watch never fails the command it watches: it says that it is none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from swath_sandbox import fanotify
from swath_sandbox.checks import check_watch
from swath_sandbox.served import read_served
from swath_sandbox.watch import Watch


class Refused:
    def __init__(self) -> None:
        raise OSError(1, "fanotify_init: Operation not permitted")


class Fake:
    """Tells of the files that it is given."""

    def __init__(self, *files: Path | None) -> None:
        self.read, self.write = os.pipe()
        self.fd, self.files, self.mounts = self.read, list(files), []  # type: ignore[var-annotated]
        os.write(self.write, b"x" if files else b"")

    def watch_mount(self, path: str) -> None:
        self.mounts.append(path)

    def ignore(self, _: int) -> None: ...

    def opened(self) -> Any:
        os.read(self.read, 1)
        while self.files:
            file = self.files.pop(0)
            yield None if file is None else os.open(file, os.O_RDONLY)

    def close(self) -> None:
        os.close(self.write)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "served.jsonl").read_text().splitlines()]


def test_without_the_right_nothing_is_watched_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanotify, "Fanotify", Refused)
    watch = Watch(str(tmp_path), "/archive")
    assert watch.fd is None
    watch.begin(os.getpid())
    watch.take()
    watch.end()
    found = read_served(tmp_path)
    assert (found.watched, found.complete) == (False, False)
    assert "not permitted" in found.why
    check = check_watch()
    assert (check.name, check.ok, check.required) == ("inputs", False, False)
    assert "reports" in check.lost
    assert check.mend


@pytest.mark.parametrize("pid", [os.getpid(), 2**22 + 1], ids=["without such a mount", "that is gone"])
def test_a_process_that_cannot_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pid: int) -> None:
    monkeypatch.setattr(fanotify, "Fanotify", Fake)
    watch = Watch(str(tmp_path), "/no/such/archive")
    watch.begin(pid)
    watch.end()
    assert lines(tmp_path)[0].keys() == {"unwatched"}


def test_what_the_kernel_left_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "archive"
    inside.mkdir()
    (inside / "a").write_text("a")
    monkeypatch.setattr(fanotify, "Fanotify", lambda: Fake(inside / "a", None, inside / "a", tmp_path / "served.jsonl"))
    monkeypatch.setattr("swath_sandbox.watch._mounts", lambda *_: ["/archive"])
    watch = Watch(str(tmp_path), str(inside))
    watch.begin(os.getpid())
    watch.end()
    found = read_served(tmp_path)
    assert [file.path for file in found.files] == ["a"]
    assert (found.watched, found.complete) == (True, False)
    assert "another place" in found.why


def test_a_full_disk_ends_the_record_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanotify, "Fanotify", Fake)
    (tmp_path / "served.jsonl").symlink_to("/dev/full")
    watch = Watch(str(tmp_path), "/archive")
    watch.begin(os.getpid())
    watch.end()


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanotify, "Fanotify", Fake)
    watch = Watch(str(tmp_path / "gone"), "/archive")
    watch.begin(os.getpid())
    watch.end()


def test_too_many_files_end_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(fanotify, "Fanotify", lambda: Fake(*(tmp_path / name for name in "abc")))
    monkeypatch.setattr("swath_sandbox.watch._mounts", lambda *_: ["/archive"])
    monkeypatch.setattr("swath_sandbox.watch.MOST_FILES", 2)
    watch = Watch(str(tmp_path), str(tmp_path))
    watch.begin(os.getpid())
    watch.take()
    assert watch.fd is None
    watch.end()
    found = read_served(tmp_path)
    assert (found.complete, found.truncated) == (False, True)
