"""What the door of OGC API - Processes stands on."""

from __future__ import annotations

from swath_marketplace.api.ogc.callbacks import Subscribed
from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.domain.executions import SUBSCRIBER
from swath_marketplace.services.delivering import Deliverer
from swath_marketplace.services.executions import Executions
from swath_marketplace.services.ogc import OgcServices
from swath_marketplace.services.packages import Packages
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.ogc import ExecutionStore, PackageStore


def ogc_services(ground: Ground, *, runs: Runs, deliverer: Deliverer, prefix: str) -> OgcServices:
    """The parts, over the marketplace's database and folders; subscribers' messages are written by them."""
    store, seconds = ExecutionStore(ground.database), ground.settings.ogc_sync_seconds
    subscribed = Subscribed(
        runs=ground.run_store, executions=store, kept=runs.kept, base=prefix.rstrip("/"), sync_seconds=seconds
    )
    deliverer.add_writer(SUBSCRIBER, subscribed.write)
    return OgcServices(
        executions=Executions(runs=runs, store=store, clock=ground.clock),
        packages=Packages(
            registry=ground.registry,
            store=PackageStore(ground.database),
            artifacts=ground.artifacts,
            clock=ground.clock,
        ),
        sync_seconds=seconds,
    )
