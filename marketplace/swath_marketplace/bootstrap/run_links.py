"""Links to runs, wired."""

from __future__ import annotations

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.services.run_links import RunLinks
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.run_links import RunLinkStore


def run_links(ground: Ground, *, runs: Runs) -> RunLinks:
    """The service, over a store of its own."""
    return RunLinks(RunLinkStore(ground.database), runs=runs, run_store=ground.run_store, clock=ground.clock)
