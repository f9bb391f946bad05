"""Limits as people read them: what each is called, how full it is and when it empties."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Fullness(StrEnum):
    """How near a limit is."""

    ROOM = "room"
    NEAR = "near"
    """Four fifths or more are used."""
    FULL = "full"


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitLine:
    """One limit and what is used of it."""

    name: str
    """``runs.concurrent``."""
    used: float
    limit: float
    resets_at: datetime | None
    """When something of it is free again by the calendar; ``None`` where that depends on what goes on."""

    @property
    def share(self) -> float:
        """How much is used, from 0 to 1."""
        if self.limit <= 0:
            return 1.0
        return min(1.0, max(0.0, self.used / self.limit))

    @property
    def fullness(self) -> Fullness:
        """How near the limit is."""
        if self.used >= self.limit:
            return Fullness.FULL
        return Fullness.NEAR if self.share >= 0.8 else Fullness.ROOM

    @property
    def title(self) -> str:
        """What people call it."""
        return _TITLES.get(self.name, (self.name, ""))[0]

    @property
    def unit(self) -> str:
        """What is counted."""
        return _TITLES.get(self.name, ("", ""))[1]

    @property
    def text(self) -> str:
        """Used and allowed, with the unit: ``3 of 12 requests``."""
        if self.name == "credits.month":
            return f"{_number(self.used / 1000)} of {_number(self.limit / 1000)} credits"
        if self.unit == "bytes":
            return f"{_bytes(self.used)} of {_bytes(self.limit)}"
        if self.unit == "MB":
            return f"{_bytes(self.used * 2**20)} of {_bytes(self.limit * 2**20)}"
        return f"{_number(self.used)} of {_number(self.limit)} {self.unit}".rstrip()


_TITLES = {
    "credits.month": ("Credits this month", "credits"),
    "runs.concurrent": ("Runs at a time", "runs"),
    "runs.starts.minute": ("Runs started a minute", "starts"),
    "api.requests.minute": ("Requests a minute", "requests"),
    "processing.requests.month": ("Processing requests this month", "requests"),
    "processing.units.month": ("Processing units this month", "units"),
    "processing.units.minute": ("Processing units a minute", "units"),
    "transfer.bytes.30d": ("Transfer in 30 days", "bytes"),
    "transfer.rate": ("Transfer rate a connection", "bytes"),
    "transfer.connections": ("Connections at a time", "connections"),
    "products.month": ("Products this month", "products"),
    "lab.servers": ("Lab servers at a time", "servers"),
    "lab.cores": ("Cores of Lab servers", "cores"),
    "lab.memory_mb": ("Memory of Lab servers", "MB"),
    "lab.storage_mb": ("Storage of the home", "MB"),
    "dask.clusters": ("Dask clusters at a time", "clusters"),
    "dask.cores": ("Cores of Dask clusters", "cores"),
    "dask.memory_mb": ("Memory of Dask clusters", "MB"),
}


def _number(value: float) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{_number(round(value, 1))} {unit}"
        value /= 1024
    return f"{_number(round(value, 1))} TiB"
