"""Reading what an adversary wrote."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from swath_sandbox import tree
from swath_sandbox.errors import UnsafeFile
from swath_sandbox.files import hand_over, open_nofollow, read_small, safe_files


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text("secret")
    folder = tmp_path / "out"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "report.json").write_text("{}")
    (folder / "deep" / "er" / "a.tif").write_bytes(b"1234")
    return folder


def test_plain_files_are_read(out: Path) -> None:
    assert read_small(out, "report.json", max_bytes=2) == b"{}"
    assert read_small(out, "deep/er/a.tif", max_bytes=10) == b"1234"
    with open_nofollow(out, "deep/er/a.tif") as stream:
        assert stream.read() == b"1234"
    assert {(file.relpath, file.bytes) for file in safe_files(out, max_files=10, max_bytes=10)} == {
        ("report.json", 2),
        ("deep/er/a.tif", 4),
    }


def test_links_of_every_kind_are_refused(out: Path) -> None:
    (out / "abs").symlink_to(out.parent / "secret")
    (out / "rel").symlink_to("../secret")
    (out / "folder").symlink_to(out.parent / "secrets")
    (out / "dangling").symlink_to("nowhere")
    (out / "inner").symlink_to("report.json")
    os.link(out.parent / "secret", out / "hard")
    for name in ("abs", "rel", "folder", "folder/key", "dangling", "inner", "hard"):
        with pytest.raises(UnsafeFile):
            read_small(out, name, max_bytes=100)
    refused: dict[str, str] = {}
    found = [file.relpath for file in safe_files(out, max_files=100, max_bytes=100, refused=refused.__setitem__)]
    assert set(found) == {"report.json", "deep/er/a.tif"}
    assert set(refused) == {"abs", "rel", "folder", "dangling", "inner", "hard"}


def test_nothing_blocks(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(out / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        # The address of a socket may not be long.
        monkeypatch.chdir(out)
        server.bind("socket")
    for name in ("fifo", "socket", "deep"):
        with pytest.raises(UnsafeFile):
            read_small(out, name, max_bytes=100)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../secret", "deep/../../secret", "a\0b", ".."])
def test_paths_that_lead_out_are_refused(out: Path, path: str) -> None:
    with pytest.raises(UnsafeFile, match="not a path below"):
        read_small(out, path, max_bytes=100)


def test_what_is_not_there_is_said(out: Path) -> None:
    for path in ("nothing", "nothing/at/all"):
        with pytest.raises(FileNotFoundError):
            read_small(out, path, max_bytes=1)


def test_caps(out: Path) -> None:
    with open(out / "hole", "wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(UnsafeFile, match="larger"):
        read_small(out, "hole", max_bytes=1 << 10)
    with pytest.raises(UnsafeFile, match="larger"):
        list(safe_files(out, max_files=100, max_bytes=1 << 30))
    with pytest.raises(UnsafeFile, match="more than 2"):
        list(safe_files(out, max_files=2, max_bytes=1 << 50))
    # A hole takes no disk.
    assert tree.disk_usage([str(out)], max_entries=100) < 1 << 20


def test_deep_folders_end(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(out)
    for _ in range(tree.MAX_DEPTH + 2):
        os.mkdir("d")
        os.chdir("d")
    with pytest.raises(UnsafeFile, match="deeper"):
        list(safe_files(out, max_files=1000, max_bytes=1 << 30))


def test_hard_links_count_once(out: Path) -> None:
    (out / "big").write_bytes(b"x" * (1 << 20))
    for index in range(5):
        os.link(out / "big", out / f"again{index}")
    assert tree.disk_usage([str(out)], max_entries=100) < 2 << 20


def test_deleted_files_that_stay_open_are_found(out: Path) -> None:
    with open(out / "gone", "wb") as stream:
        stream.write(b"x" * (1 << 20))
        stream.flush()
        os.fsync(stream.fileno())
        assert tree.unlinked_usage([os.getpid()], [out.stat().st_dev]) == 0
        (out / "gone").unlink()
        assert tree.unlinked_usage([os.getpid()], [out.stat().st_dev]) >= 1 << 20


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
def test_hand_over_changes_links_and_not_what_they_point_to(out: Path) -> None:
    (out / "link").symlink_to(out.parent / "secret")
    (out / "folder").symlink_to(out.parent / "secrets")
    (out / "suid").write_text("")
    (out / "suid").chmod(0o4755)
    hand_over(out, 2_999_999)
    owners = {path.lstat().st_uid for path in (out, out / "link", out / "folder", out / "deep" / "er" / "a.tif")}
    assert owners == {2_999_999}
    assert (out.parent / "secret").stat().st_uid == 0
    assert (out.parent / "secrets" / "key").stat().st_uid == 0
    assert not (out / "suid").stat().st_mode & 0o4000


def test_root_that_is_a_link_is_refused(out: Path) -> None:
    (out.parent / "alias").symlink_to(out)
    with pytest.raises(OSError, match="alias"):
        read_small(out.parent / "alias", "report.json", max_bytes=10)
