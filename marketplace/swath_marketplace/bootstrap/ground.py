"""What everything else stands on: settings, database, folders, and the stores that many share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.clock import Clock
from swath_marketplace.executors.outgoing import Outgoing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.dossiers import Dossiers
from swath_marketplace.services.events import EventLogs
from swath_marketplace.services.exit.documents import run_json, run_of
from swath_marketplace.services.registry import Registry
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.artifacts import ArtifactStore
from swath_marketplace.store.database import Database
from swath_marketplace.store.dossiers import DossierStore
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.store.foreign import ForeignStore
from swath_marketplace.store.runs import RunStore


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Settings, and what is made of them alone."""

    settings: Settings
    clock: Clock
    database: Database
    folders: RunFolders
    artifacts: ArtifactStore
    algorithms: AlgorithmStore
    run_store: RunStore
    events: EventLogs
    registry: Registry
    dossier_store: DossierStore
    dossiers: Dossiers
    outgoing: Outgoing

    @property
    def data(self) -> Path:
        """Swath's data folder."""
        return self.settings.data.absolute()

    @property
    def home(self) -> Path:
        """The marketplace's folder in it."""
        return self.data / "marketplace"


def lay_ground(settings: Settings, *, clock: Clock) -> Ground:
    """The stores over the settings' database and folders; the database is migrated."""
    data = settings.data.absolute()
    home = data / "marketplace"
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.url())
    database.migrate()
    folders, artifacts = RunFolders(home / "runs"), ArtifactStore(home / "artifacts")
    algorithms, run_store = AlgorithmStore(database), RunStore(database, rules=settings.rules(), clock=clock)
    # What ran before this table was, a half-life that was changed: both count from now on.
    run_store.queue.rebuild(now=clock())
    registry = Registry(
        store=algorithms,
        artifacts=artifacts,
        environments=EnvironmentRegistry(data / "environments"),
        slots=settings.slots(),
        dask_runs=settings.allow_dask_runs,
        clock=clock,
    )
    dossier_store = DossierStore(database)
    return Ground(
        settings=settings,
        clock=clock,
        database=database,
        folders=folders,
        artifacts=artifacts,
        algorithms=algorithms,
        run_store=run_store,
        events=EventLogs(folders),
        registry=registry,
        dossier_store=dossier_store,
        outgoing=Outgoing(settings.outgoing(), authorities=settings.outgoing_authorities),
        dossiers=Dossiers(registry=registry, store=dossier_store, artifacts=artifacts, clock=clock),
    )


def foreign_store(ground: Ground) -> ForeignStore:
    """What came from other installations."""
    return ForeignStore(ground.database, algorithms=ground.algorithms, write=run_json, read=run_of)
