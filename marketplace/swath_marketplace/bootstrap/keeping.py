"""Keeping: how long results stay."""

from __future__ import annotations

from datetime import timedelta

from swath_quota.client import QuotaClient

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.services.keeping import ResultKeeper, TierDays
from swath_marketplace.store.keeping import KeepingStore


def keeping(ground: Ground, *, quota: QuotaClient) -> ResultKeeper:
    """What keeps and removes the files of runs."""
    settings = ground.settings
    days = TierDays(
        quota.standing,
        default=timedelta(days=settings.results_days),
        benchmarks=timedelta(days=settings.benchmark_keep_days),
    )
    return ResultKeeper(store=KeepingStore(ground.database), folders=ground.folders, days=days, clock=ground.clock)
