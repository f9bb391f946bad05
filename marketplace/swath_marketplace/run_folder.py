"""The folder of a run: what goes in, and how what came out is read without being led elsewhere.

``out/`` was written by code that nobody trusts: everything below it goes through `swath_sandbox.files`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from swath_sandbox.errors import UnsafeFile
from swath_sandbox.files import hand_over, open_nofollow, read_small

_BLOCK_BYTES = 1 << 20


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
        for folder in (self.input, self.out, self.out / "work"):
            folder.mkdir(exist_ok=True, mode=0o700)
        _write(self.input / "spec.json", json.dumps(spec, ensure_ascii=False).encode())
        _write(self.input / "notebook.ipynb", notebook)
        # Read by the run's own uid; the folder above is closed to everybody else.
        self.input.chmod(0o755)
        for folder in (self.out, self.out / "work"):
            hand_over(folder, uid)

    def take_back(self) -> None:
        """Make everything that the run left ours; its uid will be another run's."""
        with suppress(FileNotFoundError):
            hand_over(self.out, 0)

    def read_out(self, name: str, *, max_bytes: int) -> bytes | None:
        """A small file of ``out/``; ``None`` when it is not there, is no plain file, or is too large."""
        try:
            return read_small(self.out, name, max_bytes=max_bytes)
        except (FileNotFoundError, NotADirectoryError, UnsafeFile):
            return None

    def open_out(self, name: str) -> BinaryIO | None:
        """A file of ``out/``; ``None`` when it is not there or is no plain file."""
        try:
            return open_nofollow(self.out, name)
        except (FileNotFoundError, NotADirectoryError, UnsafeFile):
            return None

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
            stream.close()
            os.rename(self.out / source, target)
            # The run's uid will be another run's.
            hand_over(target, 0)
            target.chmod(0o600)
        return _measured(target)

    def copy_kept(self, name: str, other: str) -> tuple[int, str]:
        """Give ``results/<other>`` a second name: two outputs may be one file."""
        if not (self.results / name).is_file():
            partial = self.results / f".{name}.partial"
            shutil.copyfile(self.results / other, partial)
            partial.chmod(0o600)
            partial.replace(self.results / name)
        return _measured(self.results / name)

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
        if not run_id.isalnum():
            raise ValueError("a run's id is letters and digits")
        return RunFolder(self._root / run_id)


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
