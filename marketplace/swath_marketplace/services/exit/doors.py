"""What handlers need of this package, in one."""

from __future__ import annotations

from dataclasses import dataclass

from swath_marketplace.services.exit.accounts import Accounts
from swath_marketplace.services.exit.foreign import Foreign


@dataclass(frozen=True, kw_only=True)
class ExitDoors:
    """The services behind the doors of exports, imports and what came from elsewhere."""

    accounts: Accounts
    foreign: Foreign
    import_max_bytes: int
    """Of an archive that is sent."""
