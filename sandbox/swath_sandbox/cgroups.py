"""Control groups, v1 and v2: limits on memory, processes and CPU that a fork bomb cannot leave.

Groups are made below the group this process is in (v1, delegated v2) or below its nearest writable ancestor, so that
limits above that go on holding. Kept free of heavy imports: the shim that guards every run loads this module.
"""

from __future__ import annotations

import os
import signal
import time

from swath_sandbox.errors import CgroupsUnavailable, GroupBusy

PREFIX = "swath-"
#: Without these two there is no group; a missing CPU controller is told through `Group.missing`.
REQUIRED = ("memory", "pids")
WANTED = ("memory", "pids", "cpu", "cpuacct")
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


class Hierarchy:
    """Where groups can be made: one parent folder per controller (v1), or one for all (v2)."""

    __slots__ = ("parents", "version")

    def __init__(self, *, version: int, parents: dict[str, str]) -> None:
        self.version = version
        self.parents = parents


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
            _write(folder, "cgroup.procs", str(pid))

    def pids(self) -> set[int]:
        """Return the live processes of the group and of groups made below it."""
        found: set[int] = set()
        for folder in self._folders():
            for path, _, _ in os.walk(folder):
                found.update(int(word) for word in _read(path, "cgroup.procs").split())
        found.discard(0)
        return found

    def usage(self) -> Usage:
        """Read CPU time, the peak of memory, and how often the kernel killed for memory."""
        return _usage_v2(self.folders["memory"]) if self.version == 2 else _usage_v1(self.folders)

    def kill_all(self, timeout_seconds: float = 10.0) -> bool:
        """SIGKILL everything in the group until it is empty; whether it is."""
        # No new process may appear while we kill: a fork bomb otherwise races the loop.
        _write(self.folders.get("pids", ""), "pids.max", "0", quiet=True)
        if self.version == 2:
            _write(self.folders["memory"], "cgroup.kill", "1", quiet=True)
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


def find_hierarchy(proc_self: str = "/proc/self") -> Hierarchy:
    """Find where this process may make groups.

    Raises
    ------
    CgroupsUnavailable
        With the reason for both versions and the mend.
    """
    mounts, own = _mounts(proc_self), _own_groups(proc_self)
    reasons: list[str] = []
    for attempt in (_find_v2, _find_v1):
        found = attempt(mounts, own)
        if isinstance(found, Hierarchy):
            return found
        reasons.append(found)
    raise CgroupsUnavailable(
        "no control group can be made here: " + "; ".join(reasons) + ". Mend: run as root, or start with "
        "`systemd-run --user --scope -p Delegate=yes -- swath up` on a machine with systemd and cgroup v2"
    )


def open_group(name: str, limits: Limits, *, hierarchy: Hierarchy | None = None) -> Group:
    """Make the group `name` afresh with `limits`.

    Raises
    ------
    CgroupsUnavailable
        When no hierarchy can be written.
    GroupBusy
        When a group of that name exists and processes live in it; nothing is adopted.
    """
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


def remove_group(name: str, *, hierarchy: Hierarchy | None = None) -> bool:
    """Kill whatever is in the group `name` and delete it; True when nothing is left, also when it never was."""
    group = group_at(name, hierarchy or find_hierarchy())
    return group.kill_all() and group.remove()


def group_at(name: str, place: Hierarchy) -> Group:
    if not 0 < len(name) <= 120 or not set(name) <= _NAME_LETTERS or name.startswith("."):
        raise ValueError(f"not a name for a control group: {name!r}")
    folders = {controller: f"{parent}/{PREFIX}{name}" for controller, parent in place.parents.items()}
    return Group(name=name, version=place.version, folders=folders)


def _mounts(proc_self: str) -> list[tuple[str, str, str, str]]:
    """(filesystem type, root inside it, mount point, super options) of every mounted hierarchy."""
    rows: list[tuple[str, str, str, str]] = []
    for line in _read(proc_self, "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        left, right = before.split(), after.split()
        if right and right[0] in ("cgroup", "cgroup2"):
            rows.append((right[0], left[3], left[4], right[-1]))
    return rows


def _own_groups(proc_self: str) -> dict[str, str]:
    """Path of this process's group by controller; the empty name is v2."""
    groups: dict[str, str] = {}
    for line in _read(proc_self, "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _below(root: str, mount_point: str, path: str) -> str:
    """Folder of group `path` under a mount that shows the hierarchy from `root` on."""
    inner = path[len(root) :] if root != "/" and path.startswith(root) else path
    return (mount_point + "/" + inner.strip("/")).rstrip("/")


def _find_v2(mounts: list[tuple[str, str, str, str]], own: dict[str, str]) -> Hierarchy | str:
    rows = [row for row in mounts if row[0] == "cgroup2"]
    if not rows:
        return "cgroup v2 is not mounted"
    _, root, mount_point, _ = rows[0]
    folder = _below(root, mount_point, own.get("", "/"))
    offered = _read(folder, "cgroup.controllers").split() or _read(mount_point, "cgroup.controllers").split()
    if not set(REQUIRED) <= set(offered):
        return f"cgroup v2 at {mount_point} offers {' '.join(offered) or 'no controllers'} here, not memory and pids"
    own_folder = folder
    # A group that was delegated to us is the place meant for this; else any ancestor that shares out controllers
    # already; else (in a container, say) our own group, emptied.
    if _writable(own_folder) and _is_delegated(own_folder):
        _share_out(own_folder)
    while folder.startswith(mount_point):
        if _writable(folder) and _enabled(folder):
            return _v2_at(folder)
        folder = os.path.dirname(folder)
    if _writable(own_folder):
        _share_out(own_folder)
        if _enabled(own_folder):
            return _v2_at(own_folder)
    return "no cgroup v2 group that this user may write has the controllers memory and pids"


def _v2_at(folder: str) -> Hierarchy:
    names = set(_read(folder, "cgroup.subtree_control").split()) & {"memory", "pids", "cpu"}
    return Hierarchy(version=2, parents=dict.fromkeys(sorted(names), folder))


def _writable(folder: str) -> bool:
    files = (folder, f"{folder}/cgroup.procs", f"{folder}/cgroup.subtree_control")
    return all(os.access(path, os.W_OK) for path in files)


def _is_delegated(folder: str) -> bool:
    """Whether systemd marked the group with `Delegate=yes` (since version 251)."""
    for name in ("user.delegate", "trusted.delegate"):
        try:
            if os.getxattr(folder, name) == b"1":
                return True
        except OSError:
            continue
    return False


def _share_out(folder: str) -> None:
    """Empty our own group and enable the controllers for groups below it."""
    _leave(folder)
    for controller in ("memory", "pids", "cpu"):
        _write(folder, "cgroup.subtree_control", f"+{controller}", quiet=True)


def _enabled(folder: str) -> bool:
    return set(REQUIRED) <= set(_read(folder, "cgroup.subtree_control").split())


def _leave(folder: str) -> None:
    """Move the processes of our own delegated group into a leaf of it.

    A v2 group may have processes or share out controllers, never both.
    """
    leaf = f"{folder}/{PREFIX}services"
    try:
        os.makedirs(leaf, exist_ok=True)
    except OSError:
        return
    for pid in _read(folder, "cgroup.procs").split():
        _write(leaf, "cgroup.procs", pid, quiet=True)


def _find_v1(mounts: list[tuple[str, str, str, str]], own: dict[str, str]) -> Hierarchy | str:
    parents: dict[str, str] = {}
    for kind, root, mount_point, options in mounts:
        if kind != "cgroup":
            continue
        for controller in set(options.split(",")) & set(WANTED):
            folder = _below(root, mount_point, own.get(controller, "/"))
            if os.access(folder, os.W_OK) and os.path.exists(f"{folder}/cgroup.procs"):
                parents[controller] = folder
    lacking = [controller for controller in REQUIRED if controller not in parents]
    if lacking:
        return f"cgroup v1 controllers not writable or not mounted: {' '.join(lacking)}"
    return Hierarchy(version=1, parents=parents)


def _limit_v1(group: Group, limits: Limits) -> None:
    memory = group.folders["memory"]
    _write(memory, "memory.limit_in_bytes", str(limits.memory_bytes))
    # Absent without swap accounting; then swap is not limited apart from memory.
    _write(memory, "memory.memsw.limit_in_bytes", str(limits.memory_bytes), quiet=True)
    _write(group.folders["pids"], "pids.max", str(limits.pids))
    if "cpu" in group.folders:
        _write(group.folders["cpu"], "cpu.cfs_period_us", str(_CPU_PERIOD_US))
        _write(group.folders["cpu"], "cpu.cfs_quota_us", str(max(1000, round(limits.cpus * _CPU_PERIOD_US))))


def _limit_v2(group: Group, limits: Limits) -> None:
    folder = group.folders["memory"]
    _write(folder, "memory.max", str(limits.memory_bytes))
    _write(folder, "memory.swap.max", "0", quiet=True)
    # Kill the whole group: half a run after an out-of-memory kill tells lies.
    _write(folder, "memory.oom.group", "1", quiet=True)
    _write(folder, "pids.max", str(limits.pids))
    if "cpu" in group.folders:
        _write(folder, "cpu.max", f"{max(1000, round(limits.cpus * _CPU_PERIOD_US))} {_CPU_PERIOD_US}")


def _usage_v1(folders: dict[str, str]) -> Usage:
    memory = folders["memory"]
    return Usage(
        cpu_seconds=_number(_read(folders.get("cpuacct", ""), "cpuacct.usage")) / 1e9,
        peak_memory_bytes=_number(_read(memory, "memory.max_usage_in_bytes")),
        oom_kills=_field(_read(memory, "memory.oom_control"), "oom_kill"),
    )


def _usage_v2(folder: str) -> Usage:
    return Usage(
        cpu_seconds=_field(_read(folder, "cpu.stat"), "usage_usec") / 1e6,
        peak_memory_bytes=_number(_read(folder, "memory.peak") or _read(folder, "memory.current")),
        oom_kills=_field(_read(folder, "memory.events"), "oom_kill"),
    )


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0


def _field(text: str, name: str) -> int:
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name:
            return int(words[1])
    return 0


def _read(folder: str, name: str) -> str:
    try:
        with open(f"{folder}/{name}", encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _write(folder: str, name: str, value: str, *, quiet: bool = False) -> None:
    # Opened without O_CREAT: a file that is not there is a controller that is not there.
    try:
        fd = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, value.encode("ascii"))
        finally:
            os.close(fd)
    except OSError:
        if not quiet:
            raise


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
