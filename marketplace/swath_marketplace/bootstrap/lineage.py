"""Lineage, wired."""

from __future__ import annotations

from swath_marketplace.services.lineage import Lineages
from swath_marketplace.services.runs import Runs
from swath_marketplace.store.database import Database
from swath_marketplace.store.lineage import LineageStore


def lineages(database: Database, *, runs: Runs) -> Lineages:
    """The service that answers where results come from."""
    return Lineages(store=LineageStore(database), runs=runs)
