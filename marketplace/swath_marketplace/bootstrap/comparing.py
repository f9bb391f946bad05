"""What results are compared with."""

from __future__ import annotations

from swath_sandbox import UidRegistry

from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.executors.sandbox_comparer import ComparerSettings, SandboxComparer
from swath_marketplace.services.comparisons import Comparisons
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.comparisons import ComparisonCache
from swath_marketplace.store.database import Database
from swath_marketplace.store.dossiers import DossierStore
from swath_marketplace.store.environments import EnvironmentRegistry


def make_comparer(settings: Settings) -> SandboxComparer:
    """The sandbox of this machine; what an earlier service left in its scratch folder is swept."""
    data = settings.data.absolute()
    environments = EnvironmentRegistry(data / "environments")

    def environment() -> Environment | None:
        # Asked each time, so that one that is built or mended later serves without a restart.
        return environments.get(settings.comparer_environment) or next(iter(environments.list()), None)

    comparer = SandboxComparer(
        environment=environment,
        # The book of the executor: no comparison may have the uid of a run.
        uids=UidRegistry(data / "uids" / "uids.json"),
        scratch=data / "marketplace" / "comparing",
        settings=ComparerSettings(
            memory_bytes=settings.comparer_memory_mb << 20,
            pair_seconds=settings.comparer_seconds,
            allow=settings.allow(),
        ),
    )
    comparer.sweep()
    return comparer


def make_comparisons(settings: Settings, database: Database, *, runs: Runs, comparer: Comparer) -> Comparisons:
    """The service that compares runs."""
    root = settings.data.absolute() / "marketplace" / "comparisons"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Comparisons(runs=runs, comparer=comparer, dossiers=DossierStore(database), cache=ComparisonCache(root))
