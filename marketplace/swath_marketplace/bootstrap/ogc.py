"""What the door of OGC API - Processes stands on."""

from __future__ import annotations

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.services.executions import Callbacks, Executions, NoCallbacks
from swath_marketplace.services.ogc import OgcServices
from swath_marketplace.services.packages import Packages
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.ogc import ExecutionStore, PackageStore


def ogc_services(ground: Ground, *, runs: Runs, callbacks: Callbacks | None = None) -> OgcServices:
    """The parts, over the marketplace's database and folders."""
    return OgcServices(
        executions=Executions(
            runs=runs,
            store=ExecutionStore(ground.database),
            callbacks=callbacks or NoCallbacks(),
            clock=ground.clock,
        ),
        packages=Packages(
            registry=ground.registry,
            store=PackageStore(ground.database),
            artifacts=ground.artifacts,
            clock=ground.clock,
        ),
        sync_seconds=ground.settings.ogc_sync_seconds,
    )
