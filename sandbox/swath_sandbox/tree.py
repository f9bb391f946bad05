"""Walking what untrusted code wrote without ever following a link, through directory descriptors.

Kept free of heavy imports: the shim that guards every run loads this module.
"""

from __future__ import annotations

import os
import stat

from swath_sandbox.errors import UnsafeFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_DEPTH = 64
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def walk(root: str, *, max_entries: int) -> Iterator[tuple[str, int, str, os.stat_result]]:
    """Yield (path relative to root, descriptor of its folder, name, lstat) of everything below `root`, folders first.

    The descriptor is valid until the next step. What vanishes meanwhile is passed over.

    Raises
    ------
    UnsafeFile
        On more than `max_entries` entries or folders nested deeper than `MAX_DEPTH`.
    OSError
        When `root` itself is no folder that can be read.
    """
    for count, row in enumerate(_walk(os.open(root, _OPEN_FOLDER), "", 1), start=1):
        if count > max_entries:
            raise UnsafeFile(f"more than {max_entries} files and folders")
        yield row


def _walk(fd: int, prefix: str, depth: int) -> Iterator[tuple[str, int, str, os.stat_result]]:
    try:
        if depth > MAX_DEPTH:
            raise UnsafeFile(f"folders nested deeper than {MAX_DEPTH}")
        with os.scandir(fd) as entries:
            for entry in entries:
                name = entry.name
                try:
                    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield prefix + name, fd, name, found
                if stat.S_ISDIR(found.st_mode):
                    try:
                        inner = os.open(name, _OPEN_FOLDER, dir_fd=fd)
                    except OSError:
                        # Vanished, replaced by a link meanwhile, or not ours to read.
                        continue
                    yield from _walk(inner, f"{prefix}{name}/", depth + 1)
    finally:
        os.close(fd)


def disk_usage(roots: Iterable[str], *, max_entries: int) -> int:
    """Bytes that files below `roots` take on disk; holes take none, a hard-linked file counts once."""
    total, seen = 0, set()
    for root in roots:
        for _, _, _, found in walk(root, max_entries=max_entries):
            if found.st_nlink > 1 and not stat.S_ISDIR(found.st_mode):
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
            total += found.st_blocks * 512
    return total


def unlinked_usage(pids: Iterable[int], devices: Iterable[int]) -> int:
    """Bytes of files on `devices` that processes hold open after deleting them: no folder shows these."""
    wanted, total, seen = set(devices), 0, set()
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                found = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            key = (found.st_dev, found.st_ino)
            if found.st_nlink == 0 and stat.S_ISREG(found.st_mode) and found.st_dev in wanted and key not in seen:
                seen.add(key)
                total += found.st_blocks * 512
    return total
