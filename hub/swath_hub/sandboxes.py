"""Sandboxes of users' processes: what every one of them sees, and how it is found again after a restart."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from swath_sandbox import Allow, Job, Limits, Sandbox, UidRegistry, python_binds, warden

from swath_hub import kernelspecs
from swath_hub.environment import ARCHIVE
from swath_hub.folder import DataFolder

_KEPT_FOLDERS = 3


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one user's process and all its children may take together."""

    memory_bytes: int
    cpus: float
    pids: int = 512


@dataclass(frozen=True, kw_only=True)
class House:
    """The parts of a copy that a sandbox is built from."""

    folder: DataFolder
    archive: Path
    allow: frozenset[Allow] = frozenset()

    def uid(self, user: str) -> int | None:
        """The uid of `user` alone; ``None`` when we are not root and have just one to give."""
        if os.geteuid() != 0:
            return None
        return UidRegistry(self.folder.uids).uid_for(f"user:{user}")

    def group(self, kind: str, name: str) -> str:
        """Name of a control group that no other copy on this machine has."""
        copy = hashlib.sha256(str(self.folder.root).encode()).hexdigest()[:8]
        return f"{copy}-{kind}-{name}"

    def sandbox(
        self,
        *,
        user: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        pythons: Sequence[Path],
        home: str,
        cwd: str,
        ro_binds: Sequence[tuple[Path, Path]] = (),
        rw_binds: Sequence[tuple[Path, Path]] = (),
    ) -> Sandbox:
        """A sandbox with the archive and interpreters read-only, and on the machine's network."""
        shown: dict[Path, Path] = {}
        editable = {one.python for one in kernelspecs.built(self.folder.environments) if one.editable}
        for python in pythons:
            shown.update((path, path) for path in python_binds(python, editable=python in editable))
        if self.archive.is_dir():
            shown[Path(ARCHIVE)] = self.archive
        return Sandbox(
            argv=argv,
            env=env,
            ro_binds=[*((source, target) for target, source in shown.items()), *ro_binds],
            rw_binds=rw_binds,
            network=True,
            uid=self.uid(user),
            user=user.replace("-", "_"),
            home=home,
            cwd=cwd,
        )

    def pythons(self) -> list[Path]:
        """Interpreters of every built environment."""
        return [environment.python for environment in kernelspecs.built(self.folder.environments)]


def start(place: Path, *, sandbox: Sandbox, group: str, size: Size, allow: frozenset[Allow], grace: float) -> None:
    """Start `sandbox` under a warden that outlives us; `place` is its folder from now on.

    Raises
    ------
    swath_sandbox.errors.SandboxError
        It could not be started.
    """
    limits = Limits(memory_bytes=size.memory_bytes, pids=size.pids, cpus=size.cpus)
    job = Job(sandbox=sandbox, group=group, limits=limits, grace_seconds=grace, allow=allow)
    warden.prepare(place, job)
    try:
        warden.launch(place)
    finally:
        # The warden has read it; it holds the user's token.
        (place / "command.json").unlink(missing_ok=True)


def running(place: Path) -> bool:
    """Whether the sandbox of `place` lives; what a lost warden left behind is ended here."""
    if not place.is_dir():
        return False
    state, _ = warden.find(place)
    if state is warden.State.LOST:
        warden.reap(place)
    return state is warden.State.RUNNING


def stop(place: Path, *, seconds: float) -> bool:
    """End the sandbox of `place` with all its processes; whether it is gone. Idempotent."""
    end = time.monotonic() + seconds
    while running(place):
        _, handle = warden.find(place)
        if handle is not None:
            warden.stop(handle)
        if time.monotonic() > end:
            return False
        warden.wait(place, timeout_seconds=min(1.0, seconds))
    return True


def forget_old(folder: Path, prefix: str) -> None:
    """Keep the folders (and so the logs) of the last few starts alone."""
    old = sorted((place for place in folder.glob(f"{prefix}*") if place.is_dir()), key=lambda place: place.name)
    for place in old[:-_KEPT_FOLDERS]:
        if not running(place):
            shutil.rmtree(place, ignore_errors=True)
