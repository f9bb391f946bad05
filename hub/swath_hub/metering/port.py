"""What the hub asks of the quota service, and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from swath_quota.client import Hold, Prices, Purpose, PurposeKind, Refusal, Settlement, Wallet


class Fault(StrEnum):
    """Whose fault it was that something ended as it did."""

    NONE = "none"
    USER = "user"
    PLATFORM = "platform"


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageEvent:
    """What one meter has counted so far. Cumulative: lost, doubled or reordered events change nothing."""

    id: str
    meter: str
    hold_id: str
    account: str
    kind: PurposeKind
    sequence: int
    usage: Mapping[str, float]
    final: bool = False
    fault: Fault = Fault.NONE
    at: datetime


class LabQuota(Protocol):
    """The calls of `swath_quota.client.QuotaClient` that a Lab server's life needs, with all their promises."""

    def hold(
        self,
        *,
        hold_id: str,
        account: str,
        amount: int,
        purpose: Purpose,
        expires_in_seconds: int,
    ) -> Hold | Refusal: ...

    def extend(self, hold_id: str, *, expires_in_seconds: int, amount: int | None = None) -> Hold | Refusal: ...

    def wallet(self, account: str) -> Wallet: ...

    def prices(self, version: str | None = None) -> Prices: ...

    def report_usage(self, events: Sequence[UsageEvent]) -> Any: ...

    def settle(self, hold_id: str, *, usage: Mapping[str, float], fault: Fault) -> Settlement: ...

    def standing(self, account: str) -> Any: ...
