"""Exports and imports of accounts, wired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from swath.contract.zips import Bounds
from swath_quota.client import QuotaClient

from swath_marketplace.bootstrap.ground import Ground, foreign_store
from swath_marketplace.services.exit.accounts import Accounts
from swath_marketplace.services.exit.doors import ExitDoors
from swath_marketplace.services.exit.exported_runs import RunExporter
from swath_marketplace.services.exit.exported_versions import VersionExporter
from swath_marketplace.services.exit.exporting import Exporter, Section
from swath_marketplace.services.exit.files import AccountFiles
from swath_marketplace.services.exit.foreign import Foreign, ForeignReader
from swath_marketplace.services.exit.importing import Importer
from swath_marketplace.services.exit.keeper import AccountKeeper
from swath_marketplace.services.exit.read_runs import RunReader
from swath_marketplace.services.exit.read_versions import VersionReader
from swath_marketplace.services.exit.reading import ArchiveReader
from swath_marketplace.services.exit.sections import sections_of
from swath_marketplace.services.reproductions import Reproductions
from swath_marketplace.services.trust import Trust
from swath_marketplace.store.account_work import AccountWorkStore
from swath_marketplace.store.added_value import MarkStore, PriceStore
from swath_marketplace.store.assessments import AssessmentStore, ReviewStore
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.store.foreign import ForeignStore


@dataclass(frozen=True, kw_only=True)
class Exit:
    """The services, and what works in the background."""

    doors: ExitDoors
    keeper: AccountKeeper


def exits(
    ground: Ground,
    *,
    quota: QuotaClient,
    trust: Trust,
    reproductions: Reproductions,
) -> Exit:
    """The parts, over the marketplace's database and folders."""
    foreign, work = foreign_store(ground), AccountWorkStore(ground.database)
    files = AccountFiles(ground.home / "account")
    keeper = AccountKeeper(
        store=work,
        files=files,
        exporter=_exporter(ground, quota=quota, trust=trust, sections=sections_of(ground.database)),
        importer=_importer(ground, trust=trust, foreign=foreign, files=files),
        keep=timedelta(days=ground.settings.export_keep_days),
        clock=ground.clock,
    )
    doors = ExitDoors(
        accounts=Accounts(store=work, files=files, wake=keeper.wake, clock=ground.clock),
        foreign=Foreign(
            store=foreign,
            reader=ForeignReader(store=foreign),
            registry=ground.registry,
            reproductions=reproductions,
            folders=ground.folders,
        ),
        import_max_bytes=ground.settings.import_max_mb << 20,
    )
    return Exit(doors=doors, keeper=keeper)


def _exporter(ground: Ground, *, quota: QuotaClient, trust: Trust, sections: Mapping[str, Section]) -> Exporter:
    database = ground.database
    reviews = ReviewStore(database)
    return Exporter(
        algorithms=ground.algorithms,
        versions=VersionExporter(
            artifacts=ground.artifacts,
            environments=EnvironmentRegistry(ground.data / "environments"),
            dossiers=ground.dossier_store,
            assessments=AssessmentStore(database),
            reviews=reviews,
            marks=MarkStore(database),
        ),
        prices=PriceStore(database),
        reviews=reviews,
        run_store=ground.run_store,
        runs=RunExporter(
            runs=ground.run_store, folders=ground.folders, receipts=trust.receipts, artifacts=ground.artifacts
        ),
        quota=quota,
        keys=trust.keys,
        sections=sections,
        clock=ground.clock,
    )


def _importer(ground: Ground, *, trust: Trust, foreign: ForeignStore, files: AccountFiles) -> Importer:
    most = ground.settings.import_max_mb << 20
    reader = ArchiveReader(
        versions=VersionReader(
            algorithms=ground.algorithms, dask_runs=ground.settings.allow_dask_runs, clock=ground.clock
        ),
        runs=RunReader(runs=ground.run_store, clock=ground.clock),
        foreign=foreign,
        keys=trust.keys,
        bounds=Bounds(file_bytes=most, total_bytes=2 * most),
        free_bytes=files.free_bytes,
        clock=ground.clock,
    )
    return Importer(
        reader=reader,
        artifacts=ground.artifacts,
        folders=ground.folders,
        foreign=foreign,
        registry=ground.registry,
        dossiers=ground.dossiers,
        environments=EnvironmentRegistry(ground.data / "environments"),
    )
