"""What results are compared with."""

from __future__ import annotations

from dataclasses import dataclass

from swath_sandbox import UidRegistry

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.executors.sandbox_comparer import ComparerSettings, SandboxComparer
from swath_marketplace.services.comparisons import Comparisons
from swath_marketplace.services.runs import Runs
from swath_marketplace.services.version_comparisons import VersionComparisons
from swath_marketplace.store.comparisons import ComparisonCache
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.store.rounds import RoundStore


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


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """The services that compare."""

    runs: Comparisons
    versions: VersionComparisons


def make_comparisons(ground: Ground, *, runs: Runs, comparer: Comparer) -> Comparing:
    """The services that compare runs and versions."""
    root = ground.home / "comparisons"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    dossiers = ground.dossier_store
    comparisons = Comparisons(runs=runs, comparer=comparer, dossiers=dossiers, cache=ComparisonCache(root))
    versions = VersionComparisons(
        registry=ground.registry,
        comparisons=comparisons,
        rounds=RoundStore(ground.database),
        runs=ground.run_store,
        dossiers=dossiers,
    )
    return Comparing(runs=comparisons, versions=versions)
