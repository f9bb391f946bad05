"""What runs ran in and what they read, as it is observed from outside."""

from __future__ import annotations

from pathlib import Path

from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.services.inputs import InputObserver
from swath_marketplace.services.inventories import Inventories
from swath_marketplace.store.artifacts import ArtifactStore
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.store.file_hashes import FileHashes
from swath_marketplace.store.inventories import InventoryStore


def observers_of(settings: Settings, *, here: bool) -> tuple[Inventories, InputObserver]:
    """Who observes environments, and who observes inputs.

    Parameters
    ----------
    here
        Whether runs take place in the environments of this machine.
    """
    data = settings.data.absolute()
    hashes = FileHashes(settings.file_hashes_path())
    store = InventoryStore(artifacts=ArtifactStore(data / "marketplace" / "artifacts"), hashes=hashes)
    inventories = Inventories(store=store, environments=EnvironmentRegistry(data / "environments"), here=here)
    return inventories, InputObserver(archive=archive_of(settings), hashes=hashes)


def archive_of(settings: Settings) -> Path | None:
    """The folder that runs see as ``/archive``; none when there is no archive."""
    archive = (settings.archive or settings.data / "archive").absolute()
    return archive if archive.is_dir() else None
