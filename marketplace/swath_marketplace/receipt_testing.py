"""What tests of receipts share: a run brought to its end, and its receipt believed or not."""

from __future__ import annotations

from swath.contract.receipts import Believed, Bundle, check_bundle
from swath.contract.signing_keys import KeySet
from swath.signatures import verify

from swath_marketplace.domain.runs import Run
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.testing import World, notebook, user

ADA, BOB = user("ada"), user("bob")


def finish(world: World, n: int = 3, *, caller: str = "bob") -> Run:
    """A run from its request to its end."""
    world.registry.publish(ADA, notebook())
    run, _ = world.runs.create(user(caller), RunRequest(algorithm="ada/double@^1", parameters={"n": n}))
    return world.look_until(run.id)


def keys_of(world: World) -> KeySet:
    """The published keys, read as a stranger reads them."""
    return KeySet.from_bytes(world.made.context.trust.keys.current().as_bytes(), verify)


def bundle_of(world: World, run: Run) -> bytes:
    """The receipt of a run as a file."""
    return world.made.context.trust.receipts.bundle(BOB, run.id).as_bytes()


def believe(data: bytes, keys: KeySet) -> Believed:
    """Check a receipt as a stranger does."""
    return check_bundle(Bundle.from_bytes(data), keys, verify)
