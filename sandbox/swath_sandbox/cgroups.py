"""Control groups, v1 and v2: limits on memory, processes and CPU that a fork bomb cannot leave.

Groups are made below the group this process is in (v1, delegated v2) or below its nearest writable ancestor, so that
limits above that go on holding. Kept free of heavy imports: the shim that guards every run loads this module.
"""

from __future__ import annotations

import os
import signal
import time

from swath_sandbox.errors import CgroupsUnavailable, GroupBusy
from swath_sandbox.hierarchies import PREFIX, Hierarchy, find_hierarchy, mounts, read, write

_CPU_PERIOD_US = 100_000
_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


class Limits:
    """What the processes of one group may take together.

    Parameters
    ----------
    memory_bytes
        Memory including page cache and tmpfs files; swap is not given on top.
    pids
        Processes and threads.
    cpus
        CPU-seconds per second, e.g. 0.5 or 2.
    """

    __slots__ = ("cpus", "memory_bytes", "pids")

    def __init__(self, *, memory_bytes: int, pids: int, cpus: float) -> None:
        if memory_bytes < 1 << 20 or pids < 1 or not 0.01 <= cpus <= 4096:
            raise ValueError(f"limits out of range: memory_bytes={memory_bytes} pids={pids} cpus={cpus}")
        self.memory_bytes = int(memory_bytes)
        self.pids = int(pids)
        self.cpus = float(cpus)

    def as_dict(self) -> dict[str, float]:
        """Return JSON values."""
        return {"memory_bytes": self.memory_bytes, "pids": self.pids, "cpus": self.cpus}


class Usage:
    """What a group has taken so far; zero where the kernel does not tell."""

    __slots__ = ("cpu_seconds", "oom_kills", "peak_memory_bytes")

    def __init__(self, *, cpu_seconds: float, peak_memory_bytes: int, oom_kills: int) -> None:
        self.cpu_seconds = cpu_seconds
        self.peak_memory_bytes = peak_memory_bytes
        self.oom_kills = oom_kills


class Group:
    """One control group. Every method may be repeated; after `remove` all are no-ops."""

    __slots__ = ("folders", "missing", "name", "version")

    def __init__(self, *, name: str, version: int, folders: dict[str, str]) -> None:
        self.name = name
        self.version = version
        self.folders = folders
        self.missing = tuple(c for c in ("memory", "pids", "cpu") if c not in folders)

    def as_dict(self) -> dict[str, object]:
        """Return JSON values from which `from_dict` finds the group again, also after a restart elsewhere."""
        return {"name": self.name, "version": self.version, "folders": self.folders}

    @classmethod
    def from_dict(cls, record: dict[str, object]) -> Group:
        """Rebuild from `as_dict`; refuses folders that no `open_group` made."""
        folders = record["folders"]
        name, version = record["name"], record["version"]
        if not (isinstance(folders, dict) and isinstance(name, str) and version in (1, 2)):
            raise ValueError("not a record of a control group")
        if any(os.path.basename(str(folder)) != PREFIX + name for folder in folders.values()):
            raise ValueError("not a record of a control group of ours")
        return cls(name=name, version=2 if version == 2 else 1, folders={str(k): str(v) for k, v in folders.items()})

    def add(self, pid: int) -> None:
        """Move process `pid` in; 0 is the caller. Only what it does from now on counts."""
        for folder in self._folders():
            write(folder, "cgroup.procs", str(pid))

    def exists(self) -> bool:
        """Whether the group is there now."""
        return all(os.path.isdir(folder) for folder in self._folders())

    def pids(self) -> set[int]:
        """Return the live processes of the group and of groups made below it."""
        found: set[int] = set()
        for folder in self._folders():
            for path, _, _ in os.walk(folder):
                found.update(int(word) for word in read(path, "cgroup.procs").split())
        found.discard(0)
        return found

    def usage(self) -> Usage:
        """Read CPU time, the peak of memory, and how often the kernel killed for memory."""
        return _usage_v2(self.folders["memory"]) if self.version == 2 else _usage_v1(self.folders)

    def kill_all(self, timeout_seconds: float = 10.0) -> bool:
        """SIGKILL everything in the group until it is empty; whether it is."""
        # No new process may appear while we kill: a fork bomb otherwise races the loop.
        write(self.folders.get("pids", ""), "pids.max", "0", quiet=True)
        if self.version == 2:
            write(self.folders["memory"], "cgroup.kill", "1", quiet=True)
        deadline = time.monotonic() + timeout_seconds
        while True:
            pids = self.pids()
            if not pids:
                return True
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)

    def remove(self, timeout_seconds: float = 5.0) -> bool:
        """Delete the empty group; whether nothing of it is left. Processes in it keep it alive: `kill_all` first."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            left = [folder for folder in self._folders() if not _remove_tree(folder)]
            if not left:
                return True
            if time.monotonic() > deadline or self.pids():
                return False
            time.sleep(0.005)

    def _folders(self) -> list[str]:
        return sorted(set(self.folders.values()))


def open_group(name: str, limits: Limits, *, hierarchy: Hierarchy | None = None) -> Group:
    """Make the group `name` afresh with `limits`.

    Raises
    ------
    CgroupsUnavailable
        When no hierarchy can be written.
    GroupBusy
        When a group of that name exists and processes live in it; nothing is adopted.
    """
    _check_name(name)
    place = hierarchy or find_hierarchy()
    group = group_at(name, place)
    if group.pids():
        raise GroupBusy(f"the control group {name!r} exists and has processes in it; remove it first")
    if not group.remove():
        raise GroupBusy(f"the control group {name!r} exists and cannot be removed")
    try:
        for folder in sorted(set(group.folders.values())):
            os.mkdir(folder)
        (_limit_v2 if place.version == 2 else _limit_v1)(group, limits)
    except OSError as error:
        group.remove(timeout_seconds=0)
        raise CgroupsUnavailable(f"the control group {name!r} cannot be made: {error}") from error
    return group


def remove_group(name: str, *, proc_self: str = "/proc/self") -> bool:
    """Kill whatever is in the group `name` and delete it; True when nothing is left, also when it never was.

    It is looked for in the whole hierarchy: who made it may have stood in another group than we do, before a restart.
    """
    _check_name(name)
    done = True
    for kind, _, mount_point, options in mounts(proc_self):
        for path, folders, _ in os.walk(mount_point):
            if f"{PREFIX}{name}" in folders:
                controller = "memory" if kind == "cgroup2" else options
                found = {controller: f"{path}/{PREFIX}{name}"}
                group = Group(name=name, version=2 if kind == "cgroup2" else 1, folders=found)
                done = group.kill_all() and group.remove() and done
    return done


def group_name(*parts: str) -> str:
    """Make a name for a group from any texts, e.g. ``group_name("lab", str(data_folder), user)``.

    Different parts never give the same name: two installations beside each other must not meet in a group.
    """
    import hashlib

    shown = "-".join("".join(c for c in os.path.basename(part) if c in _NAME_LETTERS)[:24] for part in parts)
    digest = hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]
    return f"{shown[:80]}-{digest}".lstrip("-.")


def group_at(name: str, place: Hierarchy) -> Group:
    _check_name(name)
    folders = {controller: f"{parent}/{PREFIX}{name}" for controller, parent in place.parents.items()}
    return Group(name=name, version=place.version, folders=folders)


def _check_name(name: str) -> None:
    if not 0 < len(name) <= 120 or not set(name) <= _NAME_LETTERS or name.startswith("."):
        raise ValueError(f"not a name for a control group: {name!r}")


def _limit_v1(group: Group, limits: Limits) -> None:
    memory = group.folders["memory"]
    write(memory, "memory.limit_in_bytes", str(limits.memory_bytes))
    # Absent without swap accounting; then swap is not limited apart from memory.
    write(memory, "memory.memsw.limit_in_bytes", str(limits.memory_bytes), quiet=True)
    write(group.folders["pids"], "pids.max", str(limits.pids))
    if "cpu" in group.folders:
        write(group.folders["cpu"], "cpu.cfs_period_us", str(_CPU_PERIOD_US))
        write(group.folders["cpu"], "cpu.cfs_quota_us", str(max(1000, round(limits.cpus * _CPU_PERIOD_US))))


def _limit_v2(group: Group, limits: Limits) -> None:
    folder = group.folders["memory"]
    write(folder, "memory.max", str(limits.memory_bytes))
    write(folder, "memory.swap.max", "0", quiet=True)
    # Kill the whole group: half a run after an out-of-memory kill tells lies.
    write(folder, "memory.oom.group", "1", quiet=True)
    write(folder, "pids.max", str(limits.pids))
    if "cpu" in group.folders:
        write(folder, "cpu.max", f"{max(1000, round(limits.cpus * _CPU_PERIOD_US))} {_CPU_PERIOD_US}")


def _usage_v1(folders: dict[str, str]) -> Usage:
    memory = folders["memory"]
    return Usage(
        cpu_seconds=_number(read(folders.get("cpuacct", ""), "cpuacct.usage")) / 1e9,
        peak_memory_bytes=_number(read(memory, "memory.max_usage_in_bytes")),
        oom_kills=_field(read(memory, "memory.oom_control"), "oom_kill"),
    )


def _usage_v2(folder: str) -> Usage:
    return Usage(
        cpu_seconds=_field(read(folder, "cpu.stat"), "usage_usec") / 1e6,
        peak_memory_bytes=_number(read(folder, "memory.peak") or read(folder, "memory.current")),
        oom_kills=_field(read(folder, "memory.events"), "oom_kill"),
    )


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0


def _field(text: str, name: str) -> int:
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name:
            return int(words[1])
    return 0


def _remove_tree(folder: str) -> bool:
    """Remove the group and groups a process made below it; whether it is gone."""
    try:
        for path, _, _ in os.walk(folder, topdown=False):
            os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
