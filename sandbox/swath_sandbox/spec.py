"""What is to be sandboxed, said once: the same description becomes a `bwrap` call, a Lab server or a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from swath_sandbox.cgroups import Limits

MIB = 1 << 20
#: A bind keeps its own path, or is (host path, path inside).
BindLike = Path | tuple[Path, Path]
_RESERVED_TARGETS = frozenset({"/", "/proc", "/dev", "/etc", "/sys", "/usr", "/bin", "/lib", "/lib64", "/sbin", "/tmp"})  # noqa: S108 - a path inside
_PERILOUS_VARIABLES = frozenset({"GLIBC_TUNABLES", "BASH_ENV", "ENV"})


class Allow(StrEnum):
    """What an operator may give up in so many words. Without it a start refuses when the machine lacks the means."""

    NO_BWRAP = "no-bwrap"
    NO_CGROUPS = "no-cgroups"

    @property
    def lost(self) -> str:
        """What no longer holds when this is given up."""
        return _LOST[self]


_LOST = {
    Allow.NO_BWRAP: (
        "without bubblewrap sandboxed code sees the host's files, processes, network and loopback services with the "
        "rights of the user it runs as, and may leave processes behind"
    ),
    Allow.NO_CGROUPS: (
        "without control groups nothing bounds memory, CPU and the number of processes: one run can bring the machine "
        "down, and its use of CPU and memory is not measured"
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """One sandboxed command.

    Parameters
    ----------
    argv
        The command and its arguments, paths as seen inside.
    ro_binds, rw_binds
        Files and folders to show, each a `Path` (same path inside) or a pair (host path, path inside). `/usr`, a few
        files of `/etc`, `/proc`, `/dev` and an empty `/tmp` are always there, and nothing else.
    env
        The whole environment inside. Hand it to the process as its environment: it is not part of `command(spec)`, for
        other users of the host can read a process's arguments.
    network
        Share the host's network. False: an own one with nothing but loopback.
    uid
        User and group id inside. Needed when we are root; when not, the caller's own id is used.
    home
        Created inside when it lies below /tmp and no bind provides it.
    bare_paths
        Further pairs (path inside → host path) for a run without bubblewrap; the binds are always among them.
    """

    argv: Sequence[str]
    ro_binds: Sequence[BindLike] = ()
    rw_binds: Sequence[BindLike] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    uid: int | None = None
    user: str = "swath"
    home: str = "/tmp/home"  # noqa: S108 - a path inside the sandbox's own tmpfs
    cwd: str = "/tmp"  # noqa: S108
    hostname: str = "swath"
    tmp_bytes: int = 1024 * MIB
    shm_bytes: int = 256 * MIB
    bare_paths: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what could never start, or would undo the sandbox."""
        if not self.argv or any("\0" in word for word in self.argv):
            raise ValueError("argv needs at least a command, and no NUL in it")
        for name, value in self.env.items():
            if not name or "=" in name or "\0" in name + value:
                raise ValueError(f"not an environment variable: {name!r}")
            if name.startswith("LD_") or name in _PERILOUS_VARIABLES:
                # bwrap and setpriv start with this environment while they still hold rights.
                raise ValueError(f"the environment variable {name} would act on the sandbox's own tools; set it inside")
        for source, target in self.binds():
            inside = PurePosixPath(target)
            if not inside.is_absolute() or ".." in inside.parts or str(inside) in _RESERVED_TARGETS:
                raise ValueError(f"nothing can be bound at {target} inside a sandbox")
            if not source.is_absolute():
                raise ValueError(f"the host path {source} of a bind is not absolute")
        if os.geteuid() == 0 and (self.uid is None or not 0 < self.uid < 2**31):
            raise ValueError("started by root a sandbox needs the uid to drop to (see UidRegistry)")
        if not PurePosixPath(self.cwd).is_absolute() or not PurePosixPath(self.home).is_absolute():
            raise ValueError("cwd and home are absolute paths inside the sandbox")
        if not self.user.isidentifier() or not self.user.isascii() or not self.hostname.replace("-", "").isalnum():
            raise ValueError(f"not a name for a user or a host: {self.user!r} {self.hostname!r}")

    def binds(self) -> list[tuple[Path, Path]]:
        """All binds as pairs (host path, path inside), read-only ones first."""
        return [pair(bind) for bind in (*self.ro_binds, *self.rw_binds)]

    @property
    def inner_uid(self) -> int:
        """The uid that the command has inside."""
        return self.uid if self.uid is not None and os.geteuid() == 0 else os.geteuid()


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A sandboxed command under a warden.

    Parameters
    ----------
    group
        Name of its control group, unique on this machine.
    wall_seconds
        Killed after this long, reason ``time-limit``.
    grace_seconds
        On a stop or the time limit, SIGTERM to the command and this long to end before everything is killed.
    disk_bytes, disk_paths
        Cap on what the files below `disk_paths` take together, reason ``disk-limit``. Also the largest single file.
    watch
        Of a folder inside, which files are opened is recorded in WARDEN_DIR/served.jsonl, where that is possible.
    log_bytes
        Of the command's stdout and stderr this much is kept in WARDEN_DIR/stderr.log; the rest is read and dropped.
    allow
        What the operator gave up explicitly.
    """

    sandbox: Sandbox
    group: str
    limits: Limits
    wall_seconds: float | None = None
    grace_seconds: float = 0.0
    disk_bytes: int | None = None
    disk_paths: Sequence[Path] = ()
    disk_files: int = 200_000
    log_bytes: int = 4 * MIB
    open_files: int = 4096
    watch: str | None = None
    allow: frozenset[Allow] = frozenset()


def pair(bind: BindLike) -> tuple[Path, Path]:
    """Return (host path, path inside) of a bind."""
    return (bind, bind) if isinstance(bind, Path) else bind
