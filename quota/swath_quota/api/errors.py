"""The one table from what can go wrong to the status that says so."""

from __future__ import annotations

from swath_service.errors import SwathError

from swath_quota.domain import errors

STATUSES: dict[type[SwathError], int] = {
    errors.CreditsExhausted: 402,
    errors.QuotaExceeded: 429,
    errors.NoSuchHold: 404,
    errors.NoSuchWallet: 404,
    errors.NoSuchTier: 404,
    errors.NoSuchPrices: 404,
    errors.NoSuchSplit: 404,
    errors.NoSuchAuthor: 404,
    errors.NothingToPay: 409,
    errors.PayoutDiffers: 409,
    errors.NoSuchMember: 404,
    errors.NotAMember: 403,
    errors.NotCaptured: 409,
    errors.RefundDiffers: 409,
    errors.NoSuchLimit: 404,
    errors.NoSuchOverride: 404,
    errors.TakeDiffers: 409,
    errors.TakeEnded: 409,
    errors.OverrideDiffers: 409,
    errors.NoSuchQuote: 404,
    errors.QuoteDiffers: 409,
    errors.ObservationDiffers: 409,
    errors.HoldDiffers: 409,
    errors.GrantDiffers: 409,
    errors.CapturedDifferently: 409,
    errors.HoldCaptured: 409,
    errors.HoldReleased: 409,
    errors.HoldExpired: 409,
    errors.CaptureExceedsHold: 422,
    errors.UsageEventDiffers: 409,
}
