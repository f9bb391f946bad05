"""The filter, run by a small interpreter of the kernel's instruction set."""

from __future__ import annotations

import struct

import pytest
from swath_sandbox import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS, EAFNOSUPPORT = 0x50001, 0x50026, 0x50061
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def verdict(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    data = struct.pack("=iIQ6Q", number, arch or ARCH[machine], 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    program = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))
    at, register = 0, 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        if code == 0x20:
            register = struct.unpack_from("=I", data, value)[0]
        elif code == 0x06:
            return int(value)
        else:
            holds = {0x15: register == value, 0x35: register >= value, 0x45: bool(register & value)}[code]
            at += if_true if holds else if_false


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_ends_for_every_number(machine: str) -> None:
    verdicts = {verdict(machine, number) for number in range(600)}
    assert verdicts <= {ALLOW, EPERM, ENOSYS, EAFNOSUPPORT}


@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        (0, (), ALLOW),  # read
        (59, (), ALLOW),  # execve
        (56, (0x003D0F00,), ALLOW),  # clone of a thread
        (56, (17,), ALLOW),  # fork
        (56, (0x10000000,), EPERM),  # clone with a user namespace
        (272, (0x10000000,), EPERM),  # unshare of one
        (272, (0x400,), ALLOW),  # unshare of the file table
        (435, (), ENOSYS),  # clone3
        (165, (), EPERM),  # mount
        (250, (), EPERM),  # keyctl
        (321, (), EPERM),  # bpf
        (425, (), EPERM),  # io_uring_setup
        (41, (1,), ALLOW),  # a UNIX socket
        (41, (2,), ALLOW),
        (41, (10,), ALLOW),
        (41, (16,), ALLOW),
        (41, (40,), EAFNOSUPPORT),  # vsock
        (41, (38,), EAFNOSUPPORT),  # the kernel's crypto
        (16, (0, 0x5401), ALLOW),  # TCGETS
        (16, (0, 0x5412), EPERM),  # TIOCSTI
        (16, (0, 0x1_0000_5412), EPERM),  # the kernel takes 32 bits of it
        (0x40000000 + 165, (), ENOSYS),  # mount by its x32 number
    ],
)
def test_verdicts(number: int, arguments: tuple[int, ...], expected: int) -> None:
    assert verdict("x86_64", number, *arguments) == expected


def test_foreign_architecture_is_killed() -> None:
    assert verdict("x86_64", 0, arch=0x40000003) == KILL
