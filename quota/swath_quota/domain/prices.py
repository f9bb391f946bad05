"""What resources cost.

Formula and constants are those that the Copernicus Data Space Ecosystem publishes for openEO processing:
credits = 1.0 x GB-hours (reserved memory, 1 GB = 1,024 MB) + 1.5 x CPU-hours + 2 per batch run; a synchronous call is
a flat 6. Time in a queue is free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import floor, isfinite

from swath_quota.domain.errors import NoSuchPrices

_SECONDS_PER_HOUR = 3600
_MB_PER_GB = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """A price list, in millicredits."""

    effective_on: date
    per_cpu_hour: int
    per_gb_hour: int
    """For each hour that 1,024 MB were reserved, used or not."""
    per_batch_run: int
    """Once a batch run."""
    per_sync_call: int
    """All of a synchronous call."""
    per_storage_gb: int = 0
    """For each 1,024 MB that were written to be kept."""
    per_transfer_gb: int = 0
    """For each 1,024 MB that went in or out."""

    def __post_init__(self) -> None:
        processing = (self.per_cpu_hour, self.per_gb_hour, self.per_batch_run, self.per_sync_call)
        if min(*processing, self.per_storage_gb, self.per_transfer_gb) < 0:
            raise ValueError("a price is below zero")

    @property
    def version(self) -> str:
        """Name of the list, frozen into quotes and holds: the ISO day that it is in force from."""
        return self.effective_on.isoformat()


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceLists:
    """The price lists of a price file, ordered by `Prices.effective_on`."""

    lists: tuple[Prices, ...]

    def __post_init__(self) -> None:
        days = [prices.effective_on for prices in self.lists]
        if not days or days != sorted(set(days)):
            raise ValueError("price lists must be there and ordered by different days")

    def on(self, day: date) -> Prices:
        """The prices in force on `day`; before the first list, those."""
        past = [prices for prices in self.lists if prices.effective_on <= day]
        return past[-1] if past else self.lists[0]

    def version(self, name: str) -> Prices:
        """The list called `name` (`Prices.version`), in force or not: what was promised under it is kept.

        Raises
        ------
        NoSuchPrices
        """
        for prices in self.lists:
            if prices.version == name:
                return prices
        raise NoSuchPrices(
            code="no-such-prices",
            message=f"there is no price list {name!r}",
            mend="use one of: " + ", ".join(prices.version for prices in self.lists),
        )


def price_run(
    prices: Prices,
    *,
    cpu_seconds: float,
    memory_mb_seconds: float,
    storage_mb: float = 0.0,
    transfer_mb: float = 0.0,
    batch: bool = True,
) -> int:
    """What a run, a Lab server or a cluster costs, in millicredits, rounded half up.

    Counted in fractions: the same usage costs the same on every machine, and more usage never costs less, so a price
    over upper limits is an upper limit.

    Parameters
    ----------
    cpu_seconds
        CPU time used, in seconds over all cores.
    memory_mb_seconds
        Reserved memory in MB (1,024 MB = 1 GB) times the seconds it was reserved.
    storage_mb
        What was written to be kept, in MB.
    transfer_mb
        What went in or out, in MB.
    batch
        Whether the fee of a batch run is due; a Lab server or a cluster of its own has none.

    Raises
    ------
    ValueError
        A quantity is below zero or not finite.
    """
    for quantity in (cpu_seconds, memory_mb_seconds, storage_mb, transfer_mb):
        if not isfinite(quantity) or quantity < 0:
            raise ValueError(f"{quantity} is not a quantity that can have been used")
    exact = (
        Fraction(cpu_seconds) * prices.per_cpu_hour / _SECONDS_PER_HOUR
        + Fraction(memory_mb_seconds) * prices.per_gb_hour / (_MB_PER_GB * _SECONDS_PER_HOUR)
        + (Fraction(storage_mb) * prices.per_storage_gb + Fraction(transfer_mb) * prices.per_transfer_gb) / _MB_PER_GB
        + (prices.per_batch_run if batch else 0)
    )
    return floor(exact + Fraction(1, 2))


def price_quantities(prices: Prices, usage: Mapping[str, float], *, batch: bool) -> int:
    """What metered `usage` costs, in millicredits; `price_run` over the quantities that have a price, 0 where absent.

    Raises
    ------
    ValueError
        A quantity is below zero or not finite.
    """
    priced = ("cpu_seconds", "memory_mb_seconds", "storage_mb", "transfer_mb")
    cpu, memory, storage, transfer = (usage.get(name, 0.0) for name in priced)
    return price_run(
        prices,
        cpu_seconds=cpu,
        memory_mb_seconds=memory,
        storage_mb=storage,
        transfer_mb=transfer,
        batch=batch,
    )


def price_sync(prices: Prices) -> int:
    """What a synchronous call costs, in millicredits: the same whatever it uses."""
    return prices.per_sync_call
