"""The quota service from outside: the only thing of this room that other rooms import.

Nothing here imports FastAPI, SQLModel or SQLAlchemy.
"""

from swath_quota.client.fake import FakeQuotaClient
from swath_quota.client.http import HttpQuotaClient
from swath_quota.client.protocol import QuotaClient
from swath_quota.client.rates import StandingPolicies
from swath_quota.domain.added_value import AddedValue, AddedValueRequest, Per, Shares, price_added
from swath_quota.domain.errors import (
    CapturedDifferently,
    CaptureExceedsHold,
    GrantDiffers,
    HoldCaptured,
    HoldDiffers,
    HoldExpired,
    HoldReleased,
    NoSuchAuthor,
    NoSuchHold,
    NoSuchLimit,
    NoSuchOverride,
    NoSuchPrices,
    NoSuchQuote,
    NoSuchSplit,
    NoSuchTier,
    NoSuchWallet,
    NotAMember,
    NotCaptured,
    NothingToPay,
    ObservationDiffers,
    OverrideDiffers,
    PayoutDiffers,
    QuoteDiffers,
    RefundDiffers,
    TakeDiffers,
    TakeEnded,
    UsageEventDiffers,
)
from swath_quota.domain.grants import Grant, GrantCategory, GrantScope
from swath_quota.domain.holds import Hold, HoldStatus, Purpose, PurposeKind, Refusal, Settlement
from swath_quota.domain.ledger import Direction, LedgerEntry, TransactionKind
from swath_quota.domain.limits import Degrade, Limit, LimitState, Origin, Standing, Taken, Window
from swath_quota.domain.meters import EventResult, Outcome, Progress, UsageAnswer, UsagePage
from swath_quota.domain.overrides import Override, Revocation
from swath_quota.domain.payouts import Payout, PayoutStatement
from swath_quota.domain.prices import Prices, price_run, price_sync
from swath_quota.domain.quotes import Basis, Observation, ObservationSource, Quote, QuoteRequest, Reserved
from swath_quota.domain.tiers import Terms, Tier, Tiers
from swath_quota.domain.usage import Fault, UsageEvent, price_usage
from swath_quota.domain.wallets import Statement, Wallet

__all__ = [
    "AddedValue",
    "AddedValueRequest",
    "Basis",
    "CaptureExceedsHold",
    "CapturedDifferently",
    "Degrade",
    "Direction",
    "EventResult",
    "FakeQuotaClient",
    "Fault",
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
    "Limit",
    "LimitState",
    "NoSuchAuthor",
    "NoSuchHold",
    "NoSuchLimit",
    "NoSuchOverride",
    "NoSuchPrices",
    "NoSuchQuote",
    "NoSuchSplit",
    "NoSuchTier",
    "NoSuchWallet",
    "NotAMember",
    "NotCaptured",
    "NothingToPay",
    "Observation",
    "ObservationDiffers",
    "ObservationSource",
    "Origin",
    "Outcome",
    "Override",
    "OverrideDiffers",
    "Payout",
    "PayoutDiffers",
    "PayoutStatement",
    "Per",
    "Prices",
    "Progress",
    "Purpose",
    "PurposeKind",
    "QuotaClient",
    "Quote",
    "QuoteDiffers",
    "QuoteRequest",
    "RefundDiffers",
    "Refusal",
    "Reserved",
    "Revocation",
    "Settlement",
    "Shares",
    "Standing",
    "StandingPolicies",
    "Statement",
    "TakeDiffers",
    "TakeEnded",
    "Taken",
    "Terms",
    "Tier",
    "Tiers",
    "TransactionKind",
    "UsageAnswer",
    "UsageEvent",
    "UsageEventDiffers",
    "UsagePage",
    "Wallet",
    "Window",
    "price_added",
    "price_run",
    "price_sync",
    "price_usage",
]
