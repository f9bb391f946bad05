"""What a room that spends credits may ask, and what it is promised."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from swath_quota.client.limits import LimitCalls
from swath_quota.client.payouts import PayoutsClient
from swath_quota.client.quotes import QuotesClient
from swath_quota.client.usage import UsageClient
from swath_quota.domain.added_value import AddedValueRequest
from swath_quota.domain.grants import ANYTHING, GRANT_PRIORITY, Grant, GrantCategory, GrantScope
from swath_quota.domain.holds import Hold, Purpose, Refusal, Settlement
from swath_quota.domain.prices import Prices
from swath_quota.domain.tiers import Tiers
from swath_quota.domain.wallets import Statement, Wallet


class QuotaClient(PayoutsClient, UsageClient, LimitCalls, QuotesClient, Protocol):
    """Credits of every user. Amounts are integer millicredits; times are aware, in UTC.

    Promises
    --------
    - Blocking; safe to use from many threads at once. Not batched.
    - Every call is idempotent, most by the id that the caller made and persisted first. A caller that crashed, or got
      no answer, repeats the call exactly and gets what the first one got.
    - ``swath_service.errors.Unavailable`` means that there was no answer. The call may have been done or not: repeat
      it. Every other `swath_service.errors.SwathError` is an answer, and repeating the call gives the same one.
    - A hold is settled exactly once: captured, released or expired. The first of these to arrive stands.
    - The second phase cannot fail for want of credits: what a hold sets aside is there until it is settled.
    - ``Invalid`` tells every fault of a request at once; ``Unauthenticated`` and ``Forbidden`` concern the token.
    """

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
        """Set `amount` aside for the user `account`, whose wallet is opened when its owner is first seen.

        It is paid from the wallet `payer` (``ada``, ``organisation:acme``), by default from the one that the user
        chose. The price list `price_version`, by default the one in force, is frozen into the hold.

        `added_value` is what the author of what runs asks on top: it is frozen into the hold, priced by the usage that
        `settle` is told (``runs``, ``area_km2``, ``cpu_seconds``), and divided in the same transaction. An author who
        spends pays none.

        A replay (same id, account, amount, purpose kind and reference) answers the hold as it *now* stands: look at
        its status. A `Refusal` is not stored: the same call may pass later.

        Raises
        ------
        HoldDiffers
            The id is taken by another hold.
        """
        ...

    def capture(self, hold_id: str, *, amount: int, usage: Mapping[str, float]) -> Settlement:
        """Take `amount`, from 0 to what is held, and give the rest back.

        A replay with the same amount answers the same settlement; `usage` is stored the first time. An overdue hold
        is captured as long as the sweep has not voided it: until then its credits are set aside, and what ran did
        run. Give holds far more time than a run may take, or `extend` them while it runs.

        Raises
        ------
        NoSuchHold, CaptureExceedsHold, CapturedDifferently, HoldReleased, HoldExpired
        """
        ...

    def release(self, hold_id: str, *, reason: str) -> Settlement:
        """Give everything back. A no-op on a hold that was released or has expired; the first reason stands.

        Raises
        ------
        NoSuchHold, HoldCaptured
        """
        ...

    def extend(self, hold_id: str, *, expires_in_seconds: int, amount: int | None = None) -> Hold | Refusal:
        """Let an open hold stand at least so long from now, and over `amount` in all; neither is ever lowered.

        A `Refusal` leaves the hold as it was, its time too.

        Raises
        ------
        NoSuchHold, HoldCaptured, HoldReleased, HoldExpired
        """
        ...

    def refund(self, hold_id: str, *, reason: str, amount: int | None = None) -> Settlement:
        """Give back `amount` of what a hold captured, by default all, as a grant of the category *compensation*.

        There is one refund a hold: a replay answers it.

        Raises
        ------
        NoSuchHold, NotCaptured, RefundDiffers
        """
        ...

    def get_hold(self, hold_id: str) -> Hold | None:
        """The hold as it stands, or ``None`` when nobody placed it."""
        ...

    def wallet(self, account: str) -> Wallet:
        """The wallet of a user, with the latest entries; opened when its owner is first seen."""
        ...

    def statement(self, account: str, *, limit: int = 50, before: int | None = None) -> Statement:
        """A page of a wallet's entries, newest first: at most `limit` (to 200), numbered below `before`."""
        ...

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
        """Give credits, spendable on `scope` from `effective_at` (now) until `expires_at` (for ever).

        Needs an operator's token, which those of services are not.

        Raises
        ------
        GrantDiffers
            The id is taken by a grant to another account or of another amount.
        """
        ...

    def assign_tier(self, account: str, *, tier: str) -> Wallet:
        """Put a wallet into another tier. Needs an operator's token.

        Raises
        ------
        NoSuchTier
        """
        ...

    def prices(self, version: str | None = None) -> Prices:
        """The prices in force now, for `swath_quota.client.price_run`; with `version`, those of that list.

        Raises
        ------
        NoSuchPrices
        """
        ...

    def tiers(self) -> Tiers:
        """Every tier."""
        ...
