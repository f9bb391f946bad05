"""Give back what was captured, as amends: free credits as well as paid ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from swath_service.actor import Actor, Scope

from swath_quota.domain.accounts import ISSUER, Account, platform_of, wallet_id
from swath_quota.domain.added_value import Shares, part_of
from swath_quota.domain.checks import MAX_AMOUNT, MAX_TEXT, Checks
from swath_quota.domain.earning import earners, refund_legs
from swath_quota.domain.errors import NotCaptured, RefundDiffers
from swath_quota.domain.grants import COMPENSATION_PRIORITY, Grant, GrantCategory, GrantKind, paid_by
from swath_quota.domain.holds import Hold, HoldStatus, Settlement, no_such_hold, refund_id, settlement_of
from swath_quota.domain.ledger import Leg, Transaction, TransactionKind, post
from swath_quota.domain.ports import Reader, Unit
from swath_quota.services.desk import Desk
from swath_quota.services.opening import expect_end

#: Amends for credits that would have lapsed by now may be spent for at least so long.
_GOOD_FOR = timedelta(days=31)


def refund(actor: Actor, desk: Desk, *, hold_id: str, reason: str, amount: int | None = None) -> Settlement:
    """Give back `amount` of what a hold captured, by default all, as a grant of the category *compensation*.

    Of an author's added value the author gives the own part back, as far as it was not paid out or given back before;
    the platform bears the rest. The grant lasts as long as the longest-lasting grant that had paid, and at least 31
    days. Idempotent by `hold_id`: there is one refund a hold, and a replay answers it.

    Returns
    -------
    Settlement
        Of the refund: `returned` is what was given back.

    Raises
    ------
    NoSuchHold, NotCaptured, RefundDiffers, Invalid, Forbidden
    """
    if not actor.may(Scope.LEDGER):
        actor.require(Scope.ADMINISTER)
    checks = Checks()
    checks.id("hold_id", value=hold_id)
    checks.text("reason", value=reason, longest=MAX_TEXT)
    if amount is not None:
        checks.integer("amount", value=amount, least=1, most=MAX_AMOUNT)
    checks.done()

    def find(reader: Reader) -> Hold:
        found = reader.hold(hold_id)
        if found is None:
            raise no_such_hold(hold_id)
        return found

    def work(unit: Unit) -> Settlement:
        placed = find(unit)
        payer = wallet_id(placed.account)
        # Who pays and who earns never changes; what became of the hold is read under the lock.
        earned = earners(placed.added_value, payer=payer)
        accounts = unit.lock([payer, platform_of(payer), ISSUER, *earned])
        hold, now = find(unit), desk.clock()
        if hold.status is not HoldStatus.CAPTURED or not hold.captured:
            raise NotCaptured(
                code="not-captured",
                message=f"the hold {hold.id!r} captured nothing that could be given back",
                mend="release a hold that is open; give a grant where nothing was taken",
            )
        back = hold.captured if amount is None else amount
        if back > hold.captured:
            checks.fault("amount", message=f"{hold.captured} were captured", mend="give back at most that")
            checks.done()
        given = unit.grant(refund_id(hold.id))
        if given is None:
            given = _amends(unit, hold, amount=back, reason=reason, actor=actor, now=now)
            transaction = Transaction(
                id=refund_id(hold.id),
                kind=TransactionKind.REFUND,
                legs=_legs(hold, amount=back, payer=payer, accounts=accounts),
                reference=hold.id,
                description=reason,
                actor=actor.name,
                at=now,
            )
            unit.add_grant(given)
            unit.add_posting(post(transaction, accounts))
            expect_end(unit, payer, of=given)
        elif given.amount != back:
            raise RefundDiffers(
                code="refund-differs",
                message=f"{given.amount} millicredits of the hold {hold.id!r} were given back before",
                mend="there is one refund a hold; give a grant for more",
            )
        settled = replace(settlement_of(hold), returned=given.amount, transaction_id=refund_id(hold.id))
        return replace(settled, settled_at=given.created_at)

    return desk.books.run(work)


def _legs(hold: Hold, *, amount: int, payer: str, accounts: Mapping[str, Account]) -> tuple[Leg, ...]:
    whole = hold.shares or Shares(resources=hold.captured, added=0, discount=0, author=0, fee=0)
    return refund_legs(
        part_of(whole, amount=amount),
        author=hold.added_value.author if hold.added_value else "",
        payer=payer,
        balances={name: account.balance for name, account in accounts.items()},
    )


def _amends(unit: Unit, hold: Hold, *, amount: int, reason: str, actor: Actor, now: datetime) -> Grant:
    backing = [grant for grant in (unit.grant(grant_id) for grant_id, _ in hold.allocations) if grant]
    paid = paid_by(backing, hold.allocations, amount=hold.captured, at=hold.resolved_at or now)
    ends = [grant.expires_at for grant in paid]
    lasting = [end for end in ends if end is not None]
    return Grant(
        id=refund_id(hold.id),
        account=hold.account,
        kind=GrantKind.GIFT,
        category=GrantCategory.COMPENSATION,
        amount=amount,
        remaining=amount,
        priority=COMPENSATION_PRIORITY,
        description=reason,
        granted_by=actor.name,
        created_at=now,
        effective_at=now,
        expires_at=None if len(lasting) < len(ends) else max([now + _GOOD_FOR, *lasting]),
    )
