"""Sandboxes for code that strangers wrote: bubblewrap, control groups, and a warden that outlives its launcher.

Standard library only. What the other rooms call (names load when used, so that the warden's process stays small):

Describe and start
    ``Sandbox(argv=…, ro_binds=…, rw_binds=…, env=…, network=False, uid=…, home=…, cwd=…, hostname=…)``
    ``command(spec) -> list[str]``: bwrap's arguments; start them with ``env=dict(spec.env)``.
    ``python_binds(python: Path) -> list[Path]``: what to bind read-only so that an interpreter works inside.
    ``Limits(memory_bytes=…, pids=…, cpus=…)``
Under a warden (runs)
    ``Job(sandbox=…, group=…, limits=…, wall_seconds=…, grace_seconds=…, disk_bytes=…, disk_paths=…, allow=…)``
    ``warden.prepare(folder, job)`` · ``warden.launch(folder) -> Handle``
    ``warden.find(folder) -> tuple[State, Handle | None]``
    ``warden.alive(handle)`` · ``warden.stop(handle)`` · ``warden.wait(folder, timeout_seconds=…) -> Exit | None``
    ``warden.usage(folder) -> Going | None``: cheap, of what runs
    ``warden.read_exit(folder) -> Exit | None`` · ``warden.reap(folder) -> bool``
Without a warden (Lab servers, Dask workers: the caller manages the process)
    ``[*enter_command(group, limits), *command(spec)]`` as arguments, then ``remove_group(group)`` when it has ended.
    ``group_name("lab", str(data_folder), user)`` makes names that are unique on the machine.
Users' ids and what they wrote
    ``UidRegistry(path).uid_for("run:…" | "user:…")`` · ``.release(key)``
    ``hand_over(path, uid)`` · ``safe_files(root, max_files=…, max_bytes=…)``
    ``open_nofollow(root, relpath)`` · ``read_small(root, relpath, max_bytes=…)``
The machine
    ``doctor() -> list[Check]`` · ``check_isolation(allow) -> Isolation``, which raises ``SandboxUnavailable``
"""

from __future__ import annotations

import importlib

#: What type checkers see as true; importing `typing` for it would double the start of every warden.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from swath_sandbox import warden as warden
    from swath_sandbox.bubblewrap import command as command
    from swath_sandbox.bubblewrap import enter_command as enter_command
    from swath_sandbox.cgroups import Group as Group
    from swath_sandbox.cgroups import Limits as Limits
    from swath_sandbox.cgroups import Usage as Usage
    from swath_sandbox.cgroups import group_name as group_name
    from swath_sandbox.cgroups import open_group as open_group
    from swath_sandbox.cgroups import remove_group as remove_group
    from swath_sandbox.checks import Check as Check
    from swath_sandbox.checks import Isolation as Isolation
    from swath_sandbox.checks import check_isolation as check_isolation
    from swath_sandbox.checks import doctor as doctor
    from swath_sandbox.errors import AlreadyStarted as AlreadyStarted
    from swath_sandbox.errors import CgroupsUnavailable as CgroupsUnavailable
    from swath_sandbox.errors import GroupBusy as GroupBusy
    from swath_sandbox.errors import SandboxError as SandboxError
    from swath_sandbox.errors import SandboxUnavailable as SandboxUnavailable
    from swath_sandbox.errors import UnsafeFile as UnsafeFile
    from swath_sandbox.files import hand_over as hand_over
    from swath_sandbox.files import open_nofollow as open_nofollow
    from swath_sandbox.files import read_small as read_small
    from swath_sandbox.files import safe_files as safe_files
    from swath_sandbox.pythons import python_binds as python_binds
    from swath_sandbox.spec import Allow as Allow
    from swath_sandbox.spec import Job as Job
    from swath_sandbox.spec import Sandbox as Sandbox
    from swath_sandbox.uids import UidRegistry as UidRegistry
    from swath_sandbox.warden import Exit as Exit
    from swath_sandbox.warden import Going as Going
    from swath_sandbox.warden import Handle as Handle
    from swath_sandbox.warden import Reason as Reason
    from swath_sandbox.warden import State as State

_HOMES = {
    "cgroups": ("Group", "Limits", "Usage", "group_name", "open_group", "remove_group"),
    "bubblewrap": ("command", "enter_command"),
    "checks": ("Check", "Isolation", "check_isolation", "doctor"),
    "errors": (
        "AlreadyStarted",
        "CgroupsUnavailable",
        "GroupBusy",
        "SandboxError",
        "SandboxUnavailable",
        "UnsafeFile",
    ),
    "files": ("hand_over", "open_nofollow", "read_small", "safe_files"),
    "pythons": ("python_binds",),
    "spec": ("Allow", "Job", "Sandbox"),
    "uids": ("UidRegistry",),
    "warden": ("Exit", "Going", "Handle", "Reason", "State"),
}
_WHERE = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name == "warden":
        return importlib.import_module("swath_sandbox.warden")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
