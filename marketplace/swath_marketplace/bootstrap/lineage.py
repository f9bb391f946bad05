"""Lineage and reproductions, wired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.clock import Clock
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.lineage import Lineages
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.reproducing import Reproducer
from swath_marketplace.services.reproduction_keeper import ReproductionKeeper
from swath_marketplace.services.reproductions import Reproductions, no_receipts
from swath_marketplace.services.result_comparing import ResultComparing
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.archive_files import ArchiveFiles, sha256_of
from swath_marketplace.store.database import Database
from swath_marketplace.store.dossiers import DossierStore
from swath_marketplace.store.lineage import LineageStore
from swath_marketplace.store.reproductions import ReproductionStore


@dataclass(frozen=True, kw_only=True)
class Reproducing:
    """Reproductions and what keeps them going."""

    reproductions: Reproductions
    keeper: ReproductionKeeper


class _NobodyLooked:
    """Where no inventories are kept: that something changed is told, and not what."""

    def changes(self, before: str, after: str) -> Sequence[str] | None:  # noqa: ARG002 - the protocol's signature
        return None


def lineages(database: Database, *, runs: Runs) -> Lineages:
    """The service that answers where results come from."""
    return Lineages(store=LineageStore(database), runs=runs)


def reproducing(
    settings: Settings,
    database: Database,
    *,
    runs: Runs,
    registry: Registry,
    folders: RunFolders,
    comparer: Comparer,
    clock: Clock,
) -> Reproducing:
    """The parts, over the marketplace's database and folders."""
    data = settings.data.absolute()
    archive: Path | None = (settings.archive or data / "archive").absolute()
    store = ReproductionStore(database)
    comparing = ResultComparing(comparer=comparer, folders=folders, pictures=data / "marketplace" / "reproductions")
    reproducer = Reproducer(
        store=store,
        runs=runs,
        registry=registry,
        archive=ArchiveFiles(root=archive, hashes=sha256_of),
        packages=_NobodyLooked(),
        comparing=comparing,
        clock=clock,
    )
    keeper = ReproductionKeeper(store=store, reproducer=reproducer, clock=clock)
    service = Reproductions(
        store=store,
        runs=runs,
        registry=registry,
        dossiers=DossierStore(database),
        read_receipt=no_receipts,
        pictures=comparing.pictures_of,
        wake=keeper.wake,
        clock=clock,
    )
    return Reproducing(reproductions=service, keeper=keeper)
