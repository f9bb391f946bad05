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

from swath_quota.domain.accounts import ISSUER, Account, AccountKind, new_account, wallet_id
from swath_quota.domain.grants import ALLOWANCE_PRIORITY, Draw, Grant, GrantKind, draw, lapsing
from swath_quota.domain.ledger import Transaction, TransactionKind, post, transfer
from swath_quota.domain.periods import month_of, next_month
from swath_quota.domain.ports import Unit
from swath_quota.services.desk import Desk

T = TypeVar("T")


def on_wallet(desk: Desk, name: str, *, work: Callable[[Unit, Account, datetime], T]) -> T:
    """Do `work` atomically with the locked, up-to-date account of the user `name`, who is given one if need be."""

    def attempt(unit: Unit) -> tuple[T] | None:
        account = unit.lock([wallet_id(name)]).get(wallet_id(name))
        if account is None or (account.is_stale(now) and not seen_to):
            return None
        return (work(unit, account, now),)

    now, seen_to = desk.clock(), False
    for _ in range(2):
        done = desk.books.run(attempt)
        if done is not None:
            return done[0]
        # Apart from `work`, because it locks the issuer too, and rows are locked in one go in the order of their ids.
        refresh(desk, name, now=now)
        seen_to = True
    raise Unavailable(code="wallet-unavailable", message="the wallet could not be opened", mend="try again")


def refresh(desk: Desk, name: str, *, now: datetime) -> None:
    """Let lapse what is over and give what is due, once, however many ask at the same time."""

    def work(unit: Unit) -> None:
        account_id = wallet_id(name)
        unit.open_accounts(
            [
                new_account(AccountKind.ISSUER, "swath", at=now),
                new_account(AccountKind.PLATFORM, "swath", at=now),
                new_account(AccountKind.USER, name, at=now, tier=desk.tiers.default),
            ]
        )
        account = unit.lock([ISSUER, account_id])[account_id]
        if account.is_stale(now):
            lapse(unit, account, now=now)
            give_allowance(unit, account_id, desk=desk, now=now)
            plan_refresh(unit, account_id, now=now)

    desk.books.run(work)


def lapse(unit: Unit, account: Account, *, now: datetime) -> None:
    """Return to the issuer what was granted, is over and backs no open hold."""
    grants = [grant for grant in unit.live_grants(account.name) if grant.is_over(now)]
    amount = lapsing(grants, held=account.held, at=now)
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
    unit.add_posting(post(transaction, unit.lock([ISSUER, account.id])))
    take_from_grants(unit, transaction.id, taken=draw(grants, amount=amount))


def take_from_grants(unit: Unit, transaction_id: str, *, taken: list[tuple[Grant, int]]) -> None:
    """Store what a transaction took from which grants."""
    for after, _ in taken:
        unit.save_grant(after)
    unit.add_draws(Draw(transaction_id=transaction_id, grant_id=after.id, amount=part) for after, part in taken)


def give_allowance(unit: Unit, account_id: str, *, desk: Desk, now: datetime) -> None:
    """Give what the tier's allowance of this month still lacks: all of it at first, a difference after a rise."""
    account = unit.lock([account_id])[account_id]
    tier = desk.tiers.named(account.tier or desk.tiers.default)
    month, target = month_of(now), tier.terms_on(now.date()).monthly_allowance
    due = target - unit.allowance_given(account.name, period=month)
    if due <= 0:
        return
    give(
        unit,
        Grant(
            # The target is in the id: a rise within the month is another grant, a repetition is the same.
            id=f"allowance:{account.name}:{month}:{target}",
            account=account.name,
            kind=GrantKind.ALLOWANCE,
            amount=due,
            remaining=due,
            priority=ALLOWANCE_PRIORITY,
            period=month,
            description=f"{tier.title}: allowance of {month}",
            granted_by="swath",
            created_at=now,
            expires_at=next_month(now),
        ),
    )


def give(unit: Unit, grant: Grant) -> None:
    """Store a grant and move its credits from the issuer to the wallet; both accounts are locked by the caller."""
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
    """Note when the wallet is next to be seen to: at once while something that is over still backs an open hold."""
    account = unit.lock([account_id])[account_id]
    ends = [grant.expires_at for grant in unit.live_grants(account.name) if grant.expires_at]
    unit.save_account(replace(account, refresh_at=max(now, min([next_month(now), *ends]))))
