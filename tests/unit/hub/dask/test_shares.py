"""What one user's clusters get together: no order of requests gets past a limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_hub.dask import words
from swath_hub.dask.shares import (
    LEAST_WORKER,
    Bound,
    ClusterLoad,
    LimitName,
    Limits,
    Purse,
    Shortfall,
    Size,
    Start,
    in_use,
    judge_growth,
    judge_start,
)
from swath_hub.dask.tariff import Tariff

SCHEDULER = Size(cores=1, memory_mb=1024)
WORKER = Size(cores=1, memory_mb=1024)
TARIFF = Tariff(version="2023-11-01", per_cpu_hour=1500, per_gb_hour=1000)

bounds = st.builds(
    lambda hard, soft: Bound(hard=hard, soft=soft),
    st.none() | st.integers(0, 40),
    st.none() | st.integers(0, 40),
)
limits = st.builds(
    lambda clusters, cores, memory: Limits(
        clusters=clusters,
        cores=cores,
        memory_mb=Bound(
            hard=None if memory.hard is None else memory.hard * 1024,
            soft=None if memory.soft is None else memory.soft * 1024,
        ),
    ),
    bounds,
    bounds,
    bounds,
)
sizes = st.builds(lambda cores, memory: Size(cores=cores, memory_mb=memory), st.integers(1, 4), st.integers(512, 8192))
requests = st.lists(
    st.one_of(
        st.tuples(st.just("start"), sizes, sizes),
        st.tuples(st.just("grow"), st.integers(0, 5), st.integers(1, 12)),
        st.tuples(st.just("shrink"), st.integers(0, 5), st.integers(1, 12)),
        st.tuples(st.just("close"), st.integers(0, 5), st.just(0)),
    ),
    max_size=30,
)


def _above(clusters: list[ClusterLoad], limits: Limits, which: str) -> list[str]:
    used = in_use(clusters)
    names = (LimitName.CLUSTERS, LimitName.CORES, LimitName.MEMORY_MB)
    return [name for name in names if used[name] > getattr(limits.bound(name), which)]


@given(limits=limits, requests=requests)
def test_never_above_a_limit_over_any_clusters_in_any_order(limits: Limits, requests: list[tuple]) -> None:
    clusters: dict[str, ClusterLoad] = {}
    for at, (what, first, second) in enumerate(requests):
        mine = list(clusters.values())
        if what == "start":
            verdict = judge_start(mine, limits, scheduler=first, worker=second)
            if isinstance(verdict, Start):
                clusters[str(at)] = ClusterLoad(name=str(at), scheduler=first, worker=verdict.worker)
        elif mine:
            one = mine[first % len(mine)]
            if what == "grow":
                growth = judge_growth(mine, limits, name=one.name, more=second)
                clusters[one.name] = replace(one, workers=one.workers + growth.workers)
                assert 0 <= growth.workers <= second
                assert (growth.shortfall is None) == (growth.workers == second)
                if one.workers + growth.workers > 1 and growth.workers:
                    # Nothing grows past its first worker beyond the soft limits.
                    assert not set(_above(list(clusters.values()), limits, "softest")) - {LimitName.CLUSTERS}
            elif what == "shrink":
                clusters[one.name] = replace(one, workers=max(0, one.workers - second))
            else:
                del clusters[one.name]
        assert not _above(list(clusters.values()), limits, "hardest")


@given(limits=limits, more=st.integers(1, 12), asked=st.integers(1, 12))
def test_what_is_refused_does_not_fit(limits: Limits, more: int, asked: int) -> None:
    one = ClusterLoad(name="a", scheduler=SCHEDULER, worker=WORKER, workers=asked)
    growth = judge_growth([one], limits, name="a", more=more)
    if growth.shortfall:
        grown = replace(one, workers=asked + growth.workers + 1)
        assert growth.shortfall.limit in _above([grown], limits, "softest")


@given(start=st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_splitting_a_request_gives_no_more(start: list[int]) -> None:
    limits = Limits(cores=Bound(soft=6, hard=9))
    one = ClusterLoad(name="a", scheduler=SCHEDULER, worker=WORKER)
    whole = judge_growth([one], limits, name="a", more=sum(start)).workers
    for part in start:
        one = replace(one, workers=one.workers + judge_growth([one], limits, name="a", more=part).workers)
    assert one.workers == whole == min(sum(start), 5)


def test_two_clusters_share_the_users_cores() -> None:
    limits = Limits(cores=Bound(hard=5))
    first = ClusterLoad(name="a" * 32, scheduler=SCHEDULER, worker=WORKER, workers=2)
    second = ClusterLoad(name="b" * 32, scheduler=SCHEDULER, worker=WORKER)
    growth = judge_growth([first, second], limits, name=second.name, more=3)
    assert growth.workers == 1
    short = growth.shortfall
    assert short is not None
    assert (short.limit, short.ceiling, short.used, short.asked, short.hard) == ("dask.cores", 5, 4, 3, True)
    told = words.reduced_growth(growth, have=0, asked=3)
    assert told == (
        "quota-exceeded (dask.cores): you get 1 of 3 workers: you use 4 of 5 cores over your clusters"
        " (aaaaaaaa: 3 cores, bbbbbbbb: 1 core); close or scale down a cluster, ask for smaller workers, or ask an"
        " operator for a higher limit"
    )


def test_a_start_beyond_the_hard_limit_names_it_and_who_uses_it() -> None:
    one = ClusterLoad(name="c" * 32, scheduler=SCHEDULER, worker=WORKER, workers=2)
    short = judge_start([one], Limits(cores=Bound(hard=4)), scheduler=SCHEDULER, worker=WORKER)
    assert isinstance(short, Shortfall)
    told = words.refused_start(short)
    assert told.startswith("quota-exceeded (dask.cores): a cluster with one worker needs 2 cores; you use 3 of 4 cores")
    assert "cccccccc: 3 cores" in told
    many = judge_start([one], Limits(clusters=Bound(hard=1)), scheduler=SCHEDULER, worker=WORKER)
    assert isinstance(many, Shortfall)
    assert words.refused_start(many).startswith("quota-exceeded (dask.clusters): you have 1 Dask cluster, as many")


def test_a_start_beyond_the_soft_limit_gets_a_smaller_worker() -> None:
    limits = Limits(cores=Bound(soft=4, hard=8), memory_mb=Bound(soft=6 * 1024, hard=64 * 1024))
    wanted = Size(cores=4, memory_mb=8192)
    start = judge_start([], limits, scheduler=SCHEDULER, worker=wanted)
    assert isinstance(start, Start)
    # What fits beside the scheduler under the soft limits.
    assert start.worker == Size(cores=3, memory_mb=5 * 1024)
    assert start.shortfall is not None
    assert not start.shortfall.hard
    assert "workers of 3 cores and 5120 MB of memory" in words.reduced_start(start.shortfall, start)
    full = ClusterLoad(name="a", scheduler=SCHEDULER, worker=WORKER, workers=3)
    next_start = judge_start([full], limits, scheduler=SCHEDULER, worker=wanted)
    assert isinstance(next_start, Start)
    assert next_start.worker.cores == LEAST_WORKER.cores
    assert isinstance(
        judge_start([full], Limits(cores=Bound(soft=4, hard=5)), scheduler=SCHEDULER, worker=WORKER), Shortfall
    )


def test_the_first_worker_may_use_what_lies_beyond_the_soft_limit_and_no_other() -> None:
    limits = Limits(cores=Bound(soft=2, hard=9))
    one = ClusterLoad(name="a", scheduler=SCHEDULER, worker=Size(cores=2, memory_mb=512))
    assert judge_growth([one], limits, name="a", more=3).workers == 1


@pytest.mark.parametrize(("millicredits", "workers"), [(0, 0), (416, 0), (417, 1), (625, 2), (833, 3)])
def test_no_more_workers_than_the_purse_pays_for(millicredits: int, workers: int) -> None:
    # A process of 1 core and 1 GB costs 2.5 credits an hour: 208.33 millicredits in 300 s.
    purse = Purse(millicredits=millicredits, seconds=300, tariff=TARIFF)
    one = ClusterLoad(name="a", scheduler=SCHEDULER, worker=WORKER)
    growth = judge_growth([one], Limits(), name="a", more=3, purse=purse)
    assert growth.workers == workers
    if workers < 3:
        assert growth.shortfall is not None
        assert growth.shortfall.limit is LimitName.CREDITS
        assert words.reduced_growth(growth, have=0, asked=3).startswith("credits-exhausted (credits): ")


@given(limits=limits, worker=sizes)
def test_what_is_told_stands_on_one_line(limits: Limits, worker: Size) -> None:
    others = [ClusterLoad(name=f"{at}" * 32, scheduler=SCHEDULER, worker=WORKER, workers=at) for at in range(9)]
    verdict = judge_start(others, limits, scheduler=SCHEDULER, worker=worker)
    told = (
        words.refused_start(verdict)
        if isinstance(verdict, Shortfall)
        else verdict.shortfall and words.reduced_start(verdict.shortfall, verdict)
    )
    assert told is None or (told.isprintable() and len(told) < 600)
