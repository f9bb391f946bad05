"""Which files of a folder a sandboxed command opened, recorded from outside, where the command cannot reach.

A sandbox sees the folder through a mount of its own. That mount is watched, from before the command's first instruction
until its last process is gone; so what is seen was opened inside that sandbox, by whatever process and whatever call,
and whatever is opened on other ways by others is not seen. The record says itself whether it is whole.

Lines of ``served.jsonl``: first ``{"watching": folder}`` or ``{"unwatched": why}``, then one for each file, then
``{"ended": true}``. Without the last the watcher was killed: what stands there is true, and something may be missing.
"""

from __future__ import annotations

import json
import os
import select

from swath_sandbox.claims import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from swath_sandbox.fanotify import Fanotify

NAME = "served.jsonl"
#: What a folder is opened for is known long before; the rest would only fill the disk.
MOST_FILES = 50_000
_DELETED = " (deleted)"
#: What the kernel writes for what would break a line of mountinfo; the backslash last.
_ESCAPES = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


class Watch:
    """The watch of one folder. Nothing that goes wrong with it is ever raised: it is recorded, and the watch is over.

    Parameters
    ----------
    folder
        Where the record is written.
    inside
        The folder to watch, as the sandbox sees it.
    """

    def __init__(self, folder: str, inside: str) -> None:
        self._inside = inside
        self._seen: set[tuple[int, ...]] = set()
        self._group: Fanotify | None = None
        self._record = self._namespace = -1
        try:
            self._record = os.open(f"{folder}/{NAME}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            from swath_sandbox.fanotify import Fanotify

            self._group = Fanotify()
        except (OSError, ImportError) as error:
            self._say({"unwatched": str(error)})

    @property
    def fd(self) -> int | None:
        """Readable when `take` has something to do; ``None`` when the watch is over."""
        return self._group.fd if self._group else None

    def begin(self, pid: int) -> None:
        """Watch the mounts that the process `pid`, in the sandbox, has at the folder."""
        if self._group is None:
            return
        try:
            # Held: without the namespace its mounts are taken apart, and what is left to be told has no path any more.
            self._namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            for mount in _mounts(pid, self._inside):
                self._group.watch_mount(f"/proc/{pid}/root{mount}")
            self._say({"watching": self._inside, "at": now()})
        except (OSError, ValueError) as error:
            self._give_up({"unwatched": str(error)})

    def take(self) -> None:
        """Record what was opened since; does not wait."""
        if self._group is None:
            return
        try:
            lines: list[dict[str, object]] = []
            for descriptor in self._group.opened():
                line = None if descriptor is None else self._look(descriptor)
                if line:
                    lines.append(line)
                elif descriptor is None:
                    lines.append({"lost": True})
            self._say(*lines)
            if len(self._seen) >= MOST_FILES:
                self._give_up({"truncated": MOST_FILES})
        except (OSError, ValueError) as error:
            self._give_up({"lost": True, "why": str(error)})

    def end(self) -> None:
        """Record what is left. Only when no process of the sandbox is there any more."""
        while self._waiting():
            self.take()
        if self._group is not None:
            self._give_up({"ended": True, "at": now()})
        for descriptor in (self._record, self._namespace):
            if descriptor >= 0:
                os.close(descriptor)

    def _waiting(self) -> bool:
        if self._group is None:
            return False
        # Not select(): that takes no descriptor above 1,023.
        ready = select.poll()
        ready.register(self._group.fd, select.POLLIN)
        return bool(ready.poll(0))

    def _look(self, descriptor: int) -> dict[str, object] | None:
        assert self._group is not None
        found = os.fstat(descriptor)
        key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        self._group.ignore(descriptor)
        if key in self._seen:
            return None
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        if found.st_nlink == 0:
            path = path.removesuffix(_DELETED)
        if not path.startswith(f"{self._inside}/"):
            return {"lost": True, "why": f"a file of another place: {path}"}
        self._seen.add(key)
        return {
            "path": path[len(self._inside) + 1 :],
            "device": found.st_dev,
            "inode": found.st_ino,
            "bytes": found.st_size,
            "modified_ns": found.st_mtime_ns,
            "changed_ns": found.st_ctime_ns,
            "at": now(),
        }

    def _give_up(self, last: dict[str, object]) -> None:
        if self._group is not None:
            self._group.close()
            self._group = None
        self._say(last)

    def _say(self, *lines: dict[str, object]) -> None:
        if not lines or self._record < 0:
            return
        try:
            os.write(self._record, "".join(json.dumps(line) + "\n" for line in lines).encode())
        except OSError:
            # A full disk. What is written ends without a last line, and so says that something may be missing.
            os.close(self._record)
            self._record = -1


def _mounts(pid: int, inside: str) -> list[str]:
    """The mount points at and below a folder, as the process sees them: a folder may be put together of several."""
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
        points = [line.split(" ")[4] for line in stream]
    for written, meant in _ESCAPES:
        points = [point.replace(written, meant) for point in points]
    found = [point for point in points if point == inside or point.startswith(f"{inside}/")]
    if inside not in found:
        raise ValueError(f"the sandbox has no mount at {inside}")
    return found
