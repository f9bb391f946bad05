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
#: Uids in the block that one registry has for itself.
COUNT = 65_536
_BLOCKS = 1_000
#: Which registry has which block, for all installations on this machine.
MACHINE = Path("/var/lib/swath-sandbox/uid-blocks.json")
_KEY = re.compile(r"(run|user|worker):[^\x00-\x1f]{1,200}")


class UidRegistry:
    """Allocations in one JSON file, changed under a lock; any number of processes may use it.

    Every registry gets a block of uids of its own, so that two installations on one machine never meet. Only means
    something when we are root, for nobody else can give processes another uid; it is harmless otherwise.

    Parameters
    ----------
    path
        The file; its folder is made, 0700.
    machine
        File in which root notes whose block is whose. A block whose registry is gone is given out again.
    first, count
        The range begins above what useradd and /etc/subuid hand out on a usual machine.
    """

    def __init__(self, path: Path, *, machine: Path | None = None, first: int = FIRST, count: int = COUNT) -> None:
        if first < 1000 or count < 1 or first + count * _BLOCKS >= 2**31:
            raise ValueError(f"not a range for uids: {first} + {count}")
        self._path = path.absolute()
        self._machine = machine or (MACHINE if os.geteuid() == 0 else self._path.with_suffix(".blocks"))
        self._first, self._count = first, count

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
        if "block" not in book:
            book["block"] = self._claim_block()
        first, offset = self._first + int(book["block"]) * self._count, int(book["next"])
        while first + offset % self._count in taken:
            offset += 1
        book["next"] = (offset + 1) % self._count
        return first + offset % self._count

    def _claim_block(self) -> int:
        # There before it is noted, or another registry would take the block of one that seems gone.
        self._path.touch(mode=0o600)
        with _book(self._machine, {}) as blocks:
            for number in range(_BLOCKS):
                owner = blocks.get(str(number))
                # Our own name without a registry behind it: its folder was deleted and made again.
                if owner is None or owner == str(self._path) or not Path(owner).exists():
                    blocks[str(number)] = str(self._path)
                    return number
        raise SandboxError(f"all {_BLOCKS} blocks of uids on this machine are taken")

    def _locked(self) -> contextlib.AbstractContextManager[dict[str, Any]]:
        return _book(self._path, {"uids": {}, "next": 0})


@contextlib.contextmanager
def _book(path: Path, empty: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the contents of a JSON file under an exclusive lock; changes are written when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The whole name, so that files which differ in their suffix alone do not wait for each other.
    with open(path.with_name(f"{path.name}.lock"), "a", opener=_private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = ""
        book = json.loads(text) if text else empty
        yield book
        changed = json.dumps(book, sort_keys=True)
        if changed != text:
            fresh = path.with_suffix(".fresh")
            with open(fresh, "w", encoding="utf-8", opener=_private) as stream:
                stream.write(changed)
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
