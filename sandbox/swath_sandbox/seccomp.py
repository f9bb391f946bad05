"""A system-call filter for what namespaces and dropped rights leave open.

Without it sandboxed code could search the host's kernel keyrings, talk to the hypervisor over vsock (network namespaces
do not part it), and make user namespaces to reach parts of the kernel that only root sees otherwise. Everything else is
allowed: this is a fence around the kernel's odd corners, in the manner of Flatpak's, not a list of what is permitted.
"""

from __future__ import annotations

import functools
import platform
import struct

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97
_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _ARG0, _ARG1 = 0, 4, 16, 24
_NEW_NAMESPACE = 0x7E020000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
#: AF_UNIX, AF_INET, AF_INET6, AF_NETLINK.
_FAMILIES = (1, 2, 10, 16)
_X32 = 0x40000000

#: Numbers since Linux 5.1 are the same everywhere.
_DENIED_EVERYWHERE = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
}
_CLONE3 = 435
_DENIED = {
    "x86_64": {
        "syslog": 103, "uselib": 134, "personality": 135, "pivot_root": 155, "adjtimex": 159, "chroot": 161,
        "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot":
        169, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179,
        "clock_settime": 227, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
        "perf_event_open": 298, "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305,
        "setns": 308, "finit_module": 313, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
    },
    "aarch64": {
        "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "quotactl": 60, "acct": 89, "personality":
        92, "kexec_load": 104, "init_module": 105, "delete_module": 106, "clock_settime": 112, "syslog": 116,
        "reboot": 142, "settimeofday": 170, "adjtimex": 171, "add_key": 217, "request_key": 218, "keyctl": 219,
        "swapon": 224, "swapoff": 225, "perf_event_open": 241, "name_to_handle_at": 264, "open_by_handle_at":
        265, "clock_adjtime": 266, "setns": 268, "finit_module": 273, "bpf": 280, "userfaultfd": 282,
        "kexec_file_load": 294,
    },
}  # fmt: skip
#: (AUDIT_ARCH_*, clone, unshare, socket, ioctl)
_NUMBERS = {"x86_64": (0xC000003E, 56, 272, 41, 16), "aarch64": (0xC00000B7, 220, 97, 198, 29)}


def supported(machine: str | None = None) -> bool:
    """Whether there is a filter for this kind of processor."""
    return (machine or platform.machine()) in _NUMBERS


@functools.cache
def program(machine: str) -> bytes:
    """Return the filter as ``struct sock_filter[]``, as bwrap's ``--seccomp`` wants it."""
    arch, clone, unshare, socket, ioctl = _NUMBERS[machine]
    denied = sorted({**_DENIED[machine], **_DENIED_EVERYWHERE}.values())
    lines = [_line(_LD, _ARCH), _line(_JEQ, arch, 1, 0), _line(_RET, _KILL_PROCESS), _line(_LD, _NR)]
    if machine == "x86_64":
        # The x32 ABI would bring every call again under another number.
        lines += [_line(_JGE, _X32, 0, 1), _line(_RET, _ERRNO | _ENOSYS)]
    # Its flags lie in memory that a filter cannot read; libc falls back to clone.
    lines += [_line(_JEQ, _CLONE3, 0, 1), _line(_RET, _ERRNO | _ENOSYS)]
    for number in denied:
        lines += [_line(_JEQ, number, 0, 1), _line(_RET, _ERRNO | _EPERM)]
    for number in (clone, unshare):
        flagged = [_line(_LD, _ARG0), _line(_JSET, _NEW_NAMESPACE, 0, 1), _line(_RET, _ERRNO | _EPERM)]
        lines += _when(number, [*flagged, _line(_RET, _ALLOW)])
    known = [_line(_JEQ, family, len(_FAMILIES) - index, 0) for index, family in enumerate(_FAMILIES)]
    lines += _when(socket, [_line(_LD, _ARG0), *known, _line(_RET, _ERRNO | _EAFNOSUPPORT), _line(_RET, _ALLOW)])
    injects = [_line(_JEQ, _TIOCSTI, 1, 0), _line(_JEQ, _TIOCLINUX, 0, 1), _line(_RET, _ERRNO | _EPERM)]
    lines += _when(ioctl, [_line(_LD, _ARG1), *injects, _line(_RET, _ALLOW)])
    return b"".join([*lines, _line(_RET, _ALLOW)])


def _when(number: int, body: list[bytes]) -> list[bytes]:
    return [_line(_JEQ, number, 0, len(body)), *body]


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
