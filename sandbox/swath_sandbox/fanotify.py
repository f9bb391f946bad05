"""The kernel's notice of files that are opened, as much of fanotify(7) as the watch of a sandbox's mounts needs.

Kept free of heavy imports but for ctypes, which is loaded by whoever needs this module alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# linux/fanotify.h
_CLOEXEC, _NONBLOCK, _UNLIMITED_QUEUE, _UNLIMITED_MARKS = 0x1, 0x2, 0x10, 0x20
_MARK_ADD, _MARK_MOUNT, _MARK_IGNORED, _MARK_EVICTABLE = 0x1, 0x10, 0x20, 0x200
_OPEN, _OVERFLOW = 0x20, 0x4000
_EVENT = struct.Struct("=IBBHQii")
_AT_FDCWD = -100
_NO_DESCRIPTOR = -1
#: Each event opens a file of ours: few at a time, whatever waits.
_EVENTS_AT_ONCE = 128


class Fanotify:
    """A group that is told of opened files.

    Raises
    ------
    OSError
        The kernel does not have it, or we may not (it takes CAP_SYS_ADMIN).
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            init, self._mark = libc.fanotify_init, libc.fanotify_mark
        except AttributeError as error:
            raise OSError(errno.ENOSYS, "the C library has no fanotify") from error
        init.argtypes = [ctypes.c_uint, ctypes.c_uint]
        self._mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p]
        flags = _CLOEXEC | _NONBLOCK | _UNLIMITED_QUEUE | _UNLIMITED_MARKS
        self.fd = init(flags, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOATIME)
        if self.fd < 0:
            raise _error("fanotify_init")

    def watch_mount(self, path: str) -> None:
        """Tell of every file that is opened through the mount that `path` lies in, by whomever."""
        if self._mark(self.fd, _MARK_ADD | _MARK_MOUNT, _OPEN, _AT_FDCWD, os.fsencode(path)) != 0:
            raise _error("fanotify_mark")

    def ignore(self, descriptor: int) -> None:
        """Tell no more of the file open as `descriptor`, until it is modified. It costs its readers nothing then."""
        ignored = _MARK_ADD | _MARK_IGNORED
        for flags in (ignored | _MARK_EVICTABLE, ignored):
            if self._mark(self.fd, flags, _OPEN, descriptor, None) == 0:
                return

    def opened(self) -> Iterator[int | None]:
        """A descriptor for each file that was opened since, closed when the next is asked for; does not wait.

        ``None`` where the kernel had to leave some out, or could not open one for us.
        """
        try:
            data = os.read(self.fd, _EVENTS_AT_ONCE * _EVENT.size)
        except BlockingIOError:
            return
        found = []
        while len(data) >= _EVENT.size:
            length, _, _, _, mask, descriptor, _ = _EVENT.unpack_from(data)
            data = data[length:]
            found.append(None if mask & _OVERFLOW or descriptor == _NO_DESCRIPTOR else descriptor)
        try:
            while found:
                descriptor = found.pop(0)
                try:
                    yield descriptor
                finally:
                    _close(descriptor)
        finally:
            for left in found:
                _close(left)

    def close(self) -> None:
        """Watch no more."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _error(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}")
