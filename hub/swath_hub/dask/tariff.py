"""What a cluster costs: cores and memory are reserved for it, so their time is its price whether they work or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from swath_quota.client import Prices, price_run


@dataclass(frozen=True, kw_only=True, slots=True)
class Tariff:
    """The prices that were in force when a cluster's hold was placed, in millicredits."""

    version: str
    """ISO day of the price list."""
    per_cpu_hour: int
    per_gb_hour: int

    @classmethod
    def of(cls, prices: Prices) -> Tariff:
        """The part of a price list that clusters are charged by."""
        return cls(
            version=prices.effective_on.isoformat(), per_cpu_hour=prices.per_cpu_hour, per_gb_hour=prices.per_gb_hour
        )

    def cost(self, *, cpu_seconds: float, memory_mb_seconds: float) -> int:
        """Millicredits for so much, by the quota service's own formula, `price_run` without the fee of a batch run."""
        prices = Prices(
            effective_on=date.fromisoformat(self.version),
            per_cpu_hour=self.per_cpu_hour,
            per_gb_hour=self.per_gb_hour,
            per_batch_run=0,
            per_sync_call=0,
        )
        return price_run(prices, cpu_seconds=cpu_seconds, memory_mb_seconds=memory_mb_seconds, batch=False)
