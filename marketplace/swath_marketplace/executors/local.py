"""Runs as sandboxed processes of this machine, each under a warden that outlives this service."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swath.contract.interface import Interface
from swath.contract.run import RunSpec
from swath_sandbox import warden
from swath_sandbox.cgroups import Limits
from swath_sandbox.errors import SandboxError
from swath_sandbox.pythons import python_binds
from swath_sandbox.spec import Allow, Job, Sandbox
from swath_sandbox.uids import UidRegistry

from swath_marketplace.domain.endings import ProcessEnd
from swath_marketplace.domain.runs import Run
from swath_marketplace.executors.protocol import Going, Observation, Package, Seen, StartFailed
from swath_marketplace.run_folder import RunFolder, RunFolders

log = logging.getLogger(__name__)

_INSIDE = "/run/swath"
_ARCHIVE = "/archive"
_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalSettings:
    """What every run of this machine gets."""

    archive: Path | None
    """Folder shown read-only as ``/archive``; none when there is no archive."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables inside, none of them secret."""
    disk_bytes: int = 10 << 30
    """Most that a run may write."""
    pids: int = 512
    grace_seconds: float = 5.0
    """From a stop to the kill: time to save a partial notebook."""
    allow: frozenset[Allow] = frozenset()
    """What the operator gave up in so many words."""


class LocalExecutor:
    """`Executor` on this machine: bubblewrap, a control group and an own uid for each run.

    The warden's start-once marker keeps the promise that a run is started once; its lock and ``exit.json`` tell what
    became of it, also to a service that was not there when it started.
    """

    def __init__(self, *, folders: RunFolders, uids: UidRegistry, settings: LocalSettings) -> None:
        self._folders = folders
        self._uids = uids
        self._settings = settings

    def start(self, run: Run, package: Package) -> Iterator[Mapping[str, Any]]:
        try:
            uid = self._uids.uid_for(_key(run))
            yield {"uid": uid}
            handle = self._launch(run, package, uid=uid)
        except (SandboxError, OSError, ValueError) as error:
            raise StartFailed(str(error)) from error
        yield {"warden": handle.as_dict() if handle else None}

    def _launch(self, run: Run, package: Package, *, uid: int) -> warden.Handle | None:
        folder = self._folders.of(run.id)
        # Without the lock one of two who start at once could meet the other's half-written folder, take that for a
        # failed start, and end a run that the other has just begun.
        with folder.starting():
            state, handle = _find(folder)
            if state is not warden.State.NEVER:
                return handle
            folder.prepare(spec=_spec(run, package, pids=self._settings.pids), notebook=package.notebook, uid=uid)
            warden.prepare(folder.warden, self._job(run, package, folder=folder, uid=uid))
            try:
                return warden.launch(folder.warden)
            except (SandboxError, OSError):
                state, handle = _find(folder)
                if state is warden.State.NEVER:
                    raise
                return handle

    def check(self, runs: Sequence[Run]) -> Mapping[str, Observation]:
        return {run.id: self._look(self._folders.of(run.id)) for run in runs}

    def usage(self, run: Run) -> Going | None:
        try:
            going = warden.usage(self._folders.of(run.id).warden)
        except (OSError, ValueError, KeyError):
            return None
        return Going(wall_seconds=going.wall_seconds, cpu_seconds=going.cpu_seconds) if going else None

    def ask_checkpoint(self, run: Run, told: Mapping[str, Any]) -> None:
        try:
            self._folders.of(run.id).say_checkpoint(told)
        except OSError:
            # A full disk. The run is stopped all the same, in time.
            log.exception("run %s could not be asked to checkpoint", run.id)

    @property
    def stop_seconds(self) -> float:
        return self._settings.grace_seconds

    def stop(self, run: Run) -> None:
        folder = self._folders.of(run.id)
        with folder.starting():
            state, handle = _find(folder)
            if state is warden.State.NEVER:
                _forbid(folder)
        if state is warden.State.RUNNING and handle:
            warden.stop(handle)

    def forget(self, run: Run) -> None:
        self._folders.of(run.id).clear()
        self._uids.release(_key(run))

    def _look(self, folder: RunFolder) -> Observation:
        state, _ = _find(folder)
        if state is warden.State.NEVER:
            return Observation(seen=Seen.NEVER)
        if state is warden.State.RUNNING:
            return Observation(seen=Seen.RUNNING)
        if state is warden.State.LOST:
            # Until the last of its processes is gone it is told as running: what follows relies on that.
            return Observation(seen=Seen.LOST if warden.reap(folder.warden) else Seen.RUNNING)
        return Observation(seen=Seen.ENDED, end=_end(warden.read_exit(folder.warden)))

    def _job(self, run: Run, package: Package, *, folder: RunFolder, uid: int) -> Job:
        settings, resources = self._settings, run.resources
        python = Path(package.environment.python)
        archive = [(settings.archive, Path(_ARCHIVE))] if settings.archive else []
        return Job(
            sandbox=Sandbox(
                # -P: modules are not looked for where the notebook writes.
                argv=[str(python), "-P", "-m", "swath.runner", _INSIDE],
                ro_binds=[
                    *python_binds(python, editable=package.environment.editable),
                    *archive,
                    (folder.input, Path(_INSIDE, "input")),
                    (folder.control, Path(_INSIDE, "control")),
                ],
                rw_binds=[(folder.out, Path(_INSIDE, "out"))],
                env=_environment(python, cpus=resources.cpus, more=settings.environment),
                network=resources.dask,
                uid=uid,
                hostname="run",
                bare_paths={_INSIDE: str(folder.path), _ARCHIVE: str(settings.archive or "")},
            ),
            group=f"run-{run.id}",
            limits=Limits(memory_bytes=resources.memory_mb * _MIB, pids=settings.pids, cpus=resources.cpus),
            wall_seconds=resources.wall_seconds,
            grace_seconds=settings.grace_seconds,
            disk_bytes=settings.disk_bytes,
            disk_paths=[folder.out],
            watch=_ARCHIVE if settings.archive else None,
            allow=settings.allow,
        )


def check_machine(allow: Collection[Allow]) -> None:
    """Refuse a machine that cannot isolate runs.

    Raises
    ------
    SandboxUnavailable
        Saying what is missing, how to mend it, and what to pass to go on without.
    """
    from swath_sandbox.checks import check_isolation

    check_isolation(allow)


def _find(folder: RunFolder) -> tuple[warden.State, warden.Handle | None]:
    forbidden = folder.warden.is_file()
    return (warden.State.NEVER, None) if forbidden else warden.find(folder.warden)


def _forbid(folder: RunFolder) -> None:
    """Put a plain file where a warden would live: nobody can prepare or launch one there any more."""
    if folder.warden.is_dir():
        folder.warden.rename(folder.path / "warden.unused")
    folder.warden.touch(exist_ok=True)


def _key(run: Run) -> str:
    return f"run:{run.id}"


def _spec(run: Run, package: Package, *, pids: int) -> Mapping[str, Any]:
    return RunSpec(
        run_id=run.id,
        algorithm=package.version.path,
        version=run.version,
        digest=run.digest,
        parameters=run.parameters,
        interface=Interface.from_dict(package.version.interface),
        wall_seconds=run.resources.wall_seconds,
        memory_bytes=run.resources.memory_mb * _MIB,
        cpus=run.resources.cpus,
        pids=pids,
    ).as_dict()


def _environment(python: Path, *, cpus: float, more: Mapping[str, str]) -> dict[str, str]:
    threads = str(max(1, math.floor(cpus)))
    return {
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp/home",  # noqa: S108 - inside the sandbox, on its own tmpfs
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
        "SWATH_ARCHIVE": _ARCHIVE,
        **more,
        "SWATH_RUN_DIR": _INSIDE,
    }


def _end(found: warden.Exit | None) -> ProcessEnd | None:
    if found is None:
        return None
    return ProcessEnd(
        reason=found.reason.value,
        exit_code=found.exit_code,
        signal=found.signal,
        cpu_seconds=found.cpu_seconds,
        wall_seconds=found.wall_seconds,
        peak_memory_bytes=found.peak_memory_bytes,
        oom_kills=found.oom_kills,
    )
