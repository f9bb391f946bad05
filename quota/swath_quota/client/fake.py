"""A `QuotaClient` without a service: the service's own rules over books in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Unavailable

from swath_quota import services
from swath_quota.catalogue import load_prices, load_tiers, shipped_splits
from swath_quota.client.limits import FakeLimits
from swath_quota.client.payouts import FakePayouts
from swath_quota.client.quotes import FakeQuotes
from swath_quota.client.usage import FakeUsage
from swath_quota.domain.added_value import AddedValueRequest, Splits
from swath_quota.domain.grants import ANYTHING, GRANT_PRIORITY, Grant, GrantCategory, GrantScope
from swath_quota.domain.holds import Hold, Purpose, Refusal, Settlement
from swath_quota.domain.limit_ports import LimitStore
from swath_quota.domain.meters import MeterStore
from swath_quota.domain.ports import Books
from swath_quota.domain.prices import PriceLists, Prices
from swath_quota.domain.quote_ports import QuoteStore
from swath_quota.domain.tiers import Tiers
from swath_quota.domain.wallets import Statement, Wallet
from swath_quota.services.desk import Desk, utc_now
from swath_quota.store.limits_memory import MemoryLimits
from swath_quota.store.memory import MemoryBooks
from swath_quota.store.quote_memory import MemoryQuotes
from swath_quota.store.usage_memory import MemoryMeters


class FakeQuotaClient(FakePayouts, FakeUsage, FakeLimits, FakeQuotes):
    """Keeps every promise of `QuotaClient` but to outlive the process.

    Parameters
    ----------
    clock
        The time, for tests of months and expiries.
    tiers, prices, splits
        By default those that come with Swath.
    books, meters, limits, quotes
        By default empty ones in memory.

    Attributes
    ----------
    down
        Set it to true, and every call raises `Unavailable` before anything is done.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = utc_now,
        tiers: Tiers | None = None,
        prices: PriceLists | None = None,
        books: Books | None = None,
        meters: MeterStore | None = None,
        limits: LimitStore | None = None,
        quotes: QuoteStore | None = None,
        splits: Splits | None = None,
    ) -> None:
        self.down = False
        self._actor = Actor(
            name="fake", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER})
        )
        self._made = Desk(
            books=books or MemoryBooks(),
            meters=meters or MemoryMeters(),
            tiers=tiers or load_tiers(),
            prices=prices or load_prices(),
            clock=clock,
            limits=limits or MemoryLimits(),
            quotes=quotes or MemoryQuotes(),
            splits=splits or shipped_splits(),
        )

    @property
    def _desk(self) -> Desk:
        if self.down:
            raise Unavailable(code="quota-unreachable", message="the quota service does not answer", mend="try again")
        return self._made

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
        added_value: AddedValueRequest | None = None,
    ) -> Hold | Refusal:
        placed = services.hold(
            self._actor,
            self._desk,
            hold_id=hold_id,
            account=account,
            amount=amount,
            purpose=purpose,
            expires_in_seconds=expires_in_seconds,
            payer=payer,
            price_version=price_version,
            added_value=added_value,
        )
        return placed if isinstance(placed, Refusal) else placed.hold

    def capture(self, hold_id: str, *, amount: int, usage: Mapping[str, float]) -> Settlement:
        return services.capture(self._actor, self._desk, hold_id=hold_id, amount=amount, usage=usage)

    def release(self, hold_id: str, *, reason: str) -> Settlement:
        return services.release(self._actor, self._desk, hold_id=hold_id, reason=reason)

    def extend(self, hold_id: str, *, expires_in_seconds: int, amount: int | None = None) -> Hold | Refusal:
        return services.extend(
            self._actor, self._desk, hold_id=hold_id, expires_in_seconds=expires_in_seconds, amount=amount
        )

    def refund(self, hold_id: str, *, reason: str, amount: int | None = None) -> Settlement:
        return services.refund(self._actor, self._desk, hold_id=hold_id, reason=reason, amount=amount)

    def get_hold(self, hold_id: str) -> Hold | None:
        return services.get_hold(self._actor, self._desk, hold_id=hold_id)

    def wallet(self, account: str) -> Wallet:
        return services.wallet(self._actor, self._desk, account=account)

    def statement(self, account: str, *, limit: int = 50, before: int | None = None) -> Statement:
        return services.statement(self._actor, self._desk, account=account, limit=limit, before=before)

    def grant(
        self,
        *,
        grant_id: str,
        account: str,
        amount: int,
        description: str,
        category: GrantCategory = GrantCategory.PROMOTIONAL,
        priority: int = GRANT_PRIORITY,
        scope: GrantScope = ANYTHING,
        effective_at: datetime | None = None,
        expires_at: datetime | None = None,
    ) -> Grant:
        return services.grant(
            self._actor,
            self._desk,
            grant_id=grant_id,
            account=account,
            amount=amount,
            description=description,
            category=category,
            priority=priority,
            scope=scope,
            effective_at=effective_at,
            expires_at=expires_at,
        )

    def assign_tier(self, account: str, *, tier: str) -> Wallet:
        return services.assign_tier(self._actor, self._desk, account=account, tier=tier)

    def prices(self, version: str | None = None) -> Prices:
        return services.price_list(self._actor, self._desk, version=version)

    def tiers(self) -> Tiers:
        return services.tier_list(self._actor, self._desk)

    def sweep(self) -> int:
        """Void the holds whose time is over, as the service does in the background."""
        return services.sweep(self._actor, self._desk)

    def audit(self) -> services.AuditReport:
        """Verify the books."""
        return services.audit(self._actor, self._desk)
