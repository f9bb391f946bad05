"""A Dask Gateway backend that starts schedulers and workers in sandboxes under wardens."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from dask_gateway_server.backends.local import UnsafeLocalBackend
from swath_sandbox import Allow
from traitlets import Bool, Unicode

from swath_hub import sandboxes
from swath_hub.dask import notices
from swath_hub.environment import archive_environment
from swath_hub.folder import DataFolder

#: Where a cluster's processes see their working folder.
WORK = "/run/dask"
_MIB = 2**20


class SandboxBackend(UnsafeLocalBackend):  # type: ignore[misc]
    """What its parent lacks for more than one user: own uids, nothing of the machine in sight, limits, wardens.

    (`LocalBackend` is no base: run by root it hands ``/`` to the user.)
    """

    data_folder = Unicode(help="The data folder of this copy.").tag(config=True)
    archive_folder = Unicode(help="The archive, shown read-only at /archive.").tag(config=True)
    public_url = Unicode(help="Where clients find Swath.").tag(config=True)
    allow_no_bwrap = Bool(help="Start where bubblewrap can't be had.").tag(config=True)
    allow_no_cgroups = Bool(help="Start where control groups can't be had.").tag(config=True)

    @property
    def _house(self) -> sandboxes.House:
        allowed = {Allow.NO_BWRAP: self.allow_no_bwrap, Allow.NO_CGROUPS: self.allow_no_cgroups}
        return sandboxes.House(
            folder=DataFolder(Path(self.data_folder)),
            archive=Path(self.archive_folder),
            allow=frozenset(one for one, given in allowed.items() if given),
        )

    async def do_setup(self) -> None:
        """End what an earlier gateway started and does not know any more."""
        await super().do_setup()
        known = {cluster.name for cluster in self.db.active_clusters()}
        for stale in self._house.folder.clusters.glob("*"):
            if stale.is_dir() and stale.name not in known:
                await asyncio.to_thread(_clear, stale)

    # ---- files

    def _folder(self, cluster: Any) -> Path:
        if not re.fullmatch(r"[0-9a-f]{32}", cluster.name):
            raise ValueError("not a cluster's name")
        clusters: Path = self._house.folder.clusters
        return clusters / str(cluster.name)

    def _told(self, cluster: Any) -> Path:
        """What the cluster's owner is told; its processes may read it."""
        return self._folder(cluster) / "told"

    def _place(self, cluster: Any, name: str) -> Path:
        return self._folder(cluster) / "wardens" / name

    def _make_folder(self, cluster: Any) -> Path:
        """The cluster's working folder, its TLS files the user's alone; wardens' files stay out of its sight."""
        folder, uid = self._folder(cluster), self._house.uid(cluster.username)
        (folder / "wardens").mkdir(parents=True, exist_ok=True, mode=0o700)
        notices.prepare(self._told(cluster))
        work = folder / "work"
        work.mkdir(exist_ok=True, mode=0o700)
        for name, data in (("dask.crt", cluster.tls_cert), ("dask.pem", cluster.tls_key)):
            with open(os.open(work / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
                file.write(data)
        if uid is not None:
            for path in (work / "dask.crt", work / "dask.pem", work):
                os.chown(path, uid, uid, follow_symlinks=False)
        return folder

    def get_tls_paths(self, cluster: Any) -> tuple[str, str]:
        del cluster
        return f"{WORK}/dask.crt", f"{WORK}/dask.pem"

    # ---- commands

    def get_env(self, cluster: Any) -> dict[str, str]:
        """The whole environment of a process: what the gateway tells it, the archive, and no token of the user."""
        told = {name: value for name, value in super().get_env(cluster).items() if name.startswith("DASK_")}
        return {
            **told,
            **archive_environment("/archive"),
            "SWATH_URL": self.public_url,
            "HOME": "/tmp/home",  # noqa: S108 - the sandbox's own /tmp
            "USER": cluster.username,
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            # Pages and metrics on loopback, which users' servers share, ask nobody who reads them.
            "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]",
            "DASK_DISTRIBUTED__NANNY__HTTP__ROUTES": "[]",
        }

    def get_scheduler_command(self, cluster: Any) -> list[str]:
        command: list[str] = super().get_scheduler_command(cluster)
        at = command.index("--preload")
        return [*command[:at], "--dashboard-prefix", self._dashboard_path(cluster), *notices.preload(), *command[at:]]

    def _dashboard_path(self, cluster: Any) -> str:
        """Where the dashboard is, on loopback as outside: below the cluster's name, which its owner alone is told."""
        return f"{self.proxy.prefix}/clusters/{cluster.name}"

    async def _check_cluster_proxied(self, cluster: Any) -> None:
        """As the parent does, but the proxy, which cuts the path off, has to put it in front again."""
        if cluster.added_to_proxies:
            return
        path = f"/clusters/{cluster.name}"
        if cluster.dashboard_address:
            target = cluster.dashboard_address + self._dashboard_path(cluster)
            await self.proxy.add_route(kind="PATH", path=path, target=target)
        await self.proxy.add_route(kind="SNI", sni=cluster.name, target=cluster.scheduler_address)
        cluster.added_to_proxies = True

    def get_worker_command(self, cluster: Any, worker_name: str, scheduler_address: str | None = None) -> list[str]:
        command: list[str] = super().get_worker_command(cluster, worker_name, scheduler_address)
        at = command.index("--dashboard-address")
        return [*command[:at], "--no-dashboard", *command[at + 2 :], "--local-directory", "/tmp"]  # noqa: S108

    async def _start(self, cluster: Any, name: str, *, command: list[str], env: dict[str, str], memory: int) -> None:
        house = self._house
        sandbox = house.sandbox(
            user=cluster.username,
            argv=command,
            env=env,
            pythons=[Path(command[0])],
            home="/tmp/home",  # noqa: S108
            cwd="/tmp",  # noqa: S108
            ro_binds=[(self._told(cluster), Path(notices.TOLD))] if self._told(cluster).is_dir() else [],
            rw_binds=[(self._folder(cluster) / "work", Path(WORK))],
        )
        cores = float(cluster.config.scheduler_cores if name == "scheduler" else cluster.config.worker_cores)
        # Room for the interpreter beside what Dask counts as its own.
        size = sandboxes.Size(memory_bytes=memory + 256 * _MIB, cpus=cores, pids=256)
        group = house.group("dask", f"{cluster.name[:12]}-{name[:40]}")
        place = self._place(cluster, name)
        await asyncio.to_thread(
            sandboxes.start, place, sandbox=sandbox, group=group, size=size, allow=house.allow, grace=1.0
        )

    # ---- the backend's contract

    async def do_start_cluster(self, cluster: Any) -> AsyncIterator[dict[str, Any]]:
        await asyncio.to_thread(self._make_folder, cluster)
        yield {"place": "scheduler"}
        await self._start(
            cluster,
            "scheduler",
            command=self.get_scheduler_command(cluster),
            env=self.get_scheduler_env(cluster),
            memory=int(cluster.config.scheduler_memory),
        )

    async def do_stop_cluster(self, cluster: Any) -> None:
        await asyncio.to_thread(_clear, self._folder(cluster))

    async def do_check_clusters(self, clusters: Iterable[Any]) -> list[bool]:
        places = [self._place(cluster, "scheduler") for cluster in clusters]
        return await asyncio.to_thread(lambda: [sandboxes.running(place) for place in places])

    async def do_start_worker(self, worker: Any) -> AsyncIterator[dict[str, Any]]:
        yield {"place": worker.name}
        await self._start(
            worker.cluster,
            worker.name,
            command=self.get_worker_command(worker.cluster, worker.name),
            env=self.get_worker_env(worker.cluster),
            memory=int(worker.cluster.config.worker_memory),
        )

    async def do_stop_worker(self, worker: Any) -> None:
        await asyncio.to_thread(sandboxes.stop, self._place(worker.cluster, worker.name), seconds=10.0)

    async def do_check_workers(self, workers: Iterable[Any]) -> list[bool]:
        places = [self._place(worker.cluster, worker.name) for worker in workers]
        return await asyncio.to_thread(lambda: [sandboxes.running(place) for place in places])


def _clear(folder: Path) -> None:
    """End every process of a cluster, then remove its folder."""
    # The scheduler first: it would report each worker's end as a failure.
    for place in sorted(folder.glob("wardens/*"), key=lambda place: place.name != "scheduler"):
        sandboxes.stop(place, seconds=10.0)
    shutil.rmtree(folder, ignore_errors=True)
