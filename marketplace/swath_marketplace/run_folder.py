"""The folder of a run: what goes in, and how what came out is read without being led elsewhere.

``out/`` was written by code that nobody trusts: everything below it goes through `swath_sandbox.files`.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from swath_sandbox.errors import UnsafeFile
from swath_sandbox.files import hand_over, open_nofollow, read_small

_BLOCK_BYTES = 1 << 20
_CLEARED = ".cleared"
#: What a run can bring about with names and rights of its own; other errors are the machine's.
_THEIRS = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EACCES,
        errno.EPERM,
        errno.EINVAL,
    }
)


class RunFolder:
    """One run's folder.

    Parameters
    ----------
    path
        ``runs/<run_id>``; `prepare` makes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.input = path / "input"
        self.control = path / "control"
        self.out = path / "out"
        self.warden = path / "warden"
        self.results = path / "results"

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Only one at a time prepares, starts or forbids the run, among all threads and processes of this machine."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.path / "start.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def prepare(self, *, spec: Mapping[str, Any], notebook: bytes, uid: int) -> None:
        """Write what the runner reads, and give ``out/`` to `uid`. May be repeated until the run starts."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.input, self.control, self.out, self.out / "work"):
            folder.mkdir(exist_ok=True, mode=0o700)
        _write(self.input / "spec.json", json.dumps(spec, ensure_ascii=False).encode())
        _write(self.input / "notebook.ipynb", notebook)
        # Read by the run's own uid; the folder above is closed to everybody else.
        self.input.chmod(0o755)
        self.control.chmod(0o755)
        for folder in (self.out, self.out / "work"):
            hand_over(folder, uid)

    def say_checkpoint(self, told: Mapping[str, Any]) -> None:
        """Let the run see that it is to save what it has, whole or not at all. Idempotent: the first word stands."""
        path = self.control / "checkpoint.json"
        # A run that was started by an older program has no such folder, and nobody in it looks for one.
        if self.control.is_dir() and not path.exists():
            _write(path, json.dumps(told, ensure_ascii=False).encode())

    def clear(self) -> None:
        """Remove what the run left but its event log and report, and make those ours; its uid will be another run's.

        Only after its outputs were kept and that is saved. Idempotent; safe while others read the event log.
        """
        if not self.path.exists():
            return
        kept, trash = self.path / "out.kept", self.path / "out.trash"
        if not kept.exists() and not (self.out / _CLEARED).exists():
            self._set_aside(kept)
        if kept.exists():
            if self.out.exists() and not trash.exists():
                self.out.rename(trash)
            if not self.out.exists():
                kept.rename(self.out)
        if trash.exists():
            _remove(trash)

    def _set_aside(self, kept: Path) -> None:
        partial = self.path / "out.partial"
        partial.mkdir(exist_ok=True, mode=0o700)
        for name in ("events.jsonl", "report.json"):
            stream = self.open_out(name)
            if stream is None:
                continue
            with stream, (partial / name).open("wb") as copy:
                shutil.copyfileobj(stream, copy)
        (partial / _CLEARED).touch()
        partial.rename(kept)

    def read_out(self, name: str, *, max_bytes: int) -> bytes | None:
        """A small file of ``out/``; ``None`` when it is not there, is no plain file, or is too large."""
        try:
            return read_small(self.out, name, max_bytes=max_bytes)
        except UnsafeFile:
            return None
        except OSError as error:
            if error.errno in _THEIRS:
                return None
            raise

    def open_out(self, name: str) -> BinaryIO | None:
        """A file of ``out/``; ``None`` when it is not there or is no plain file."""
        try:
            return open_nofollow(self.out, name)
        except UnsafeFile:
            return None
        except OSError as error:
            if error.errno in _THEIRS:
                return None
            raise

    def keep(self, name: str, source: str) -> tuple[int, str] | None:
        """Move the file `source` of ``out/`` to ``results/<name>``, where only we write.

        Idempotent: what was moved before is measured again. Only after every process of the run is gone.

        Returns
        -------
        tuple or None
            Bytes and sha256; ``None`` when there is no such plain file.
        """
        self.results.mkdir(exist_ok=True, mode=0o700)
        target = self.results / name
        if not target.is_file():
            stream = self.open_out(source)
            if stream is None:
                return None
            with stream:
                self._move(source, stream, target)
        return _measured(target)

    def _move(self, source: str, stream: BinaryIO, target: Path) -> None:
        try:
            os.rename(self.out / source, target)
        except PermissionError:
            # Not root, and the run closed its own folder.
            partial = target.with_name(f".{target.name}.partial")
            with partial.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
            partial.rename(target)
        # The run's uid will be another run's.
        hand_over(target, 0)
        target.chmod(0o600)

    def copy_kept(self, name: str, other: str) -> tuple[int, str]:
        """Give ``results/<other>`` a second name: two outputs may be one file."""
        if not (self.results / name).is_file():
            partial = self.results / f".{name}.partial"
            shutil.copyfile(self.results / other, partial)
            partial.chmod(0o600)
            partial.replace(self.results / name)
        return _measured(self.results / name)

    def drop_results(self) -> bool:
        """Remove the outputs that were kept; whether there were any. What the run told of itself stays."""
        if not self.results.exists():
            return False
        shutil.rmtree(self.results, ignore_errors=True)
        return True

    def result(self, name: str) -> Path:
        """Where the output `name` was kept; the caller checks that the run has one of that name."""
        return self.results / name


class RunFolders:
    """Every run's folder below one root.

    Parameters
    ----------
    root
        ``DATA/marketplace/runs``.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def of(self, run_id: str) -> RunFolder:
        """The folder of the run `run_id`, made or not."""
        return RunFolder(self._path(run_id))

    def discard(self, run_id: str) -> bool:
        """Remove everything of an ended run: outputs, event log, what it was started with. Idempotent.

        It is out of sight at once: who reads a file of it meanwhile reads on, and nobody finds half of it.

        Returns
        -------
        bool
            Whether nothing is left.
        """
        path, trash = self._path(run_id), self._root / f".{run_id}.trash"
        if path.exists() and not trash.exists():
            path.rename(trash)
        for folder in (trash, path):
            if folder.exists():
                _remove(folder)
        return not (path.exists() or trash.exists())

    def _path(self, run_id: str) -> Path:
        if not run_id.isalnum():
            raise ValueError("a run's id is letters and digits")
        return self._root / run_id


def _remove(folder: Path) -> None:
    """Remove `folder`: by rm, because folders in it may be nested deeper than any recursion of ours, to trip it."""
    subprocess.run(["rm", "-rf", "--one-file-system", "--", str(folder)], check=False, stderr=subprocess.DEVNULL)


def _measured(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.chmod(0o644)
    partial.replace(path)
