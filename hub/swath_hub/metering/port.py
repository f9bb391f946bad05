"""What the hub asks of the quota service, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from swath_quota.client import (
    Fault,
    Hold,
    Prices,
    Purpose,
    Refusal,
    Settlement,
    Standing,
    UsageAnswer,
    UsageEvent,
    Wallet,
)

__all__ = ["Fault", "LabQuota", "Standing", "UsageEvent"]


class LabQuota(Protocol):
    """The calls of `swath_quota.client.QuotaClient` that a Lab server's life needs, with all their promises."""

    def hold(
        self, *, hold_id: str, account: str, amount: int, purpose: Purpose, expires_in_seconds: int
    ) -> Hold | Refusal: ...

    def extend(self, hold_id: str, *, expires_in_seconds: int, amount: int | None = None) -> Hold | Refusal: ...

    def wallet(self, account: str) -> Wallet: ...

    def prices(self, version: str | None = None) -> Prices: ...

    def report_usage(self, events: Sequence[UsageEvent]) -> UsageAnswer: ...

    def settle(self, hold_id: str, *, usage: Mapping[str, float], fault: Fault) -> Settlement: ...

    def standing(self, account: str) -> Standing: ...
