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
    unit: str
    """What is counted, as the tier file has it: ``run``, ``byte``, ``MB``, ``millicredit``."""
    used: int
    limit: int | None
    """``None``: unrestricted."""
    soft: int | None = None
    """Beyond it things are slower."""
    resets_at: datetime | None = None
    """When time alone makes less of it used; ``None`` where that depends on what goes on."""
    is_own: bool = False
    """Whether an operator set it for this wallet apart from its tier."""

    @property
    def share(self) -> float:
        """How much is used, from 0 to 1."""
        if self.limit is None:
            return 0.0
        return min(1.0, max(0.0, self.used / self.limit)) if self.limit > 0 else 1.0

    @property
    def fullness(self) -> Fullness:
        """How near the limit is."""
        if self.limit is None:
            return Fullness.ROOM
        if self.used >= self.limit:
            return Fullness.FULL
        is_slow = self.soft is not None and self.used > self.soft
        return Fullness.NEAR if is_slow or self.share >= 0.8 else Fullness.ROOM

    @property
    def title(self) -> str:
        """What people call it."""
        return _TITLES.get(self.name, self.name)

    @property
    def text(self) -> str:
        """Used and allowed, with the unit: ``3 of 12 requests``."""
        if self.limit is None:
            return f"{_amount(self.used, self.unit)}, unrestricted"
        if self.unit in _BYTES:
            return f"{_amount(self.used, self.unit)} of {_amount(self.limit, self.unit)}"
        return f"{_amount(self.used, self.unit).partition(' ')[0]} of {_amount(self.limit, self.unit)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitReport:
    """Every limit of a wallet, and why it gets less than its tier says."""

    degraded: tuple[str, ...] = ()
    lines: tuple[LimitLine, ...] = ()


_TITLES = {
    "credits.month": "Credits this month",
    "runs.concurrent": "Runs at a time",
    "runs.starts.minute": "Runs started a minute",
    "api.requests.minute": "Requests a minute",
    "processing.requests.month": "Processing requests this month",
    "processing.units.month": "Processing units this month",
    "processing.units.minute": "Processing units a minute",
    "transfer.bytes.30d": "Transfer in 30 days",
    "transfer.rate": "Transfer rate a connection",
    "transfer.connections": "Connections at a time",
    "products.month": "Products this month",
    "results.days": "Days that results are kept",
    "lab.servers": "Lab servers at a time",
    "lab.cores": "Cores of Lab servers",
    "lab.memory_mb": "Memory of Lab servers",
    "lab.storage_mb": "Storage of the home",
    "dask.clusters": "Dask clusters at a time",
    "dask.cores": "Cores of Dask clusters",
    "dask.memory_mb": "Memory of Dask clusters",
}


#: Units that are counted in bytes, and how many one is.
_BYTES = {"byte": 1, "MB": 2**20}
#: Units that people read in thousandths.
_THOUSANDTHS = {"millicredit": "credit", "milli_processing_unit": "processing unit"}


def _amount(value: int, unit: str) -> str:
    if unit in _BYTES:
        return _bytes(value * _BYTES[unit])
    if unit in _THOUSANDTHS:
        return f"{_number(value / 1000)} {_THOUSANDTHS[unit]}{'' if value == 1000 else 's'}"
    return f"{value:,} {unit}{'' if value == 1 else 's'}"


def _number(value: float) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def _bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{_number(round(value, 1))} {unit}"
        value /= 1024
    return f"{_number(round(value, 1))} TiB"
