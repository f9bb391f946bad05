"""What the gateway asks of the quota service: the part of `swath_quota.client.QuotaClient` that clusters need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from swath_quota.client import Fault, Hold, Prices, Purpose, Refusal, Settlement, Standing, UsageAnswer, UsageEvent

from swath_hub.dask.shares import Bound, LimitName, Limits


class DaskQuota(Protocol):
    """Keeps the promises of `swath_quota.client.QuotaClient`: blocking, safe from many threads, all idempotent."""

    def prices(self, version: str | None = None) -> Prices:
        """The prices in force, or those of a version."""
        ...

    def hold(
        self,
        *,
        hold_id: str,
        account: str,
        amount: int,
        purpose: Purpose,
        expires_in_seconds: int,
        payer: str | None = None,
        price_version: str | None = None,
    ) -> Hold | Refusal:
        """Set credits aside."""
        ...

    def extend(self, hold_id: str, *, expires_in_seconds: int, amount: int | None = None) -> Hold | Refusal:
        """Let a hold stand longer, and hold `amount` in all; a refusal leaves it as it was."""
        ...

    def report_usage(self, events: Sequence[UsageEvent]) -> UsageAnswer:
        """Append to the usage stream; at most 500."""
        ...

    def settle(self, hold_id: str, *, usage: Mapping[str, float], fault: Fault) -> Settlement:
        """End a hold: its usage is priced by its frozen price list, and at most what is held is taken."""
        ...

    def standing(self, account: str) -> Standing:
        """The user's limits."""
        ...


def limits_of(standing: Standing, fallback: Limits) -> Limits:
    """The limits for Dask in `standing`; one that the tier does not name is that of `fallback`."""
    named = {limit.name: Bound(soft=limit.soft, hard=limit.hard) for limit in standing.limits}
    return Limits(
        clusters=named.get(LimitName.CLUSTERS, fallback.clusters),
        cores=named.get(LimitName.CORES, fallback.cores),
        memory_mb=named.get(LimitName.MEMORY_MB, fallback.memory_mb),
    )


#: How a gateway comes by its client; called once, in the gateway's process.
QuotaFactory = Callable[[], DaskQuota]
