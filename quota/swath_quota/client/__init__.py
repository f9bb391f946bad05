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
    NoSuchQuote,
    NoSuchTier,
    NoSuchWallet,
    ObservationDiffers,
    QuoteDiffers,
)
from swath_quota.domain.grants import Grant
from swath_quota.domain.holds import Hold, HoldStatus, Purpose, PurposeKind, Refusal, Settlement
from swath_quota.domain.ledger import Direction, LedgerEntry, TransactionKind
from swath_quota.domain.prices import Prices, price_run, price_sync, price_usage
from swath_quota.domain.quotes import Basis, Observation, ObservationSource, Quote, QuoteRequest, Reserved
from swath_quota.domain.tiers import Terms, Tier, Tiers
from swath_quota.domain.wallets import Statement, Wallet

__all__ = [
    "Basis",
    "CaptureExceedsHold",
    "CapturedDifferently",
    "Direction",
    "FakeQuotaClient",
    "Grant",
    "GrantDiffers",
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
    "NoSuchQuote",
    "NoSuchTier",
    "NoSuchWallet",
    "Observation",
    "ObservationDiffers",
    "ObservationSource",
    "Prices",
    "Purpose",
    "PurposeKind",
    "QuotaClient",
    "Quote",
    "QuoteDiffers",
    "QuoteRequest",
    "Refusal",
    "Reserved",
    "Settlement",
    "Statement",
    "Terms",
    "Tier",
    "Tiers",
    "TransactionKind",
    "Wallet",
    "price_run",
    "price_sync",
    "price_usage",
]
