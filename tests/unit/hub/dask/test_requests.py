"""Requests at the same time, against the gateway's own records; no process is started."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dask_gateway_server.backends.base import PublicException
from dask_gateway_server.backends.db_base import DataManager, JobStatus
from dask_gateway_server.models import User
from swath_hub.dask.credit import Terms
from swath_hub.dask.limits import UserLimits
from swath_hub.dask.metered import MeteredBackend
from swath_hub.dask.records import Records
from swath_hub.dask.shares import Limits
from swath_hub.dask.till import Till
from swath_hub.dask.upkeep import Upkeep

ADA, BEN = User("ada"), User("ben")


@pytest.fixture
def backend(tmp_path: Path, quota: Any, clock: Any) -> Any:
    made = MeteredBackend(data_folder=str(tmp_path))
    made.db = DataManager(url="sqlite:///:memory:")
    made.queue = SimpleNamespace(put=lambda _: None)
    made.till = Till(quota=quota, records=Records(tmp_path / "accounts"), terms=Terms(), clock=clock)
    made._limits = UserLimits(quota, fallback=Limits(), clock=lambda: clock.seconds)
    made._granted = {}
    made.upkeep = Upkeep(made)
    made.asked = []

    async def post(url: str, **sent: Any) -> None:
        made.asked.append(sent["json"])

    made.session = SimpleNamespace(post=post)
    return made


def limit(name: str, hard: int) -> Any:
    return SimpleNamespace(name=name, soft=None, hard=hard)


async def _running(backend: Any, user: User) -> Any:
    cluster = backend.db.get_cluster(await backend.start_cluster(user, {}))
    backend.db.update_cluster(cluster, status=JobStatus.RUNNING)
    backend._meter(cluster, came_up=True)
    return cluster


async def test_starts_at_the_same_time_do_not_pass_together(backend: Any, quota: Any) -> None:
    quota.limits = [limit("dask.clusters", 2)]
    done = await asyncio.gather(*(backend.start_cluster(ADA, {}) for _ in range(8)), return_exceptions=True)
    refused = [one for one in done if isinstance(one, PublicException)]
    assert (len(done) - len(refused), len(refused)) == (2, 6)
    assert all(str(one).startswith("quota-exceeded (dask.clusters): ") for one in refused)
    assert len(quota.holds) == 2
    await backend.start_cluster(BEN, {})


async def test_growth_at_the_same_time_does_not_pass_together(backend: Any, quota: Any) -> None:
    quota.limits = [limit("dask.cores", 7)]
    clusters = [await _running(backend, ADA), await _running(backend, ADA)]
    other = await _running(backend, BEN)
    for cluster in (*clusters, other):
        backend.db.update_cluster(cluster, count=6)
    for _ in range(3):
        await asyncio.gather(*(backend._check_cluster_scale(one) for one in (*clusters, other)))
    assert sum(len(one.workers) for one in clusters) == 5
    assert len(other.workers) == 6
    told = [notice.text for one in clusters for notice in backend.account(one).notices]
    assert any(text.startswith("quota-exceeded (dask.cores): ") for text in told)


async def test_what_a_scheduler_says_of_its_workers_frees_nothing(backend: Any, quota: Any) -> None:
    """A scheduler runs among its user's code: workers count until the gateway itself has ended them."""
    quota.limits = [limit("dask.cores", 4)]
    cluster = await _running(backend, ADA)
    backend.db.update_cluster(cluster, count=3)
    await backend._check_cluster_scale(cluster)
    workers = list(cluster.workers.values())
    assert len(workers) == 3
    for worker in workers:
        backend.db.update_worker(worker, status=JobStatus.RUNNING)
    said = {"count": 9, "active_workers": [], "closing_workers": [], "closed_workers": [one.name for one in workers]}
    await backend.on_cluster_heartbeat(cluster.name, said)
    await backend._check_cluster_scale(cluster)
    assert len(cluster.workers) == 3
    backend.db.update_worker(workers[0], status=JobStatus.STOPPED)
    await backend._check_cluster_scale(cluster)
    assert len([one for one in cluster.workers.values() if one.status < JobStatus.STOPPED]) == 3


async def test_a_hold_that_is_refused_leaves_no_cluster(backend: Any, quota: Any) -> None:
    quota.credits = 1
    with pytest.raises(PublicException, match=r"^credits-exhausted"):
        await backend.start_cluster(ADA, {})
    assert not backend.loads("ada")
    assert not backend.till.records.all()


async def test_credits_that_end_stop_the_workers_then_the_cluster(backend: Any, quota: Any, clock: Any) -> None:
    quota.credits = 8000
    cluster = await _running(backend, ADA)
    backend.db.update_cluster(cluster, count=1)
    await backend._check_cluster_scale(cluster)
    (worker,) = cluster.workers.values()
    backend.db.update_worker(worker, status=JobStatus.RUNNING)
    backend._meter(cluster)
    seen = []
    for _ in range(2000):
        clock.pass_(5)
        await backend.upkeep.look()
        account = backend.account(cluster)
        seen += [notice.key for notice in account.notices if notice.key not in seen]
        if worker.target == JobStatus.STOPPED and worker.status != JobStatus.STOPPED:
            backend.db.update_worker(worker, status=JobStatus.STOPPED)
            backend._meter(cluster)
        if cluster.target == JobStatus.STOPPED:
            break
    assert seen == ["credits-low", "credits-out", "credits-closed"]
    assert backend.asked == [{"op": "scale", "count": 0}]
    backend.db.update_cluster(cluster, status=JobStatus.STOPPED)
    await backend.upkeep.look()
    (hold,) = quota.holds.values()
    # All of it but what the last looks left, and never more.
    assert 7950 <= hold.captured <= 8000
    assert hold.captured == account.usage.cost(account.tariff) or hold.captured == 8000
