"""Where results are compared on this machine."""

from __future__ import annotations

from swath_sandbox import UidRegistry

from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.executors.comparer import Comparer
from swath_marketplace.executors.sandbox_comparer import ComparerSettings, SandboxComparer
from swath_marketplace.store.environments import EnvironmentRegistry

#: The environment that comes with Swath; its library reads every kind of output.
_PREFERRED = "eo"


def sandbox_comparer(settings: Settings) -> Comparer:
    """A comparer in sandboxes of this machine, by the library of the environment ``eo`` or of the first there is."""
    data = settings.data.absolute()
    environments = EnvironmentRegistry(data / "environments")

    def environment() -> Environment | None:
        return environments.get(_PREFERRED) or next(iter(environments.list()), None)

    made = SandboxComparer(
        environment=environment,
        uids=UidRegistry(data / "uids" / "uids.json"),
        scratch=data / "marketplace" / "comparing",
        settings=ComparerSettings(allow=settings.allow()),
    )
    made.sweep()
    return made
