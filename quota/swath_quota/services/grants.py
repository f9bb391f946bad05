"""What operators give: credits and tiers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from swath_service.actor import Actor, Scope

from swath_quota.domain.accounts import ISSUER, wallet_id
from swath_quota.domain.checks import MAX_AMOUNT, MAX_PRIORITY, MAX_TEXT, Checks
from swath_quota.domain.errors import GrantDiffers
from swath_quota.domain.grants import ANYTHING, GRANT_PRIORITY, Grant, GrantCategory, GrantKind, GrantScope
from swath_quota.domain.ports import Unit
from swath_quota.domain.wallets import Wallet
from swath_quota.services.desk import Desk
from swath_quota.services.opening import expect_end, give, give_allowance, refresh
from swath_quota.services.wallets import wallet


def grant(
    actor: Actor,
    desk: Desk,
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
    """Give `amount` millicredits to a wallet, opened if need be, to be spent before `expires_at`.

    Idempotent by `grant_id`: a replay answers the grant as it now stands.

    Parameters
    ----------
    priority
        Lower is spent first; an allowance has 10.
    effective_at
        From when on it may be spent; by default now.

    Raises
    ------
    NoSuchWallet
        An organisation's that nobody opened.
    GrantDiffers, Invalid, Forbidden
    """
    actor.require(Scope.ADMINISTER)
    now = desk.clock()
    checks = Checks()
    checks.id("grant_id", value=grant_id)
    checks.name("account", value=account)
    checks.integer("amount", value=amount, least=1, most=MAX_AMOUNT)
    checks.text("description", value=description, longest=MAX_TEXT)
    checks.integer("priority", value=priority, least=0, most=MAX_PRIORITY)
    checks.scope("scope", value=scope)
    for field, moment in (("effective_at", effective_at), ("expires_at", expires_at)):
        if moment is not None and moment.tzinfo is None:
            checks.fault(field, message=f"{field} has no time zone", mend="send it with an offset or Z")
    checks.done()
    stored_id = f"gift:{grant_id}"

    def work(unit: Unit) -> Grant:
        unit.lock([ISSUER, wallet_id(account)])
        existing = unit.grant(stored_id)
        if existing:
            return _same(existing, account=account, amount=amount)
        if expires_at is not None and expires_at <= max(now, effective_at or now):
            late = "past" if expires_at <= now else "not after effective_at"
            checks.fault("expires_at", message=f"expires_at is {late}", mend="send a later time, or none")
            checks.done()
        given = Grant(
            id=stored_id,
            account=account,
            kind=GrantKind.GIFT,
            category=category,
            amount=amount,
            remaining=amount,
            priority=priority,
            scope=scope,
            description=description,
            granted_by=actor.name,
            created_at=now,
            effective_at=effective_at or now,
            expires_at=expires_at,
        )
        give(unit, given)
        expect_end(unit, wallet_id(account), of=given)
        return given

    refresh(desk, account, now=now)
    return desk.books.run(work)


def assign_tier(actor: Actor, desk: Desk, *, account: str, tier: str) -> Wallet:
    """Put a wallet, opened if need be, into another tier. Idempotent.

    A higher allowance holds at once: the difference of this month is given. A lower one holds from next month.

    Raises
    ------
    NoSuchTier, Invalid, Forbidden
    """
    actor.require(Scope.ADMINISTER)
    checks = Checks()
    checks.name("account", value=account)
    checks.done()
    desk.tiers.named(tier)
    now = desk.clock()

    def work(unit: Unit) -> None:
        found = unit.lock([ISSUER, wallet_id(account)])[wallet_id(account)]
        unit.save_account(replace(found, tier=tier))
        # It ends with the month, when the wallet is seen to anyway.
        give_allowance(unit, found.id, desk=desk, now=now)

    refresh(desk, account, now=now)
    desk.books.run(work)
    return wallet(actor, desk, account=account)


def _same(existing: Grant, *, account: str, amount: int) -> Grant:
    if (existing.account, existing.amount) != (account, amount):
        raise GrantDiffers(
            code="grant-differs",
            message="the id is taken by a grant to another account or of another amount",
            mend="make a new id for a new grant",
        )
    return existing
