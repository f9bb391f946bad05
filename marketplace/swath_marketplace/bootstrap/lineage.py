"""Lineage and reproductions, wired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import NotFound

from swath_marketplace.bootstrap.ground import Ground, foreign_store
from swath_marketplace.bootstrap.inputs import archive_of
from swath_marketplace.domain.origins import Origin
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.services.exit.foreign import ForeignReader
from swath_marketplace.services.inventories import Inventories
from swath_marketplace.services.lineage import Lineages
from swath_marketplace.services.receipt_reading import ReceiptReader, origin_of_statement
from swath_marketplace.services.receipts import Receipts
from swath_marketplace.services.reproducing import Reproducer
from swath_marketplace.services.reproduction_keeper import ReproductionKeeper
from swath_marketplace.services.reproductions import Reproductions
from swath_marketplace.services.result_comparing import ResultComparing
from swath_marketplace.services.runs import Runs
from swath_marketplace.services.trust import Trust
from swath_marketplace.store.archive_files import ArchiveFiles
from swath_marketplace.store.database import Database
from swath_marketplace.store.file_hashes import FileHashes
from swath_marketplace.store.lineage import LineageStore
from swath_marketplace.store.reproductions import ReproductionStore


@dataclass(frozen=True, kw_only=True)
class Reproducing:
    """Reproductions and what keeps them going."""

    reproductions: Reproductions
    keeper: ReproductionKeeper


@dataclass(frozen=True, kw_only=True)
class _Installed:
    """What is installed where runs take place, as `Inventories` keeps it."""

    inventories: Inventories

    def changes(self, before: str, after: str) -> Sequence[str] | None:
        try:
            return [str(change) for change in self.inventories.difference(_READER, before, after)]
        except NotFound:
            return None


#: Inventories are no secret of anybody's.
_READER = Actor(name="reproductions", kind=ActorKind.SERVICE, scopes=frozenset({Scope.READ.value}))


def lineages(database: Database, *, runs: Runs) -> Lineages:
    """The service that answers where results come from."""
    return Lineages(store=LineageStore(database), runs=runs)


def reproducing(
    ground: Ground, *, runs: Runs, inventories: Inventories, trust: Trust, comparer: Comparer
) -> Reproducing:
    """The parts, over the marketplace's database and folders."""
    settings, clock, registry = ground.settings, ground.clock, ground.registry
    hashes = FileHashes(settings.file_hashes_path())
    store = ReproductionStore(ground.database)
    foreign = ForeignReader(store=foreign_store(ground))
    comparing = ResultComparing(comparer=comparer, folders=ground.folders, pictures=ground.home / "reproductions")
    reproducer = Reproducer(
        store=store,
        runs=runs,
        registry=registry,
        archive=ArchiveFiles(root=archive_of(settings), hashes=lambda path: hashes.of(path)[0]),
        packages=_Installed(inventories=inventories),
        comparing=comparing,
        clock=clock,
    )
    keeper = ReproductionKeeper(store=store, reproducer=reproducer, clock=clock)
    service = Reproductions(
        store=store,
        runs=runs,
        registry=registry,
        dossiers=ground.dossier_store,
        read_receipt=ReceiptReader(trust.keys, foreign=foreign.origin),
        brought_in=foreign.sees,
        receipted=lambda run_id: _stated(trust.receipts, run_id),
        pictures=comparing.pictures_of,
        wake=keeper.wake,
        clock=clock,
    )
    return Reproducing(reproductions=service, keeper=keeper)


def _stated(receipts: Receipts, run_id: str) -> Origin | None:
    receipt = receipts.of(run_id)
    return origin_of_statement(receipts.stated(receipt)) if receipt else None
