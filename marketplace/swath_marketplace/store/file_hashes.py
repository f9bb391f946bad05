"""sha256 of files, each read once for as long as it does not change; what was read is remembered across restarts."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import sqlite3
import stat
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_BLOCK_BYTES = 1 << 20
_SCHEMA = """
CREATE TABLE IF NOT EXISTS file_hashes (
    device INTEGER NOT NULL, inode INTEGER NOT NULL, bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (device, inode)
) WITHOUT ROWID
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """What tells whether a file is still the one it was.

    The time of its last change of state (``ctime``) is among it: nobody but the kernel sets that, so a file that was
    written and given its old times again is still seen to have changed.
    """

    device: int
    inode: int
    bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> Signature:
        """The signature in an answer of the system."""
        return cls(
            device=found.st_dev,
            inode=found.st_ino,
            bytes=found.st_size,
            modified_ns=found.st_mtime_ns,
            changed_ns=found.st_ctime_ns,
        )


class FileHashes:
    """A cache; losing it costs time only, and a damaged one is made anew.

    Parameters
    ----------
    path
        Its file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._database = self._open()

    def of(self, path: Path) -> tuple[str, Signature]:
        """The sha256 of `path` and what the file was when it was read.

        Raises
        ------
        OSError
            It is not there, cannot be read, or is no plain file.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as stream:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "not a plain file", str(path))
            before = Signature.of(found)
            known = self.known([before]).get(before)
            if known:
                return known, before
            sha256 = _read(stream.fileno())
            after = Signature.of(os.fstat(descriptor))
        if before == after:
            self.remember({after: sha256})
        # The earlier of the two: whoever looks again finds that the file is another.
        return sha256, before

    def known(self, signatures: Iterable[Signature]) -> Mapping[Signature, str]:
        """What is remembered of files that are still as they were."""
        found = {}
        with self._lock:
            try:
                for one in signatures:
                    row = self._database.execute(
                        "SELECT sha256 FROM file_hashes WHERE device = ? AND inode = ? AND bytes = ? "
                        "AND modified_ns = ? AND changed_ns = ?",
                        (one.device, one.inode, one.bytes, one.modified_ns, one.changed_ns),
                    ).fetchone()
                    if row:
                        found[one] = row[0]
            except (sqlite3.Error, OverflowError) as error:
                log.warning("hashes of files are not remembered: %s", error)
        return found

    def remember(self, hashes: Mapping[Signature, str]) -> None:
        """Keep hashes of files, each read between two looks that gave the same signature."""
        rows = [
            (one.device, one.inode, one.bytes, one.modified_ns, one.changed_ns, sha256)
            for one, sha256 in hashes.items()
        ]
        with self._lock:
            try:
                with self._database:
                    self._database.executemany("INSERT OR REPLACE INTO file_hashes VALUES (?, ?, ?, ?, ?, ?)", rows)
            except (sqlite3.Error, OverflowError) as error:
                log.warning("hashes of files are not remembered: %s", error)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            return _connect(self._path)
        except sqlite3.Error as error:
            log.warning("the cache of file hashes is made anew: %s", error)
            self._path.unlink(missing_ok=True)
            return _connect(self._path)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False, timeout=5)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(_SCHEMA)
    database.execute("SELECT count(*) FROM (SELECT 1 FROM file_hashes LIMIT 1)").fetchone()
    path.chmod(0o600)
    return database


def _read(descriptor: int) -> str:
    digest = hashlib.sha256()
    while block := os.read(descriptor, _BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()
