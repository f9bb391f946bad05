"""What a hold agrees about an author's added value, when it is placed."""

from __future__ import annotations

from dataclasses import replace

from swath_quota.domain.accounts import Account, wallet_id
from swath_quota.domain.added_value import MATURITIES, MAX_PRICE, AddedValue, AddedValueRequest
from swath_quota.domain.checks import Checks
from swath_quota.domain.earning import earners
from swath_quota.domain.holds import Hold
from swath_quota.domain.ports import Unit
from swath_quota.services.desk import Desk


def freeze(desk: Desk, checks: Checks, asked: AddedValueRequest | None, *, member: str) -> AddedValue | None:
    """What is asked, with the split in force; ``None`` where nobody earns: no author asks, the author is the one
    who spends, or the split has nothing for the version's maturity.

    Faults are noted in `checks`.
    """
    if asked is None:
        return None
    split = desk.splits.on(desk.clock().date())
    checks.name("added_value.author", value=asked.author)
    checks.integer("added_value.millicredits", value=asked.millicredits, least=1, most=MAX_PRICE)
    if asked.maturity not in MATURITIES:
        checks.fault(
            "added_value.maturity",
            message=f"{asked.maturity[:40]!r} is no level of maturity",
            mend="use one of " + ", ".join(MATURITIES),
        )
    if asked.author == member or asked.maturity not in split.shares:
        return None
    return AddedValue(
        author=asked.author,
        per=asked.per,
        millicredits=asked.millicredits,
        maturity=asked.maturity,
        split_version=split.version,
    )


def with_discount(desk: Desk, unit: Unit, placed: Hold, *, wallet: Account) -> Hold:
    """`placed` with the discount that its wallet's tier, or the grants behind it, give."""
    terms = placed.added_value
    if terms is None:
        return placed
    grants = {grant.id: grant for grant in unit.live_grants(placed.account)}
    categories = frozenset(str(grants[grant_id].category) for grant_id, part in placed.allocations if part)
    split = desk.splits.version(terms.split_version)
    discount = split.discount(tier=wallet.tier or desk.tiers.default, categories=categories)
    return replace(placed, added_value=replace(terms, discount=discount))


def earners_of(desk: Desk, hold_id: str) -> tuple[str, ...]:
    """The accounts, beside the payer's and the platform's, that a capture of the hold may touch."""
    found = desk.books.read(lambda reader: reader.hold(hold_id))
    return earners(found.added_value, payer=wallet_id(found.account)) if found else ()
