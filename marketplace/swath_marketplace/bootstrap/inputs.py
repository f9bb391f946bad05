"""What runs ran in and what they read, as it is observed from outside."""

from __future__ import annotations

from swath_marketplace.bootstrap.settings import Settings
from swath_marketplace.services.inventories import Inventories
from swath_marketplace.store.artifacts import ArtifactStore
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.store.file_hashes import FileHashes
from swath_marketplace.store.inventories import InventoryStore


def inventories_of(settings: Settings, *, here: bool) -> Inventories:
    """Inventories of the environments of this machine.

    Parameters
    ----------
    here
        Whether runs take place on this machine.
    """
    data = settings.data.absolute()
    store = InventoryStore(
        artifacts=ArtifactStore(data / "marketplace" / "artifacts"), hashes=FileHashes(settings.file_hashes_path())
    )
    return Inventories(store=store, environments=EnvironmentRegistry(data / "environments"), here=here)
