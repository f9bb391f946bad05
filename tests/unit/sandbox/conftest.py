"""A control-group file system of version 2, made of plain files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

CONTROLLERS = "cpuset cpu io memory hugetlb pids"
FILES = {
    "cgroup.controllers": "", "cgroup.procs": "", "cgroup.subtree_control": "", "cgroup.kill": "", "memory.max": "max",
    "memory.swap.max": "max", "memory.oom.group": "0", "memory.peak": "0", "memory.events": "oom 0\noom_kill 0\n",
    "cpu.stat": "usage_usec 0\n", "cpu.max": "max 100000", "pids.max": "max",
}  # fmt: skip


class FakeV2:
    """Folders behave like the kernel's as far as swath_sandbox looks: files come with a folder and go with it."""

    def __init__(self, root: Path) -> None:
        self.mount = root / "cgroup"
        self.proc_self = root / "proc-self"
        self.proc_self.mkdir()
        self.mkdir, self.rmdir, self.open, self.write = os.mkdir, os.rmdir, os.open, os.write
        self.make(self.mount)

    def make(self, folder: str | Path) -> None:
        self.mkdir(folder)
        for name, value in FILES.items():
            Path(folder, name).write_text(value)
        Path(folder, "cgroup.controllers").write_text(CONTROLLERS)

    def fake_mkdir(self, path: str | Path, mode: int = 0o777, **options: object) -> None:
        if str(path).startswith(f"{self.mount}/"):
            self.make(path)
        else:
            self.mkdir(path, mode)

    def fake_rmdir(self, path: str | Path, **options: object) -> None:
        if str(path).startswith(f"{self.mount}/"):
            for file in FILES:
                Path(path, file).unlink(missing_ok=True)
            self.rmdir(path)
        else:
            self.rmdir(path)

    def fake_write(self, fd: int, data: bytes) -> int:
        target = os.readlink(f"/proc/self/fd/{fd}")
        if target.endswith("/cgroup.subtree_control"):
            if Path(target).with_name("cgroup.procs").read_text().strip():
                raise OSError(16, "Device or resource busy")
            data = b" ".join([Path(target).read_bytes(), data.removeprefix(b"+")]).strip()
            os.ftruncate(fd, 0)
        elif target.endswith("/cgroup.procs") and str(self.mount) in target:
            for file in self.mount.rglob("cgroup.procs"):
                kept = [word for word in file.read_text().split() if word != data.decode()]
                file.write_text("\n".join(kept))
            data = b"\n".join([*Path(target).read_bytes().split(), data])
        elif str(self.mount) in target:
            os.ftruncate(fd, 0)
        return self.write(fd, data)

    def place_self(self, group: str) -> None:
        mount = f"30 23 0:26 / {self.mount} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
        (self.proc_self / "mountinfo").write_text(f"22 1 0:21 / / rw - ext4 /dev/vda rw\n{mount}")
        (self.proc_self / "cgroup").write_text(f"0::{group}\n")


@pytest.fixture
def fake_v2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeV2:
    fake = FakeV2(tmp_path)
    monkeypatch.setattr(os, "mkdir", fake.fake_mkdir)
    monkeypatch.setattr(os, "rmdir", fake.fake_rmdir)
    monkeypatch.setattr(os, "write", fake.fake_write)
    return fake


@pytest.fixture
def any_uid() -> int | None:
    return 2_000_000 if os.geteuid() == 0 else None


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make folders unwritable for `os.access`, which root never finds."""

    def close(*folders: Path) -> None:
        real = os.access

        def access(path: str | Path, mode: int, **options: object) -> bool:
            if any(Path(path) == folder or Path(path).parent == folder for folder in folders):
                return False
            return real(path, mode)

        monkeypatch.setattr(os, "access", access)

    return close
