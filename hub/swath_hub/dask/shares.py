"""What one user's clusters may take together: pure decisions from their sizes, the user's limits and the purse.

Every process counts, schedulers as well as workers, from the moment it is granted until it is gone.

Up to the soft limit a user gets what is asked. Beyond it the answer gets smaller before it becomes no: a new cluster
starts with a smaller worker, and no cluster grows past its first worker. Beyond the hard limit nothing starts. Each
request is judged by what is in use then, so no order of requests gets past a limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from swath_hub.dask.tariff import Tariff


class LimitName(StrEnum):
    """Limits of a tier that concern Dask, by the names that the quota service gives them; and the wallet."""

    CLUSTERS = "dask.clusters"
    CORES = "dask.cores"
    MEMORY_MB = "dask.memory_mb"
    CREDITS = "credits"


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """What is reserved, whether it is used or not. 1 GB is 1,024 MB."""

    cores: int
    memory_mb: int

    def plus(self, other: Size, times: int = 1) -> Size:
        """This size and `times` the other."""
        return Size(cores=self.cores + other.cores * times, memory_mb=self.memory_mb + other.memory_mb * times)


#: The smallest worker that a start beyond the soft limit is cut down to.
LEAST_WORKER = Size(cores=1, memory_mb=512)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterLoad:
    """One cluster and what it has reserved."""

    name: str
    scheduler: Size
    worker: Size
    """Size of each of its workers."""
    workers: int = 0
    """Granted and not yet gone."""

    @property
    def reserved(self) -> Size:
        return self.scheduler.plus(self.worker, self.workers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """A soft and a hard limit; ``None`` where there is none."""

    soft: int | None = None
    hard: int | None = None

    @property
    def hardest(self) -> float:
        return float("inf") if self.hard is None else self.hard

    @property
    def softest(self) -> float:
        """Beyond this less is granted than asked: the hard limit where there is no soft one."""
        return self.hardest if self.soft is None else min(self.soft, self.hardest)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Limits of one user over all of the user's clusters."""

    clusters: Bound = Bound()
    cores: Bound = Bound()
    memory_mb: Bound = Bound()

    def bound(self, name: LimitName) -> Bound:
        """The limit called `name`."""
        return {
            LimitName.CLUSTERS: self.clusters,
            LimitName.CORES: self.cores,
            LimitName.MEMORY_MB: self.memory_mb,
            LimitName.CREDITS: Bound(),
        }[name]


@dataclass(frozen=True, kw_only=True, slots=True)
class Purse:
    """What may be spent on one cluster from now on, and for how long that has to last for a worker to be started."""

    millicredits: int
    seconds: float
    tariff: Tariff

    def lasts(self, size: Size) -> bool:
        """Whether `size` can be paid for that long."""
        cost = self.tariff.cost(cpu_seconds=size.cores * self.seconds, memory_mb_seconds=size.memory_mb * self.seconds)
        return cost <= self.millicredits


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortfall:
    """Why less was granted than asked."""

    limit: LimitName
    ceiling: int
    """The limit's value that was met; millicredits for the wallet."""
    hard: bool
    used: int
    """In use over all clusters of the user before this request; millicredits left for the wallet."""
    asked: int
    """What the request would have added."""
    clusters: tuple[ClusterLoad, ...]
    """Who uses it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """A cluster may start, with workers of this size."""

    worker: Size
    shortfall: Shortfall | None = None
    """Why the worker is smaller than asked, or why the cluster won't grow past its first worker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """How many more workers may start."""

    workers: int
    shortfall: Shortfall | None = None


def in_use(clusters: Sequence[ClusterLoad]) -> Mapping[LimitName, int]:
    """What `clusters` take together."""
    return {
        LimitName.CLUSTERS: len(clusters),
        LimitName.CORES: sum(cluster.reserved.cores for cluster in clusters),
        LimitName.MEMORY_MB: sum(cluster.reserved.memory_mb for cluster in clusters),
    }


def judge_start(clusters: Sequence[ClusterLoad], limits: Limits, *, scheduler: Size, worker: Size) -> Start | Shortfall:
    """Whether one more cluster may start beside `clusters`; room for its scheduler and one worker must be there.

    Returns
    -------
    Start
        With the worker's size: as asked while the soft limits hold, else as much smaller as keeps them, at least
        `LEAST_WORKER`.
    Shortfall
        A hard limit says no.
    """
    used = in_use(clusters)
    fitted = _fitted(used, limits, scheduler=scheduler, worker=worker)
    added = {
        LimitName.CLUSTERS: 1,
        LimitName.CORES: scheduler.cores + fitted.cores,
        LimitName.MEMORY_MB: scheduler.memory_mb + fitted.memory_mb,
    }
    for name, more in added.items():
        if used[name] + more > limits.bound(name).hardest:
            return _shortfall(clusters, limits, name=name, asked=more, hard=True)
    whole = {**added, LimitName.CORES: scheduler.cores + worker.cores}
    whole[LimitName.MEMORY_MB] = scheduler.memory_mb + worker.memory_mb
    for name, more in whole.items():
        if used[name] + more > limits.bound(name).softest:
            return Start(worker=fitted, shortfall=_shortfall(clusters, limits, name=name, asked=more, hard=False))
    return Start(worker=worker)


def judge_growth(
    clusters: Sequence[ClusterLoad], limits: Limits, *, name: str, more: int, purse: Purse | None = None
) -> Growth:
    """How many of `more` workers may start on the cluster called `name`.

    The first worker of a cluster may use what lies between the soft and the hard limit, further ones may not. With a
    `purse`, no more start than it pays for. (Workers of one cluster are alike, so granting one by one is exact.)

    Raises
    ------
    KeyError
        There is no such cluster.
    """
    loads = {cluster.name: cluster for cluster in clusters}
    own = loads[name]
    granted, shortfall = 0, None
    while granted < more and shortfall is None:
        now = replace(own, workers=own.workers + granted)
        shortfall = _against(
            [now if cluster.name == name else cluster for cluster in clusters], limits, own=now, purse=purse
        )
        granted += shortfall is None
    if shortfall is not None and shortfall.limit is not LimitName.CREDITS:
        each = own.worker.cores if shortfall.limit is LimitName.CORES else own.worker.memory_mb
        shortfall = replace(
            shortfall, used=in_use(clusters)[shortfall.limit], asked=more * each, clusters=tuple(clusters)
        )
    return Growth(workers=granted, shortfall=shortfall)


def _against(
    clusters: Sequence[ClusterLoad], limits: Limits, *, own: ClusterLoad, purse: Purse | None
) -> Shortfall | None:
    """What forbids one more worker of `own`."""
    used, first = in_use(clusters), own.workers == 0
    for name, more in ((LimitName.CORES, own.worker.cores), (LimitName.MEMORY_MB, own.worker.memory_mb)):
        bound = limits.bound(name)
        if used[name] + more > (bound.hardest if first else bound.softest):
            return _shortfall(clusters, limits, name=name, asked=more, hard=used[name] + more > bound.hardest)
    if purse is not None and not purse.lasts(own.reserved.plus(own.worker)):
        return Shortfall(
            limit=LimitName.CREDITS,
            ceiling=purse.millicredits,
            hard=True,
            used=purse.millicredits,
            asked=1,
            clusters=tuple(clusters),
        )
    return None


def _fitted(used: Mapping[LimitName, int], limits: Limits, *, scheduler: Size, worker: Size) -> Size:
    """`worker`, cut down in what goes over a soft limit."""

    def cut(name: LimitName, asked: int, beside: int, least: int) -> int:
        room = limits.bound(name).softest - used[name] - beside
        return asked if asked <= room else int(max(min(least, asked), room))

    return Size(
        cores=cut(LimitName.CORES, worker.cores, scheduler.cores, LEAST_WORKER.cores),
        memory_mb=cut(LimitName.MEMORY_MB, worker.memory_mb, scheduler.memory_mb, LEAST_WORKER.memory_mb),
    )


def _shortfall(
    clusters: Sequence[ClusterLoad], limits: Limits, *, name: LimitName, asked: int, hard: bool
) -> Shortfall:
    bound = limits.bound(name)
    ceiling = bound.hardest if hard else bound.softest
    return Shortfall(
        limit=name,
        ceiling=int(ceiling),
        hard=hard,
        used=in_use(clusters)[name],
        asked=asked,
        clusters=tuple(clusters),
    )
