"""What a run ran in: the inventory of its environment when it started, and whether that was the same at its end."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from swath_service.actor import Actor, Scope
from swath_service.errors import NotFound

from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.domain.inventories import Change, Inventory, difference
from swath_marketplace.domain.runs import Run
from swath_marketplace.store.artifacts import ArtifactDamaged
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.store.inventories import Installed, InventoryStore

log = logging.getLogger(__name__)

#: From the start of a run's process to the time that is noted as its start, at most.
_MOMENT_SECONDS = 0.5


class Inventories:
    """Inventories for runs and for whoever compares them. No trouble with one ever ends a run.

    Parameters
    ----------
    here
        Whether runs take place in the environments of this machine; where they do not, nobody can look.
    """

    def __init__(self, *, store: InventoryStore, environments: EnvironmentRegistry, here: bool) -> None:
        self._store = store
        self._environments = environments
        self._here = here

    def named(self, environment: Environment) -> Mapping[str, Any]:
        """What is known of `environment` before anybody has looked."""
        return _kept(environment, None)

    def at_start(self, environment: Environment) -> Mapping[str, Any]:
        """What `environment` is now, as a run keeps it."""
        return _kept(environment, self._look(environment))

    def at_end(self, run: Run) -> Mapping[str, Any] | None:
        """What `run` keeps of its environment, with ``changed`` if it is not what it was when the run started.

        Every file is looked at once more, so that a change which the look at the start could not see is found, and so
        is what a crash right after the start kept from being looked at.
        """
        kept = run.environment
        if not kept or run.started_at is None:
            return kept
        environment = self._environments.by_lock(kept["name"], kept["lock_sha256"])
        found = self._look(environment, after=run.started_at.timestamp()) if environment else None
        if found is None or found.inventory_sha256 == kept["inventory_sha256"]:
            return kept
        if found.changed_at < run.started_at.timestamp() - _MOMENT_SECONDS:
            # It has been as it is since before the start, only the look at the start was too cheap to see it.
            return {**kept, "inventory_sha256": found.inventory_sha256, "python": found.python}
        if kept["inventory_sha256"] is None:
            return kept
        return {**kept, "changed": True, "inventory_at_end_sha256": found.inventory_sha256}

    def get(self, actor: Actor, inventory_sha256: str) -> Inventory:
        """An inventory by its digest.

        Raises
        ------
        NotFound
        """
        actor.require(Scope.READ)
        try:
            return self._store.read(inventory_sha256)
        except (ArtifactDamaged, ValueError) as error:
            raise NotFound(
                code="no-such-inventory",
                message="there is no inventory of that digest",
                mend="a run names its own: environment.inventory_sha256",
            ) from error

    def difference(self, actor: Actor, before: str, after: str) -> Sequence[Change]:
        """What changed between two inventories.

        Raises
        ------
        NotFound
        """
        return difference(self.get(actor, before), self.get(actor, after))

    def _look(self, environment: Environment, *, after: float | None = None) -> Installed | None:
        if not self._here:
            return None
        try:
            return self._store.now(environment, after=after)
        except (OSError, ValueError, sqlite3.Error) as error:
            log.warning("what is installed in %s cannot be read: %s", environment.name, error)
            return None


def _kept(environment: Environment, found: Installed | None) -> Mapping[str, Any]:
    return {
        "name": environment.name,
        "lock_sha256": environment.lock_sha256,
        "inventory_sha256": found.inventory_sha256 if found else None,
        "python": found.python if found else None,
    }
