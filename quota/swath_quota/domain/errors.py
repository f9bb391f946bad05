"""What can go wrong with credits, each with the one code that programs branch on."""

from __future__ import annotations

from typing import ClassVar

from swath_service.errors import Conflict, Forbidden, Invalid, NotFound, Refused, SwathError


class NoSuchHold(NotFound):
    """``no-such-hold``: nobody placed a hold with this id, or it is not the caller's to see."""


class NoSuchWallet(NotFound):
    """``no-such-wallet``: an operator asked for the wallet of a name that was never seen."""


class NoSuchTier(NotFound):
    """``no-such-tier``: the tier file names no such tier."""


class NoSuchPrices(NotFound):
    """``no-such-prices``: the price file has no list of this version."""


class NoSuchSplit(NotFound):
    """``no-such-split``: the split file has no split of this version."""


class NoSuchAuthor(NotFound):
    """``no-such-author``: nobody of this name earned anything, or it is not the caller's to see."""


class NothingToPay(Conflict):
    """``nothing-to-pay``: the author's balance is empty."""


class PayoutDiffers(Conflict):
    """``payout-differs``: the id is taken by another payout."""


class NoSuchMember(NotFound):
    """``no-such-member``: the organisation has no such member."""


class NotAMember(Forbidden):
    """``not-a-member``: the user may not spend from, or see, this organisation's wallet."""


class NotCaptured(Conflict):
    """``not-captured``: nothing was captured, so there is nothing to give back."""


class RefundDiffers(Conflict):
    """``refund-differs``: another amount was given back before."""


class NoSuchQuote(NotFound):
    """``no-such-quote``: nobody was given a quote with this id."""


class QuoteDiffers(Conflict):
    """``quote-differs``: the id is taken by the quote of another request."""


class ObservationDiffers(Conflict):
    """``observation-differs``: the id is taken by an observation of something else, or with other figures."""


class HoldDiffers(Conflict):
    """``hold-differs``: the id is taken by a hold on another account, amount or purpose."""


class GrantDiffers(Conflict):
    """``grant-differs``: the id is taken by a grant to another account or of another amount."""


class CapturedDifferently(Conflict):
    """``captured-differently``: the hold was captured before, with another amount."""


class HoldCaptured(Conflict):
    """``hold-captured``: the hold was captured, so it can be neither released nor extended."""


class HoldReleased(Conflict):
    """``hold-released``: the hold was released, so it can be neither captured nor extended."""


class HoldExpired(Conflict):
    """``hold-expired``: the hold was voided after its time, so it can be neither captured nor extended."""


class CaptureExceedsHold(Invalid):
    """``capture-exceeds-hold``: more was to be captured than was set aside."""


class UsageEventDiffers(Conflict):
    """``usage-event-differs``: the id or number is taken by another event, or the hold has another meter."""


class CreditsExhausted(Refused):
    """``credits-exhausted``, ``member-ceiling``: the wallet, or a member's part of it, has not enough credits left.

    Over HTTP only; in Python it is a `Refusal`.
    """


class QuotaExceeded(Refused):
    """``quota-exceeded``: a limit other than the wallet says no. Over HTTP only; in Python it is a `Refusal`."""


class NoSuchLimit(NotFound):
    """``no-such-limit``: no tier has a limit of this name."""


class NoSuchOverride(NotFound):
    """``no-such-override``: nobody made an override with this id."""


class TakeDiffers(Conflict):
    """``take-differs``: the id is taken by a take of another account, limit or amount."""


class TakeEnded(Conflict):
    """``take-ended``: the take was given back or has expired, so it stands for nothing."""


class OverrideDiffers(Conflict):
    """``override-differs``: the id is taken by another override."""


class Codes:
    """The one table from a problem's code to its type, so that a client raises what the service raised."""

    TYPES: ClassVar[dict[str, type[SwathError]]] = {
        "no-such-hold": NoSuchHold,
        "no-such-wallet": NoSuchWallet,
        "no-such-tier": NoSuchTier,
        "no-such-prices": NoSuchPrices,
        "no-such-split": NoSuchSplit,
        "no-such-author": NoSuchAuthor,
        "nothing-to-pay": NothingToPay,
        "payout-differs": PayoutDiffers,
        "no-such-member": NoSuchMember,
        "not-a-member": NotAMember,
        "not-captured": NotCaptured,
        "refund-differs": RefundDiffers,
        "no-such-quote": NoSuchQuote,
        "quote-differs": QuoteDiffers,
        "observation-differs": ObservationDiffers,
        "hold-differs": HoldDiffers,
        "grant-differs": GrantDiffers,
        "captured-differently": CapturedDifferently,
        "hold-captured": HoldCaptured,
        "hold-released": HoldReleased,
        "hold-expired": HoldExpired,
        "capture-exceeds-hold": CaptureExceedsHold,
        "credits-exhausted": CreditsExhausted,
        "member-ceiling": CreditsExhausted,
        "usage-event-differs": UsageEventDiffers,
        "quota-exceeded": QuotaExceeded,
        "no-such-limit": NoSuchLimit,
        "no-such-override": NoSuchOverride,
        "take-differs": TakeDiffers,
        "take-ended": TakeEnded,
        "override-differs": OverrideDiffers,
    }
