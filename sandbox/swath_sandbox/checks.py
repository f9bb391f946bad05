"""What this machine can isolate, what is lost where it cannot, and how to mend it."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Collection
from dataclasses import dataclass

from swath_sandbox import cgroups, seccomp
from swath_sandbox.bubblewrap import bwrap_version, command, find_program
from swath_sandbox.errors import SandboxError, SandboxUnavailable
from swath_sandbox.spec import Allow, Sandbox


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One finding about the machine."""

    name: str
    ok: bool
    required: bool
    """Without it nothing starts, unless the operator allows that."""
    detail: str
    lost: str = ""
    mend: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Isolation:
    """What a start will have."""

    bwrap: bool
    cgroups: bool


_working: list[tuple[Check, Check]] = []


def doctor() -> list[Check]:
    """Try everything a sandbox needs, really; nothing is left behind."""
    checks = [_check_bwrap(), _check_setpriv()] if os.geteuid() == 0 else [_check_bwrap(), _check_user_namespaces()]
    return [*checks, *_check_cgroups(), _check_seccomp(), check_watch()]


def check_isolation(allow: Collection[Allow] = ()) -> Isolation:
    """Return what can be had.

    Raises
    ------
    SandboxUnavailable
        When bubblewrap or control groups are missing and not given up in `allow`; says all that is missing, what is
        lost without it, how to mend it, and what to pass to go on without.
    """
    bwrap, groups = _works()
    faults: list[str] = []
    if not bwrap.ok and Allow.NO_BWRAP not in allow:
        faults.append(_refusal(bwrap, Allow.NO_BWRAP))
    if not groups.ok and Allow.NO_CGROUPS not in allow:
        faults.append(_refusal(groups, Allow.NO_CGROUPS))
    if faults:
        raise SandboxUnavailable("; ".join(faults))
    return Isolation(bwrap=bwrap.ok, cgroups=groups.ok)


def _works() -> tuple[Check, Check]:
    # Asked at every start of a run. What works goes on working; what does not may be mended meanwhile.
    if not _working:
        found = _check_bwrap(), _check_cgroups()[0]
        if not all(check.ok for check in found):
            return found
        _working.append(found)
    return _working[0]


def _refusal(check: Check, allow: Allow) -> str:
    return f"{check.detail}. Mend: {check.mend}. Or give it up with --allow-{allow.value}: {allow.lost}"


def _check_bwrap() -> Check:
    mend = "install bubblewrap (apt-get install bubblewrap)"
    try:
        find_program("bwrap")
        uid = 2_000_000 - 1 if os.geteuid() == 0 else None
        argv = command(Sandbox(argv=["/bin/true"], uid=uid))
        done = subprocess.run(argv, env={}, capture_output=True, text=True, timeout=30, check=False)
    except (SandboxError, OSError, subprocess.SubprocessError) as error:
        return Check(name="bubblewrap", ok=False, required=True, detail=str(error), lost=Allow.NO_BWRAP.lost, mend=mend)
    version = ".".join(map(str, bwrap_version())) or "of no known version"
    if done.returncode == 0:
        return Check(name="bubblewrap", ok=True, required=True, detail=f"bubblewrap {version} starts a sandbox")
    detail = f"bubblewrap {version} is there and cannot start a sandbox: {done.stderr.strip()[:300]}"
    mend = (
        "in a container: allow it CAP_SYS_ADMIN, or user namespaces"
        if os.geteuid() == 0
        else "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000, and on "
        "Ubuntu 24.04 kernel.apparmor_restrict_unprivileged_userns=0 or an AppArmor profile for bwrap"
    )
    return Check(name="bubblewrap", ok=False, required=True, detail=detail, lost=Allow.NO_BWRAP.lost, mend=mend)


def _check_setpriv() -> Check:
    lost = "started by root a sandbox cannot drop to an unprivileged user, and does not start"
    try:
        path = find_program("setpriv")
    except SandboxUnavailable as error:
        mend = "install util-linux"
        return Check(name="setpriv", ok=False, required=True, detail=str(error), lost=lost, mend=mend)
    return Check(name="setpriv", ok=True, required=True, detail=path)


def _check_user_namespaces() -> Check:
    limit = _read("/proc/sys/user/max_user_namespaces")
    closed = [
        f"{name}={value}"
        for name, value, bad in (
            ("user.max_user_namespaces", limit, "0"),
            ("kernel.unprivileged_userns_clone", _read("/proc/sys/kernel/unprivileged_userns_clone"), "0"),
            (
                "kernel.apparmor_restrict_unprivileged_userns",
                _read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
                "1",
            ),
        )
        if value == bad
    ]
    if closed:
        detail, mend = f"closed by {' '.join(closed)}", "set these the other way with sysctl, or start Swath as root"
        lost = "an unprivileged user cannot start bubblewrap"
        return Check(name="user-namespaces", ok=False, required=False, detail=detail, lost=lost, mend=mend)
    return Check(name="user-namespaces", ok=True, required=False, detail=f"open (max {limit})")


def _check_cgroups() -> list[Check]:
    lost = Allow.NO_CGROUPS.lost
    mend = "run as root, or `systemd-run --user --scope -p Delegate=yes -- swath up` where systemd and cgroup v2 are"
    name = f"doctor-{os.getpid()}"
    try:
        group = cgroups.open_group(name, cgroups.Limits(memory_bytes=64 << 20, pids=4, cpus=1))
        group.remove()
    except (SandboxError, OSError) as error:
        return [Check(name="cgroups", ok=False, required=True, detail=str(error), lost=lost, mend=mend)]
    have = " ".join(sorted({"memory", "pids", "cpu"} - set(group.missing)))
    checks = [Check(name="cgroups", ok=True, required=True, detail=f"cgroup v{group.version} limits {have}")]
    if "cpu" in group.missing:
        checks.append(
            Check(
                name="cgroup-cpu",
                ok=False,
                required=False,
                detail="the cpu controller is not delegated",
                lost="a run may take all processors while nobody else asks for them",
                mend="systemd: set Delegate=cpu memory pids for user@.service",
            )
        )
    return checks


def _check_seccomp() -> Check:
    lost = "sandboxed code may make user namespaces, read kernel keyrings and open vsock sockets to the hypervisor"
    machine = platform.machine()
    known = seccomp.supported(machine)
    if known and "Seccomp:" in _read("/proc/self/status"):
        return Check(name="seccomp", ok=True, required=False, detail=f"a filter for {machine}")
    detail = "the kernel has no seccomp" if known else f"there is no filter for {machine}"
    mend = "use a kernel with CONFIG_SECCOMP_FILTER" if known else "use an x86_64 or aarch64 machine"
    return Check(name="seccomp", ok=False, required=False, detail=detail, lost=lost, mend=mend)


def check_watch() -> Check:
    """Whether it can be seen from outside what a sandbox reads of the archive; really tried."""
    lost = "what a run read of the archive is known only from what the run itself reports"
    mend = "start Swath as root, on a kernel with CONFIG_FANOTIFY, in a container with CAP_SYS_ADMIN"
    try:
        from swath_sandbox.fanotify import Fanotify

        group = Fanotify()
        try:
            group.watch_mount("/")
        finally:
            group.close()
    except (OSError, ImportError) as error:
        return Check(name="inputs", ok=False, required=False, detail=str(error), lost=lost, mend=mend)
    return Check(name="inputs", ok=True, required=False, detail="what runs read is seen from outside (fanotify)")


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""
