"""User ids for sandboxed code: no two runs, and no run and user, ever have one at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swath_sandbox.errors import SandboxError

FIRST = 2_000_000
COUNT = 1_000_000
_KEY = re.compile(r"(run|user|worker):[^\x00-\x1f]{1,200}")


class UidRegistry:
    """Allocations in one JSON file, changed under a lock; any number of processes may use it.

    Only means something when we are root, for nobody else can give processes another uid; it is harmless otherwise.

    Parameters
    ----------
    path
        The file; its folder is made, 0700.
    first, count
        The range. It begins above what useradd and /etc/subuid hand out on a usual machine.
    """

    def __init__(self, path: Path, *, first: int = FIRST, count: int = COUNT) -> None:
        if first < 1000 or count < 1 or first + count >= 2**31:
            raise ValueError(f"not a range for uids: {first} + {count}")
        self._path, self._first, self._count = path, first, count

    def uid_for(self, key: str) -> int:
        """Return the uid of ``run:<id>``, ``user:<name>`` or ``worker:<name>``; the same until released. Idempotent."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key for a uid: {key!r}")
        with self._locked() as book:
            uids: dict[str, int] = book["uids"]
            if key not in uids:
                uids[key] = self._free(book)
            return uids[key]

    def release(self, key: str) -> None:
        """Give the uid of `key` back. Idempotent.

        Hand its files over to another uid first (`hand_over`): this one will be somebody else's.
        """
        with self._locked() as book:
            book["uids"].pop(key, None)

    def held(self) -> dict[str, int]:
        """Every allocation, for a sweep after a crash."""
        with self._locked() as book:
            return dict(book["uids"])

    def _free(self, book: dict[str, Any]) -> int:
        """Next in turn, so that a released uid rests as long as possible."""
        taken = set(book["uids"].values())
        if len(taken) >= self._count:
            raise SandboxError(f"all {self._count} uids for sandboxes are taken")
        offset = int(book["next"])
        while self._first + offset % self._count in taken:
            offset += 1
        book["next"] = (offset + 1) % self._count
        return self._first + offset % self._count

    @contextlib.contextmanager
    def _locked(self) -> Iterator[dict[str, Any]]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self._path.with_suffix(".lock"), "a", opener=lambda path, flags: os.open(path, flags, 0o600)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                text = self._path.read_text(encoding="utf-8")
            except FileNotFoundError:
                text = '{"uids": {}, "next": 0}'
            book = json.loads(text)
            yield book
            changed = json.dumps(book, sort_keys=True)
            if changed != text:
                fresh = self._path.with_suffix(".fresh")
                with open(fresh, "w", encoding="utf-8", opener=lambda p, flags: os.open(p, flags, 0o600)) as stream:
                    stream.write(changed)
                    stream.flush()
                    os.fsync(stream.fileno())
                fresh.replace(self._path)
