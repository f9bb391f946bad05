"""The quota service from outside: the only thing of this room that other rooms import.

Nothing here imports FastAPI, SQLModel or SQLAlchemy.
"""

from swath_quota.client.fake import FakeQuotaClient
from swath_quota.client.http import HttpQuotaClient
from swath_quota.client.protocol import QuotaClient
from swath_quota.domain.errors import (
    CapturedDifferently,
    CaptureExceedsHold,
    GrantDiffers,
    HoldCaptured,
    HoldDiffers,
    HoldExpired,
    HoldReleased,
    NoSuchHold,
    NoSuchPrices,
    NoSuchTier,
    NoSuchWallet,
    NotAMember,
    NotCaptured,
    RefundDiffers,
)
from swath_quota.domain.grants import Grant, GrantCategory, GrantScope
from swath_quota.domain.holds import Hold, HoldStatus, Purpose, PurposeKind, Refusal, Settlement
from swath_quota.domain.ledger import Direction, LedgerEntry, TransactionKind
from swath_quota.domain.prices import Prices, price_run, price_sync
from swath_quota.domain.tiers import Terms, Tier, Tiers
from swath_quota.domain.wallets import Statement, Wallet

__all__ = [
    "CaptureExceedsHold",
    "CapturedDifferently",
    "Direction",
    "FakeQuotaClient",
    "Grant",
    "GrantCategory",
    "GrantDiffers",
    "GrantScope",
    "Hold",
    "HoldCaptured",
    "HoldDiffers",
    "HoldExpired",
    "HoldReleased",
    "HoldStatus",
    "HttpQuotaClient",
    "LedgerEntry",
    "NoSuchHold",
    "NoSuchPrices",
    "NoSuchTier",
    "NoSuchWallet",
    "NotAMember",
    "NotCaptured",
    "Prices",
    "Purpose",
    "PurposeKind",
    "QuotaClient",
    "RefundDiffers",
    "Refusal",
    "Settlement",
    "Statement",
    "Terms",
    "Tier",
    "Tiers",
    "TransactionKind",
    "Wallet",
    "price_run",
    "price_sync",
]
