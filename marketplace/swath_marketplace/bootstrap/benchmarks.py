"""Benchmarks on a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.services.drifting import Drifts
from swath_marketplace.services.round_clock import RoundClock
from swath_marketplace.services.round_keeper import RoundKeeper
from swath_marketplace.services.round_retention import RoundRetention
from swath_marketplace.services.round_steps import RoundStepper
from swath_marketplace.services.rounds import Rounds
from swath_marketplace.services.runs import Runs
from swath_marketplace.services.scenario_files import ScenarioFiles
from swath_marketplace.store.archive import ArchiveShelf
from swath_marketplace.store.breaks import BreakStore, NoticeStore
from swath_marketplace.store.keeping import KeepingStore
from swath_marketplace.store.rounds import RoundStore


@dataclass(frozen=True, kw_only=True)
class Benchmarks:
    """What rounds are made with."""

    rounds: Rounds
    keeper: RoundKeeper


def benchmarks(ground: Ground, *, runs: Runs, comparer: Comparer) -> Benchmarks:
    """The services of benchmarks, over stores of their own; they are told of each new dossier."""
    settings, clock, registry, dossiers = ground.settings, ground.clock, ground.registry, ground.dossiers
    database, folders, put = ground.database, ground.folders, ground.dossier_store
    store, breaks = RoundStore(database), BreakStore(database)
    files = ScenarioFiles(files=dossiers, folders=folders, comparer=comparer, pictures=ground.home / "rounds")
    drifts = Drifts(store=store, dossiers=put, clock=clock)
    stepper = RoundStepper(
        store=store,
        breaks=breaks,
        runs=runs,
        registry=registry,
        dossiers=put,
        files=files,
        drifts=drifts,
        collections=ArchiveShelf((settings.archive or ground.data / "archive").absolute()).collections,
        clock=clock,
    )
    period = timedelta(hours=settings.benchmark_hours) if settings.benchmark_hours else None
    rounds_clock = RoundClock(store=store, algorithms=ground.algorithms, dossiers=put, period=period, clock=clock)
    keep = timedelta(days=settings.benchmark_keep_days)
    retention = RoundRetention(
        store=store,
        breaks=breaks,
        folders=folders,
        files=files,
        keep=keep,
        pinned=KeepingStore(database).pinned,
        clock=clock,
    )
    keeper = RoundKeeper(
        store=store,
        stepper=stepper,
        rounds_clock=rounds_clock,
        retention=retention,
        registry=registry,
        clock=clock,
        delay_seconds=settings.benchmark_delay_minutes * 60,
    )
    rounds = Rounds(
        store=store,
        breaks=breaks,
        notices=NoticeStore(database),
        registry=registry,
        dossiers=put,
        rounds_clock=rounds_clock,
        keeper=keeper,
        drifts=drifts,
        files=files,
        clock=clock,
    )
    dossiers.add_listener(rounds.on_dossier)
    return Benchmarks(rounds=rounds, keeper=keeper)
