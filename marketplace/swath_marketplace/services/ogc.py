"""What only the door of OGC API - Processes needs, in one piece."""

from __future__ import annotations

from dataclasses import dataclass

from swath_marketplace.services.executions import Executions
from swath_marketplace.services.packages import Packages


@dataclass(frozen=True, kw_only=True)
class OgcServices:
    """The services behind that door."""

    executions: Executions
    packages: Packages
    sync_seconds: float
    """Versions that may run no longer can be executed synchronously, and that long an answer is waited for."""
