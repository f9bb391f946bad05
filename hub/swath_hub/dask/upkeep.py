"""What has to be seen to while clusters live: credits, reports, settlements, and what a restart finds."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dask_gateway_server.backends.base import PublicException
from dask_gateway_server.backends.db_base import JobStatus
from swath_service.errors import SwathError

from swath_hub.dask import words
from swath_hub.dask.accounts import Load, Phase
from swath_hub.dask.backend import SandboxBackend
from swath_hub.dask.credit import Step, next_step
from swath_hub.dask.loads import charged, load_of

if TYPE_CHECKING:
    from swath_hub.dask.metered import MeteredBackend

log = logging.getLogger(__name__)

_ASK_SECONDS = 5.0


class Upkeep:
    """Looks at every cluster again and again; every step may be repeated."""

    def __init__(self, backend: MeteredBackend) -> None:
        self._backend, self._till = backend, backend.till
        self._steps = {
            Step.WARN: self._warn,
            Step.STARVE: self._starve,
            Step.REVIVE: self._revive,
            Step.CLOSE: self._close,
        }

    async def run(self, *, period: float, report_period: float) -> None:
        """For as long as the gateway lives."""
        loop = asyncio.get_running_loop()
        reported = loop.time()
        while True:
            await asyncio.sleep(period)
            try:
                await self.look()
                if loop.time() - reported >= report_period:
                    reported = loop.time()
                    await self._till.report()
            except SwathError as error:
                log.warning("usage is reported later: %s", error)
            except Exception:
                log.exception("looking after clusters failed; it goes on")

    async def look(self) -> None:
        """Look at every cluster once."""
        await self._adopt()
        names = [account.cluster for account in self._till.records.all()]
        for name, outcome in zip(
            names, await asyncio.gather(*map(self._attend, names), return_exceptions=True), strict=True
        ):
            if isinstance(outcome, SwathError):
                log.warning("cluster %s is seen to later: %s", name, outcome)
            elif isinstance(outcome, Exception):
                log.error("looking after cluster %s failed", name, exc_info=outcome)
        for cluster in self._backend.db.active_clusters():
            if cluster.status == JobStatus.RUNNING and cluster.count > len(cluster.active_workers()):
                # It asked for more than there was room for.
                self._backend.queue.put(cluster)

    async def resume(self) -> None:
        """After a restart: go on with what lives, end what does not with what is known of it."""
        for account in self._till.records.all():
            cluster = self._backend.db.get_cluster(account.cluster)
            if not account.is_open or cluster is None or not JobStatus.CREATED < cluster.status < JobStatus.STOPPED:
                continue
            if (await self._backend.do_check_clusters([cluster]))[0]:
                await self._resume(cluster)
            else:
                log.warning("cluster %s died while the gateway was down", cluster.name)
                # Nobody saw how it ended: what it used until it was last seen is paid.
                self._till.end(cluster.name, stopped=account.came_up, at=account.at)
                self._fail(cluster)

    async def _resume(self, cluster: Any) -> None:
        backend = self._backend
        workers = [one for one in cluster.workers.values() if JobStatus.SUBMITTED <= one.status < JobStatus.STOPPED]
        living = await backend.do_check_workers(workers)
        dead = [worker for worker, lives in zip(workers, living, strict=True) if not lives]
        load = replace(load_of(cluster), workers=len(workers) - len(dead))
        self._till.resume(cluster.name, load=Load.of(load))
        backend.db.update_workers([(worker, {"target": JobStatus.FAILED}) for worker in dead])
        for worker in dead:
            backend.queue.put(worker)

    def _fail(self, cluster: Any) -> None:
        if cluster.target <= JobStatus.RUNNING:
            self._backend.db.update_cluster(cluster, target=JobStatus.FAILED)
        self._backend.queue.put(cluster)

    async def _adopt(self) -> None:
        """Give an account to what lives without one: a gateway of before there were accounts started it."""
        for cluster in list(self._backend.db.active_clusters()):
            if cluster.status == JobStatus.CREATED or self._backend.account(cluster) is not None:
                continue
            try:
                await self._till.adopt(load_of(cluster), user=cluster.username)
            except SwathError as error:
                log.warning("cluster %s gets an account later: %s", cluster.name, error)
                continue
            came_up = cluster.status == JobStatus.RUNNING
            self._till.advance(cluster.name, load=charged(cluster), came_up=came_up)

    async def _attend(self, name: str) -> None:
        """See to one account."""
        account = self._till.records.get(name)
        cluster = self._backend.db.get_cluster(name)
        if account is None:
            return
        if account.is_open and (cluster is None or cluster.status >= JobStatus.STOPPED):
            stopped = cluster is None or cluster.status is JobStatus.STOPPED
            account = self._till.end(name, stopped=stopped, at=account.at)
        if account.phase is Phase.ENDED:
            await self._till.settle(name)
        elif account.phase is Phase.SETTLED and cluster is None:
            self._till.records.forget(name)
        elif account.is_open and cluster.status > JobStatus.CREATED:
            await self._credit(cluster)

    async def _credit(self, cluster: Any) -> None:
        """Ask the wallet for what is needed next, and do what follows from its answer."""
        bare = replace(load_of(cluster), workers=0)
        least = Load.of(replace(bare, workers=1))
        account = self._till.advance(cluster.name)
        account = await self._till.fund(cluster.name, account.load if account.load.workers else least)
        if self._till.is_silent(cluster.name) or cluster.target != JobStatus.RUNNING:
            return
        step = next_step(account, bare=Load.of(bare), least=least, now=self._till.clock(), terms=self._till.terms)
        if step in self._steps:
            await self._steps[step](cluster)
        if account.phase is Phase.STARVED:
            self._end_workers(cluster)

    async def _warn(self, cluster: Any) -> None:
        account = self._backend.account(cluster)
        about = [notice.key for notice in account.notices if notice.key.startswith("credits")] if account else []
        if account is not None and about[-1:] != ["credits-low"]:
            minutes = int(account.lasts_seconds(account.load) // 60)
            text = words.credits_low(minutes, self._till.terms.grace_seconds)
            self._backend.tell(cluster, key="credits-low", text=text)

    async def _starve(self, cluster: Any) -> None:
        """Scale to zero: the scheduler is asked to retire its workers first; who is left is ended at the next look."""
        self._till.mark(cluster.name, Phase.STARVED)
        self._backend.tell(cluster, key="credits-out", text=words.starved(self._till.terms.grace_seconds))
        self._backend.db.update_cluster(cluster, count=0)
        with suppress(PublicException, TimeoutError):
            await asyncio.wait_for(
                SandboxBackend.forward_message_to_scheduler(
                    self._backend, cluster.to_model(), {"op": "scale", "count": 0}
                ),
                timeout=_ASK_SECONDS,
            )

    def _end_workers(self, cluster: Any) -> None:
        left = [worker for worker in cluster.active_workers() if worker.status < JobStatus.STOPPED]
        ended = {"target": JobStatus.STOPPED, "close_expected": True}
        self._backend.db.update_workers([(worker, ended) for worker in left])
        for worker in left:
            self._backend.queue.put(worker)

    async def _revive(self, cluster: Any) -> None:
        self._till.mark(cluster.name, Phase.LIVE)
        self._backend.tell(cluster, key="credits-back", text=words.credits_back())

    async def _close(self, cluster: Any) -> None:
        self._backend.tell(cluster, key="credits-closed", text=words.closed())
        await self._backend.stop_cluster(cluster.name)
