"""What resources cost.

Formula and constants are those that the Copernicus Data Space Ecosystem publishes for openEO processing:
credits = 1.0 x GB-hours (reserved memory, 1 GB = 1,024 MB) + 1.5 x CPU-hours + 2 per batch run; a synchronous call is
a flat 6. Time in a queue is free.
"""

from __future__ import annotations

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

    @property
    def version(self) -> str:
        """What a hold freezes: the day from which the list is in force."""
        return self.effective_on.isoformat()

    def __post_init__(self) -> None:
        if min(self.per_cpu_hour, self.per_gb_hour, self.per_batch_run, self.per_sync_call) < 0:
            raise ValueError("a price is below zero")


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

    def version(self, version: str) -> Prices:
        """The list of that version.

        Raises
        ------
        NoSuchPrices
        """
        for prices in self.lists:
            if prices.version == version:
                return prices
        raise NoSuchPrices(
            code="no-such-prices",
            message=f"there is no price list {version[:40]!r}",
            mend="use one of: " + ", ".join(prices.version for prices in self.lists),
        )


def price_run(prices: Prices, *, cpu_seconds: float, memory_mb_seconds: float, batch: bool = True) -> int:
    """What a run, a Lab server or a cluster costs, in millicredits, rounded half up.

    Counted in fractions: the same usage costs the same on every machine, and more usage never costs less, so a price
    over upper limits is an upper limit.

    Parameters
    ----------
    cpu_seconds
        CPU time used, in seconds over all cores.
    memory_mb_seconds
        Reserved memory in MB (1,024 MB = 1 GB) times the seconds it was reserved.
    batch
        Whether the fee of a batch run is due; a Lab server or a cluster of its own has none.

    Raises
    ------
    ValueError
        A quantity is below zero or not finite.
    """
    for quantity in (cpu_seconds, memory_mb_seconds):
        if not isfinite(quantity) or quantity < 0:
            raise ValueError(f"{quantity} is not a quantity that can have been used")
    exact = (
        Fraction(cpu_seconds) * prices.per_cpu_hour / _SECONDS_PER_HOUR
        + Fraction(memory_mb_seconds) * prices.per_gb_hour / (_MB_PER_GB * _SECONDS_PER_HOUR)
        + (prices.per_batch_run if batch else 0)
    )
    return floor(exact + Fraction(1, 2))


def price_sync(prices: Prices) -> int:
    """What a synchronous call costs, in millicredits: the same whatever it uses."""
    return prices.per_sync_call
