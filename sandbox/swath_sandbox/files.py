"""Reading what untrusted code left behind, without being led elsewhere.

A run may leave links to the host's files, FIFOs that block whoever opens them, holes of a terabyte, a million files.
Read only after its processes are dead: these functions then cannot be raced.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from swath_sandbox import tree
from swath_sandbox.errors import UnsafeFile

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True, slots=True)
class SafeFile:
    """A plain file below the root that was walked."""

    relpath: str
    bytes: int
    modified_at: float
    """Seconds since the epoch."""


def open_nofollow(root: Path, relpath: str) -> BinaryIO:
    """Open the plain file `relpath` below `root` for reading; no component of `relpath` may be a link.

    Raises
    ------
    UnsafeFile
        When it is a link, goes through one, leads out of `root`, has further hard links, or is no plain file.
    FileNotFoundError
        When there is nothing.
    """
    parts = _parts(relpath)
    folder = os.open(root, _OPEN_FOLDER)
    try:
        for part in parts[:-1]:
            try:
                inner = os.open(part, _OPEN_FOLDER, dir_fd=folder)
            except NotADirectoryError:
                raise UnsafeFile(f"{relpath}: {part} is no folder") from None
            os.close(folder)
            folder = inner
        _refuse(relpath, os.stat(parts[-1], dir_fd=folder, follow_symlinks=False))
        fd = os.open(parts[-1], _OPEN_FILE, dir_fd=folder)
    finally:
        os.close(folder)
    stream = os.fdopen(fd, "rb")
    try:
        _refuse(relpath, os.fstat(fd))
    except UnsafeFile:
        stream.close()
        raise
    return stream


def read_small(root: Path, relpath: str, *, max_bytes: int) -> bytes:
    """Read the whole plain file `relpath` below `root`.

    Raises
    ------
    UnsafeFile
        As `open_nofollow`, and when it is larger than `max_bytes`.
    FileNotFoundError
        When there is nothing.
    """
    with open_nofollow(root, relpath) as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise UnsafeFile(f"{relpath}: larger than {max_bytes} bytes")
    return data


def safe_files(
    root: Path, *, max_files: int, max_bytes: int, refused: Callable[[str, str], None] | None = None
) -> Iterator[SafeFile]:
    """Yield the plain files below `root`; everything else is passed over and named to `refused` (path, reason).

    Raises
    ------
    UnsafeFile
        On more than `max_files` entries (folders count), or plain files larger than `max_bytes` together, by their
        apparent size: a hole is read as zeros by whoever copies it.
    """
    total = 0
    for relpath, _, _, found in tree.walk(str(root), max_entries=max_files):
        if stat.S_ISDIR(found.st_mode):
            continue
        try:
            _refuse(relpath, found)
        except UnsafeFile as error:
            if refused:
                refused(relpath, str(error))
            continue
        total += found.st_size
        if total > max_bytes:
            raise UnsafeFile(f"the files are larger than {max_bytes} bytes together")
        yield SafeFile(relpath=relpath, bytes=found.st_size, modified_at=found.st_mtime)


def hand_over(path: Path, uid: int, *, gid: int | None = None, max_entries: int = 1_000_000) -> None:
    """Make `uid` the owner of `path` and of everything below; links themselves change owner, never what they point to.

    Does nothing when we are not root: there all files are ours. Before a run, give it its out folder; after it, take
    the folder back (uid 0) before its uid is released.
    """
    if os.geteuid() != 0:
        return
    gid = uid if gid is None else gid
    os.chown(path, uid, gid, follow_symlinks=False)
    if not stat.S_ISDIR(path.lstat().st_mode):
        return
    for _, folder, name, _ in tree.walk(str(path), max_entries=max_entries):
        with contextlib.suppress(FileNotFoundError):
            os.chown(name, uid, gid, dir_fd=folder, follow_symlinks=False)


def _parts(relpath: str) -> list[str]:
    path = PurePosixPath(relpath)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in relpath:
        raise UnsafeFile(f"not a path below the folder: {relpath!r}")
    return list(path.parts)


def _refuse(relpath: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFile(f"{relpath}: is a {_kind(found.st_mode)}, not a plain file")
    if found.st_nlink != 1:
        raise UnsafeFile(f"{relpath}: has {found.st_nlink} hard links")


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "symbolic link",
        stat.S_IFDIR: "folder",
        stat.S_IFIFO: "FIFO",
        stat.S_IFSOCK: "socket",
        stat.S_IFCHR: "device",
        stat.S_IFBLK: "device",
    }
    return kinds.get(stat.S_IFMT(mode), "strange thing")
