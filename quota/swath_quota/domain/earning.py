"""The postings behind added value: a capture that is divided, and what a refund takes back."""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

from swath_quota.domain.accounts import ISSUER, PLATFORM_STRIPES, AccountKind, account_id, platform_of
from swath_quota.domain.added_value import AddedValue, Shares, Splits, price_added, share_out
from swath_quota.domain.holds import Hold
from swath_quota.domain.ledger import Direction, Leg, signed, transfer

#: Pays research discounts. Below zero: minus everything that it ever paid.
RESEARCH = account_id(AccountKind.ISSUER, "research")
#: Where authors' balances go when they are paid out: what left Swath.
PAYOUTS = account_id(AccountKind.ISSUER, "payouts")


def author_of(name: str) -> str:
    """The account on which the author `name` earns."""
    return account_id(AccountKind.AUTHOR, name)


def fees_of(payer: str) -> str:
    """The account that takes the platform's part of what the account `payer` pays for added value."""
    return account_id(AccountKind.PLATFORM, f"fees.{crc32(payer.encode()) % PLATFORM_STRIPES:02}")


def earners(terms: AddedValue | None, *, payer: str) -> tuple[str, ...]:
    """The accounts beside payer and platform that a capture under `terms` may touch."""
    return () if terms is None else (author_of(terms.author), fees_of(payer), RESEARCH)


def capture_legs(hold: Hold, *, payer: str) -> tuple[Leg, ...]:
    """The legs of the one transaction that captures `hold` from the account `payer`; empty when nothing moves."""
    shares = hold.shares
    if not hold.captured:
        return ()
    if shares is None or hold.added_value is None:
        return transfer(source=payer, target=platform_of(payer), amount=hold.captured)
    return _legs(
        {payer: -hold.captured, RESEARCH: -shares.discount}
        | {platform_of(payer): shares.resources, author_of(hold.added_value.author): shares.author}
        | {fees_of(payer): shares.fee}
    )


def due_of(hold: Hold, *, resources: int, usage: Mapping[str, float]) -> int:
    """What `usage` costs the payer of `hold`, whatever is held; `resources` is the price of its resources."""
    terms = hold.added_value
    if terms is None:
        return resources
    added = price_added(terms.per, terms.millicredits, usage)
    return resources + added - added * terms.discount // 100


def shares_of(splits: Splits, hold: Hold, *, resources: int, usage: Mapping[str, float]) -> Shares | None:
    """How what is captured of `hold` is divided; ``None`` where there is no added value."""
    terms = hold.added_value
    if terms is None:
        return None
    return share_out(terms, resources=resources, usage=usage, share=splits.share(terms), held=hold.amount)


def is_earning(account: str) -> bool:
    """Whether an account takes part in captures for the sake of added value alone."""
    return account == RESEARCH or account.startswith((f"{AccountKind.AUTHOR}:", f"{AccountKind.PLATFORM}:fees."))


def earning_changes(hold: Hold, *, payer: str) -> dict[str, int]:
    """What the capture of `hold` changed on the accounts that `is_earning` names, by its shares."""
    return {
        leg.account_id: signed(leg.direction, leg.amount)
        for leg in capture_legs(hold, payer=payer)
        if is_earning(leg.account_id)
    }


def refund_legs(back: Shares, *, author: str, payer: str, balances: Mapping[str, int]) -> tuple[Leg, ...]:
    """The legs of giving `back` to the account `payer` what it had paid.

    The author, the fees and the platform each give what they had got, as far as they still have it. What the author
    has no more, the platform bears; and what the platform's own account has no more, it issues anew.
    """
    changes = {payer: back.captured, RESEARCH: back.discount}
    missing = 0
    for earner, amount in ((author_of(author), back.author), (fees_of(payer), back.fee)):
        taken = min(amount, balances.get(earner, 0))
        changes[earner] = -taken
        missing += amount - taken
    borne = min(back.resources + missing, balances.get(platform_of(payer), 0))
    changes[platform_of(payer)] = -borne
    changes[ISSUER] = borne - back.resources - missing
    return _legs(changes)


def _legs(changes: Mapping[str, int]) -> tuple[Leg, ...]:
    return tuple(
        Leg(account_id=name, direction=Direction.CREDIT if change > 0 else Direction.DEBIT, amount=abs(change))
        for name, change in changes.items()
        if change
    )
