"""What was installed in the environments that runs ran in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from swath_marketplace.api.context import Caller, Services
from swath_marketplace.domain.inventories import Change

router = APIRouter(prefix="/inventories", tags=["environments"])

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.get("/{inventory_sha256}")
def inventory(inventory_sha256: Digest, actor: Caller, services: Services) -> dict[str, Any]:
    """The packages of an inventory: each with its version and the digest of its files."""
    found = services.inventories.get(actor, inventory_sha256)
    return {
        "inventory_sha256": inventory_sha256,
        "python": found.python,
        "interpreter_sha256": found.interpreter_sha256,
        "packages": {name: one.as_dict() for name, one in found.distributions.items()},
        "loose": dict(found.loose),
        "editable": found.editable,
    }


@router.get("/{inventory_sha256}/changes/{other_sha256}")
def changes(inventory_sha256: Digest, other_sha256: Digest, actor: Caller, services: Services) -> dict[str, Any]:
    """What changed from the first inventory to the other."""
    found = services.inventories.difference(actor, inventory_sha256, other_sha256)
    return {"changes": [_change(one) for one in found]}


def _change(change: Change) -> dict[str, Any]:
    return {
        "name": change.name,
        "kind": change.kind.value,
        "before": change.before,
        "after": change.after,
        "paths": list(change.paths),
        "text": str(change),
    }
