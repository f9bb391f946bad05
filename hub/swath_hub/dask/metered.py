"""The gateway's backend with limits and money: what may start is judged over all clusters of a user, and paid."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dask_gateway_server import models
from dask_gateway_server.backends.base import PublicException
from dask_gateway_server.backends.db_base import JobStatus, timestamp
from swath_service.errors import SwathError
from traitlets import Callable, Float, Integer

from swath_hub.dask import answers, notices, words
from swath_hub.dask.accounts import Account, Load, Phase
from swath_hub.dask.backend import SandboxBackend
from swath_hub.dask.credit import Terms
from swath_hub.dask.limits import UserLimits
from swath_hub.dask.loads import MIB, charged, load_of, sizes
from swath_hub.dask.records import Records
from swath_hub.dask.shares import Bound, ClusterLoad, Growth, Limits, Shortfall, Start, judge_growth, judge_start
from swath_hub.dask.till import NotGranted, Till
from swath_hub.dask.upkeep import Upkeep

_CLOSING_SECONDS = 20.0


class MeteredBackend(SandboxBackend):
    """Starts what a user's limits and wallet allow, and meters it.

    A worker starts in one place only, `_check_cluster_scale`, whether a user scaled or the cluster adapts, and whatever
    a scheduler says about itself: schedulers run among users' code. There the user's limits are judged without a pause
    before the worker is written down, so requests at the same time can't pass together.
    """

    quota = Callable(help="Makes the `DaskQuota` that is asked for limits and credits.").tag(config=True)
    clusters_per_user = Integer(2, min=0, help="Clusters of one user, where the user's tier names no limit.").tag(
        config=True
    )
    cores_per_user = Integer(18, min=0, help="Cores of all clusters of one user, where the tier names no limit.").tag(
        config=True
    )
    memory_mb_per_user = Integer(
        36 * 1024, min=0, help="Memory of all clusters of one user (MB), where the tier names no limit."
    ).tag(config=True)
    hold_ahead_seconds = Float(3600, min=60, help="A hold covers so long, and is extended at half of it.").tag(
        config=True
    )
    credit_grace_seconds = Float(
        60, min=0, help="Between the end of the workers and that of the cluster, when credits are used up."
    ).tag(config=True)
    worker_least_seconds = Float(300, min=0, help="A worker starts only if credits pay for so long.").tag(config=True)
    credits_low_seconds = Float(900, min=0, help="When credits last no longer, the user is told.").tag(config=True)
    usage_report_period = Float(30, min=1, help="Seconds between two reports of usage.").tag(config=True)
    upkeep_period = Float(5, min=0.1, help="Seconds between two looks at every cluster's credits.").tag(config=True)

    # ---- setting up

    async def setup(self, app: Any) -> None:
        app.middlewares.append(answers.tell)
        await super().setup(app)

    async def do_setup(self) -> None:
        """Take up the accounts first: what is in the queue already may need them."""
        quota = self.quota()
        terms = Terms(
            ahead_seconds=self.hold_ahead_seconds,
            least_seconds=self.worker_least_seconds,
            low_seconds=self.credits_low_seconds,
            grace_seconds=self.credit_grace_seconds,
            tick_seconds=self.upkeep_period,
        )
        fallback = Limits(
            clusters=Bound(hard=self.clusters_per_user),
            cores=Bound(hard=self.cores_per_user),
            memory_mb=Bound(hard=self.memory_mb_per_user),
        )
        records = Records(Path(self.data_folder) / "hub" / "dask-accounts")
        self.till = Till(quota=quota, records=records, terms=terms)
        self._limits = UserLimits(quota, fallback=fallback, clock=asyncio.get_running_loop().time)
        self._granted: dict[str, int] = {}
        self.upkeep = Upkeep(self)
        await super().do_setup()
        await self.upkeep.resume()
        self.task_pool.spawn(self.upkeep.run(period=self.upkeep_period, report_period=self.usage_report_period))

    async def do_cleanup(self) -> None:
        if hasattr(self, "till"):
            self.till.write_all(account.cluster for account in self.till.records.all() if account.is_open)
        await super().do_cleanup()

    # ---- what there is

    def account(self, cluster: Any) -> Account | None:
        """The account of a cluster; ``None`` for one from before there were accounts, until it is adopted."""
        return self.till.records.get(cluster.name)

    def loads(self, user: str, *, lasting: bool = False) -> list[ClusterLoad]:
        """What every cluster of a user reserves."""
        mine = self.db.username_to_clusters.get(user, {}).values()
        return [
            load_of(cluster, lasting=lasting)
            for cluster in mine
            if cluster.status < JobStatus.STOPPED and not (lasting and cluster.target >= JobStatus.STOPPED)
        ]

    def tell(self, cluster: Any, *, key: str, text: str) -> None:
        """Tell the owner of a cluster: in the gateway's log, in the cluster's report, and as a warning in notebooks."""
        if self.account(cluster) and self.till.tell(cluster.name, key=key, text=text):
            self._post(cluster)

    def _post(self, cluster: Any) -> None:
        account = self.account(cluster)
        if account is not None:
            notices.write(self._told(cluster), account.notices)

    # ---- requests

    async def start_cluster(self, user: Any, cluster_options: dict[str, Any]) -> str:
        """Start a cluster as large as the user's limits allow, once its first hour is set aside."""
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", user.name):
            raise PublicException(f"{user.name!r} is no user of this hub")
        options, config = await self.process_cluster_options(user, cluster_options)
        wanted = config.to_dict()
        limits = await self._limits_for_start(user.name)
        await self._closing_gone(user.name, limits, wanted)
        # From here to the cluster in the database there is no pause: nobody else of this user can pass meanwhile.
        verdict = self._judge_start(self.loads(user.name), limits, wanted)
        if isinstance(verdict, Shortfall):
            raise PublicException(words.refused_start(verdict))
        if verdict.shortfall is not None:
            wanted |= {"worker_cores": verdict.worker.cores, "worker_threads": verdict.worker.cores}
            wanted["worker_memory"] = verdict.worker.memory_mb * MIB
        cluster = self.db.create_cluster(user.name, options, wanted)
        try:
            await self.till.open(load_of(cluster), user=user.name)
        except BaseException as error:
            self._discard(cluster)
            if isinstance(error, NotGranted):
                raise PublicException(str(error)) from error
            raise
        if verdict.shortfall is not None:
            self.tell(cluster, key="start", text=words.reduced_start(verdict.shortfall, verdict))
        self.log.info("Created cluster %s for user %s", cluster.name, user.name)
        self.queue.put(cluster)
        return str(cluster.name)

    async def _limits_for_start(self, user: str) -> Limits:
        try:
            return await self._limits.of(user)
        except SwathError as error:
            self.log.warning("the limits of %s are not known: %s", user, error)
            raise PublicException(words.silent()) from error

    def _judge_start(self, clusters: list[ClusterLoad], limits: Limits, wanted: dict[str, Any]) -> Start | Shortfall:
        scheduler, worker = sizes(wanted)
        return judge_start(clusters, limits, scheduler=scheduler, worker=worker)

    async def _closing_gone(self, user: str, limits: Limits, wanted: dict[str, Any]) -> None:
        """Wait for what is about to end, if only that is in the way: one cluster after another is how people work."""
        if self._judge_start(self.loads(user), limits, wanted) == self._judge_start(
            self.loads(user, lasting=True), limits, wanted
        ):
            return
        ending = [
            asyncio.ensure_future(cluster.shutdown)
            for cluster in self.db.username_to_clusters.get(user, {}).values()
            if cluster.status < JobStatus.STOPPED <= cluster.target
        ]
        if ending:
            await asyncio.wait(ending, timeout=_CLOSING_SECONDS)

    def _discard(self, cluster: Any) -> None:
        """End a cluster that never was in the queue."""
        self.db.update_cluster(cluster, status=JobStatus.FAILED, target=JobStatus.FAILED, stop_time=timestamp())
        cluster.ready.set()
        cluster.shutdown.set()

    async def list_clusters(self, username: str | None = None, statuses: Any = None) -> list[Any]:
        return [self._with_notice(one) for one in await super().list_clusters(username=username, statuses=statuses)]

    async def get_cluster(self, cluster_name: str, wait: bool = False) -> Any:
        return self._with_notice(await super().get_cluster(cluster_name, wait=wait))

    def _with_notice(self, model: Any) -> Any:
        """`model` with the latest notice among its options: the one part of a report that clients show as it is."""
        account = None if model is None else self.account(model)
        if account is not None:
            told = {"notice": account.notices[-1].text} if account.notices else {}
            granted = {"workers_granted": self._granted[model.name]} if model.name in self._granted else {}
            model.options = {**(model.options or {}), **told, **granted}
        return model

    async def forward_message_to_scheduler(self, cluster: models.Cluster, msg: dict[str, Any]) -> None:
        """Tell a scheduler to scale, no further than there is room; who asked is told why."""
        live = self.db.get_cluster(cluster.name)
        if live is not None and live.status == JobStatus.RUNNING:
            msg = await self._clamped(live, dict(msg))
        await super().forward_message_to_scheduler(cluster, msg)

    async def _clamped(self, cluster: Any, msg: dict[str, Any]) -> dict[str, Any]:
        adapts = msg["op"] == "adapt" and msg.get("active", True)
        if not adapts and msg["op"] != "scale":
            return msg
        asked = int((msg.get("maximum") or 0) if adapts else msg["count"])
        have = load_of(cluster, lasting=True).workers
        fits = asked
        if asked > have:
            growth, why = await self.room(cluster, asked - have, lasting=True)
            fits = have + growth.workers
            if why:
                answers.say(f"{why}; more start when there is room" if adapts else why)
                self.tell(cluster, key="scale", text=why)
        if adapts:
            return {**msg, "minimum": min(int(msg.get("minimum") or 0), fits)}
        self._granted[cluster.name] = fits
        return {**msg, "count": fits}

    # ---- growth

    async def room(self, cluster: Any, more: int, *, lasting: bool = False) -> tuple[Growth, str]:
        """How many of `more` workers a cluster may have, and why not all; empty when all."""
        account, name = self.account(cluster), cluster.name
        if account is None or account.phase is not Phase.LIVE:
            starved = account is not None and account.phase is Phase.STARVED
            return Growth(workers=0), words.starved(self.credit_grace_seconds) if starved else words.silent_growth()
        try:
            limits = await self._limits.of(cluster.username)
        except SwathError:
            return Growth(workers=0), words.silent_growth()
        have = load_of(cluster, lasting=lasting).workers
        growth = judge_growth(self.loads(cluster.username, lasting=lasting), limits, name=name, more=more)
        if growth.workers:
            await self.till.fund(name, Load.of(replace(load_of(cluster), workers=have + growth.workers)))
            # Judged again, with the purse: others may have started meanwhile.
            loads = self.loads(cluster.username, lasting=lasting)
            if name not in {load.name for load in loads}:
                return Growth(workers=0), ""
            growth = judge_growth(loads, limits, name=name, more=more, purse=self.till.purse(name))
        return growth, words.reduced_growth(growth, have=have, asked=have + more) if growth.shortfall else ""

    async def _check_cluster_scale(self, cluster: Any) -> None:
        """As the parent does, but no more workers than there is room for; those left out are tried again later."""
        missing = cluster.count - len(cluster.active_workers())
        if missing <= 0 or cluster.worker_start_failure_count >= self.worker_start_failure_limit:
            await super()._check_cluster_scale(cluster)
            return
        growth, why = await self.room(cluster, missing)
        if cluster.target != JobStatus.RUNNING:
            return
        for _ in range(min(growth.workers, cluster.count - len(cluster.active_workers()))):
            worker = self.db.create_worker(cluster)
            self.log.info("Created worker %s for cluster %s", worker.name, cluster.name)
            self.queue.put(worker)
        account = self.account(cluster)
        if why and account is not None:
            # Adapting asks again and again: told once for each limit.
            key = f"adapt:{growth.shortfall.limit}" if growth.shortfall else "adapt"
            if not any(notice.key in (key, "scale") for notice in account.notices):
                self.tell(cluster, key=key, text=why)

    # ---- metering: at each change of what is reserved

    def _meter(self, cluster: Any, *, came_up: bool = False) -> None:
        if self.account(cluster) is not None:
            self.till.advance(cluster.name, load=charged(cluster), came_up=came_up)

    async def do_start_cluster(self, cluster: Any) -> AsyncIterator[dict[str, Any]]:
        account = self.account(cluster)
        if account is None or account.phase is not Phase.LIVE:
            # The gateway died between the cluster and its hold: nobody was told of either.
            raise RuntimeError("the cluster has no hold")
        async for state in super().do_start_cluster(cluster):
            yield state

    def _make_folder(self, cluster: Any) -> Path:
        folder = super()._make_folder(cluster)
        self._post(cluster)
        return folder

    async def _cluster_to_submitted(self, cluster: Any) -> None:
        await super()._cluster_to_submitted(cluster)
        self._meter(cluster)

    async def _cluster_to_running(self, cluster: Any) -> None:
        await super()._cluster_to_running(cluster)
        self._meter(cluster, came_up=True)

    async def _worker_to_submitted(self, worker: Any) -> None:
        await super()._worker_to_submitted(worker)
        self._meter(worker.cluster)

    async def _worker_to_stopped(self, worker: Any) -> None:
        await super()._worker_to_stopped(worker)
        self._meter(worker.cluster)

    async def _cluster_to_stopped(self, cluster: Any) -> None:
        await super()._cluster_to_stopped(cluster)
        self._granted.pop(cluster.name, None)
        if self.account(cluster) is not None:
            self.till.end(cluster.name, stopped=cluster.status is JobStatus.STOPPED)
