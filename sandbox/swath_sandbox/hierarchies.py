"""Where on this machine control groups can be made: the v1 and v2 file systems as they are mounted and delegated.

Kept free of heavy imports: the shim that guards every run loads this module.
"""

from __future__ import annotations

import os

from swath_sandbox.errors import CgroupsUnavailable

PREFIX = "swath-"
#: Without these two there is no group; a missing CPU controller is told through `Group.missing`.
REQUIRED = ("memory", "pids")
WANTED = ("memory", "pids", "cpu", "cpuacct")


class Hierarchy:
    """Where groups can be made: one parent folder per controller (v1), or one for all (v2)."""

    __slots__ = ("parents", "version")

    def __init__(self, *, version: int, parents: dict[str, str]) -> None:
        self.version = version
        self.parents = parents


def find_hierarchy(proc_self: str = "/proc/self") -> Hierarchy:
    """Find where this process may make groups.

    Raises
    ------
    CgroupsUnavailable
        With the reason for both versions and the mend.
    """
    rows, own = mounts(proc_self), own_groups(proc_self)
    reasons: list[str] = []
    for attempt in (_find_v2, _find_v1):
        found = attempt(rows, own)
        if isinstance(found, Hierarchy):
            return found
        reasons.append(found)
    raise CgroupsUnavailable(
        "no control group can be made here: " + "; ".join(reasons) + ". Mend: run as root, or start with "
        "`systemd-run --user --scope -p Delegate=yes -- swath up` on a machine with systemd and cgroup v2"
    )


def mounts(proc_self: str) -> list[tuple[str, str, str, str]]:
    """(filesystem type, root inside it, mount point, super options) of every mounted hierarchy."""
    rows: list[tuple[str, str, str, str]] = []
    for line in read(proc_self, "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        left, right = before.split(), after.split()
        if right and right[0] in ("cgroup", "cgroup2"):
            rows.append((right[0], left[3], left[4], right[-1]))
    return rows


def own_groups(proc_self: str) -> dict[str, str]:
    """Path of this process's group by controller; the empty name is v2."""
    groups: dict[str, str] = {}
    for line in read(proc_self, "cgroup").splitlines():
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
    if "/.." in own.get("", "/"):
        return "this process's cgroup v2 group lies outside its control-group namespace"
    folder = _below(root, mount_point, own.get("", "/"))
    offered = read(folder, "cgroup.controllers").split() or read(mount_point, "cgroup.controllers").split()
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
    names = set(read(folder, "cgroup.subtree_control").split()) & {"memory", "pids", "cpu"}
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
        write(folder, "cgroup.subtree_control", f"+{controller}", quiet=True)


def _enabled(folder: str) -> bool:
    return set(REQUIRED) <= set(read(folder, "cgroup.subtree_control").split())


def _leave(folder: str) -> None:
    """Move the processes of our own delegated group into a leaf of it.

    A v2 group may have processes or share out controllers, never both.
    """
    leaf = f"{folder}/{PREFIX}services"
    try:
        os.makedirs(leaf, exist_ok=True)
    except OSError:
        return
    for pid in read(folder, "cgroup.procs").split():
        write(leaf, "cgroup.procs", pid, quiet=True)


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


def read(folder: str, name: str) -> str:
    try:
        with open(f"{folder}/{name}", encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def write(folder: str, name: str, value: str, *, quiet: bool = False) -> None:
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
