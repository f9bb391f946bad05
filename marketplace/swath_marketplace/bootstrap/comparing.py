"""What compares results, wired."""

from __future__ import annotations

from swath_sandbox import UidRegistry

from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.executors.sandbox_comparer import ComparerSettings, SandboxComparer
from swath_marketplace.store.environments import EnvironmentRegistry

_ENVIRONMENT = "eo"


def comparer_of(settings: Settings) -> Comparer:
    """The comparer of this machine: a sandbox in the environment for Earth observation as it is now."""
    data = settings.data.absolute()
    environments = EnvironmentRegistry(data / "environments")
    comparer = SandboxComparer(
        environment=lambda: environments.get(_ENVIRONMENT),
        # The same book as runs': no two sandboxes may have the same uid.
        uids=UidRegistry(data / "uids" / "uids.json"),
        scratch=data / "marketplace" / "comparisons",
        settings=ComparerSettings(allow=settings.allow()),
    )
    comparer.sweep()
    return comparer
