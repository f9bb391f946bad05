"""Open a wallet when its owner is first seen, and keep its grants to the calendar.

There is no monthly batch: a wallet whose time has come is seen to when it is next touched. So a month's turn costs
nothing while nobody spends, and a service that slept over it has nothing to catch up on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from swath_service.errors import Unavailable

from swath_quota.domain.accounts import (
    ISSUER,
    Account,
    AccountKind,
    account_of_id,
    is_organisation,
    new_account,
    platform_of,
    wallet_id,
    wallet_name,
)
from swath_quota.domain.errors import NoSuchWallet
from swath_quota.domain.grants import ALLOWANCE_PRIORITY, Draw, Grant, GrantKind, lapse
from swath_quota.domain.ledger import Transaction, TransactionKind, post, transfer
from swath_quota.domain.periods import first_of_month, month_of, next_month
from swath_quota.domain.ports import Needs, Unit
from swath_quota.services.desk import Desk

T = TypeVar("T")


def on_wallet(
    desk: Desk,
    user: str,
    *,
    work: Callable[[Unit, Account, datetime], T],
    payer: str | None = None,
    needs: Needs | None = None,
) -> T:
    """Do `work` atomically with the locked, up-to-date account that pays for `user`, who is given one if need be.

    Parameters
    ----------
    payer
        Short name of the wallet; by default the one that the user chose. The user's own is opened, another is not.

    Raises
    ------
    NoSuchWallet
    """

    def attempt(unit: Unit) -> tuple[T] | str:
        name = payer or unit.payer_of(user)
        account = unit.lock([wallet_id(name)]).get(wallet_id(name))
        # The time after the lock: what others gave while we waited for it is not still to come.
        now = desk.clock()
        if account is None or (account.is_stale(now) and not seen_to):
            return name
        return (work(unit, account, now),)

    seen_to = False
    for _ in range(2):
        done = desk.books.run(attempt, needs=needs)
        if not isinstance(done, str):
            return done[0]
        # Apart from `work`, because it locks the issuer too, and rows are locked in one go in the order of their ids.
        refresh(desk, done, now=desk.clock())
        seen_to = True
    raise Unavailable(code="wallet-unavailable", message="the wallet could not be opened", mend="try again")


def refresh(desk: Desk, name: str, *, now: datetime) -> None:
    """Let lapse what is over and give what is due, once, however many ask at the same time.

    Raises
    ------
    NoSuchWallet
        `name` is that of an organisation that no operator has opened.
    """
    account_id = wallet_id(name)

    def work(unit: Unit) -> None:
        opened = [account_of_id(ISSUER, at=now), account_of_id(platform_of(account_id), at=now)]
        if not is_organisation(name):
            opened.append(new_account(AccountKind.USER, name, at=now, tier=desk.tiers.of_new(name)))
        unit.open_accounts(opened)
        account = unit.lock([ISSUER, account_id]).get(account_id)
        if account is None:
            raise no_such_wallet(name)
        if account.is_stale(now):
            let_lapse(unit, account, now=now)
            give_allowance(unit, account_id, desk=desk, now=now)
            plan_refresh(unit, account_id, now=now)

    desk.books.run(work)


def let_lapse(unit: Unit, account: Account, *, now: datetime) -> None:
    """Return to the issuer what was granted, is over and backs no open hold."""
    taken = lapse(unit.live_grants(wallet_name(account.id)), at=now)
    amount = sum(part for _, part in taken)
    if not amount:
        return
    transaction = Transaction(
        id=f"lapse:{account.id}:{account.sequence + 1}",
        kind=TransactionKind.LAPSE,
        legs=transfer(source=account.id, target=ISSUER, amount=amount),
        reference=month_of(now),
        description="granted credits that were not spent in time",
        actor="swath",
        at=now,
    )
    for grant, _ in taken:
        unit.save_grant(grant)
    unit.add_posting(post(transaction, unit.lock([ISSUER, account.id])))
    unit.add_draws(Draw(transaction_id=transaction.id, grant_id=grant.id, amount=part) for grant, part in taken)


def give_allowance(unit: Unit, account_id: str, *, desk: Desk, now: datetime) -> None:
    """Give what the tier's allowance of this month still lacks: all of it at first, a difference after a rise."""
    account = unit.lock([account_id])[account_id]
    tier = desk.tiers.named(account.tier or desk.tiers.default)
    month, target = month_of(now), tier.terms_on(now.date()).monthly_allowance
    name = wallet_name(account_id)
    due = target - unit.allowance_given(name, period=month)
    if due <= 0:
        return
    give(
        unit,
        Grant(
            # The target is in the id: a rise within the month is another grant, a repetition is the same.
            id=f"allowance:{name}:{month}:{target}",
            account=name,
            kind=GrantKind.ALLOWANCE,
            amount=due,
            remaining=due,
            priority=ALLOWANCE_PRIORITY,
            period=month,
            description=f"{tier.title}: allowance of {month}",
            granted_by="swath",
            created_at=now,
            # Not from now on: another machine's clock may be a moment behind this one's.
            effective_at=first_of_month(now),
            expires_at=next_month(now),
        ),
    )


def give(unit: Unit, grant: Grant) -> None:
    """Store a grant and move its credits from the issuer to the wallet; the caller has locked both accounts."""
    account_id = wallet_id(grant.account)
    kind = TransactionKind.ALLOWANCE if grant.kind is GrantKind.ALLOWANCE else TransactionKind.GRANT
    transaction = Transaction(
        id=f"grant:{grant.id}",
        kind=kind,
        legs=transfer(source=ISSUER, target=account_id, amount=grant.amount),
        reference=grant.id,
        description=grant.description,
        actor=grant.granted_by,
        at=grant.created_at,
    )
    unit.add_grant(grant)
    unit.add_posting(post(transaction, unit.lock([ISSUER, account_id])))


def plan_refresh(unit: Unit, account_id: str, *, now: datetime) -> None:
    """Note when the wallet is next to be seen to.

    What is over and backs an open hold is not waited for: whoever settles that hold says so (`services.holds`).
    """
    account = unit.lock([account_id])[account_id]
    ends = [grant.expires_at for grant in unit.live_grants(wallet_name(account_id)) if grant.expires_at]
    unit.save_account(replace(account, refresh_at=min([next_month(now), *(end for end in ends if end > now)])))


def expect_end(unit: Unit, account_id: str, *, of: Grant) -> None:
    """Note that a wallet has to be seen to when the grant `of` ends, if nothing is due before.

    What is due already stays due: an allowance of this month that nobody has asked for yet among it.
    """
    account = unit.lock([account_id])[account_id]
    if account.refresh_at is not None and of.expires_at is not None and of.expires_at < account.refresh_at:
        unit.save_account(replace(account, refresh_at=of.expires_at))


def no_such_wallet(name: str) -> NoSuchWallet:
    """The error for a wallet that nobody opened."""
    return NoSuchWallet(
        code="no-such-wallet",
        message=f"nobody called {name[:80]!r} has been seen here",
        mend="check the spelling; a user's wallet opens when its owner first spends or looks, an organisation's by an"
        " operator",
    )
