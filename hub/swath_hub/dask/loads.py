"""What a cluster reserves, read from the gateway's own records: never from what a scheduler says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dask_gateway_server.backends.db_base import JobStatus

from swath_hub.dask.accounts import Load
from swath_hub.dask.shares import ClusterLoad, Size

MIB = 2**20


def load_of(cluster: Any, *, lasting: bool = False) -> ClusterLoad:
    """Every process of a cluster that is granted and not gone.

    Parameters
    ----------
    lasting
        Leave out what is about to end.
    """
    workers = [worker for worker in cluster.workers.values() if worker.status < JobStatus.STOPPED]
    if lasting:
        workers = [one for one in workers if one.target < JobStatus.STOPPED and not one.close_expected]
    scheduler, worker = sizes(cluster.config)
    return ClusterLoad(name=cluster.name, scheduler=scheduler, worker=worker, workers=len(workers))


def sizes(config: Any) -> tuple[Size, Size]:
    """Sizes of the scheduler and of each worker, from a mapping of a `ClusterConfig`'s traits."""
    return (
        Size(cores=int(config["scheduler_cores"]), memory_mb=int(config["scheduler_memory"]) // MIB),
        Size(cores=int(config["worker_cores"]), memory_mb=int(config["worker_memory"]) // MIB),
    )


def charged(cluster: Any) -> Load:
    """What a cluster's owner pays for now: processes that were started and are not gone."""
    if not JobStatus.SUBMITTED <= cluster.status < JobStatus.STOPPED:
        return Load()
    started = [one for one in cluster.workers.values() if JobStatus.SUBMITTED <= one.status < JobStatus.STOPPED]
    return Load.of(replace(load_of(cluster), workers=len(started)))
