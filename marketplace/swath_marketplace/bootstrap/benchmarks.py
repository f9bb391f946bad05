"""Benchmarks on a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.clock import Clock
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.dossiers import Dossiers
from swath_marketplace.services.drifting import Drifts
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.round_clock import RoundClock
from swath_marketplace.services.round_keeper import RoundKeeper
from swath_marketplace.services.round_retention import RoundRetention
from swath_marketplace.services.round_steps import RoundStepper
from swath_marketplace.services.rounds import Rounds
from swath_marketplace.services.runs import Runs
from swath_marketplace.services.scenario_files import ScenarioFiles
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.archive import ArchiveShelf
from swath_marketplace.store.breaks import BreakStore, NoticeStore
from swath_marketplace.store.database import Database
from swath_marketplace.store.dossiers import DossierStore
from swath_marketplace.store.rounds import RoundStore


@dataclass(frozen=True, kw_only=True)
class Benchmarks:
    """What rounds are made with."""

    rounds: Rounds
    keeper: RoundKeeper


def benchmarks(
    settings: Settings,
    database: Database,
    *,
    algorithms: AlgorithmStore,
    registry: Registry,
    dossiers: Dossiers,
    runs: Runs,
    folders: RunFolders,
    comparer: Comparer | None,
    clock: Clock,
) -> Benchmarks:
    """The services of benchmarks, over stores of their own; they are told of each new dossier.

    Parameters
    ----------
    comparer
        ``None`` where nothing but the very same bytes can be told.
    """
    data = settings.data.absolute()
    store, breaks, put = RoundStore(database), BreakStore(database), DossierStore(database)
    files = ScenarioFiles(files=dossiers, folders=folders, comparer=comparer, pictures=data / "marketplace" / "rounds")
    drifts = Drifts(store=store, dossiers=put, clock=clock)
    stepper = RoundStepper(
        store=store,
        breaks=breaks,
        runs=runs,
        registry=registry,
        dossiers=put,
        files=files,
        drifts=drifts,
        collections=ArchiveShelf((settings.archive or data / "archive").absolute()).collections,
        clock=clock,
    )
    period = timedelta(hours=settings.benchmark_hours) if settings.benchmark_hours else None
    rounds_clock = RoundClock(store=store, algorithms=algorithms, dossiers=put, period=period, clock=clock)
    keep = timedelta(days=settings.benchmark_keep_days)
    retention = RoundRetention(store=store, breaks=breaks, folders=folders, files=files, keep=keep, clock=clock)
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
