"""What a wallet holds and what happened to it."""

from __future__ import annotations

from datetime import datetime

from swath_service.actor import Actor, Scope
from swath_service.errors import Forbidden

from swath_quota.domain.accounts import Account, is_organisation, wallet_id
from swath_quota.domain.checks import Checks
from swath_quota.domain.errors import NotAMember
from swath_quota.domain.grants import spendable
from swath_quota.domain.members import MemberRole
from swath_quota.domain.ports import Unit
from swath_quota.domain.prices import Prices
from swath_quota.domain.tiers import Tiers
from swath_quota.domain.wallets import Statement, Wallet
from swath_quota.services.desk import Desk
from swath_quota.services.opening import no_such_wallet, on_wallet

#: Entries that a wallet shows; its statement has them all.
LATEST = 10
#: Most entries of one page of a statement.
MAX_PAGE = 200


def wallet(actor: Actor, desk: Desk, *, account: str | None = None) -> Wallet:
    """The wallet of `account`, by default the caller's own, up to date with the calendar.

    One's own is opened when first asked for, and so is anybody's for a service that may hold on it. An operator who
    looks at another's opens none: a mistyped name must not become a wallet.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    name = _readable(actor, desk, account=account)
    shows_all = _sees_everybody(actor, desk, name)

    def work(unit: Unit, found: Account, now: datetime) -> Wallet:
        return Wallet(
            account=name,
            tier=found.tier or desk.tiers.default,
            balance=found.balance,
            held=found.held,
            available=spendable(unit.live_grants(name), at=now),
            payer=name if is_organisation(name) else unit.payer_of(name),
            entries=unit.entries(found.id, limit=LATEST) if shows_all else (),
        )

    return on_wallet(desk, name, payer=name, work=work)


def statement(
    actor: Actor, desk: Desk, *, account: str | None = None, limit: int = 50, before: int | None = None
) -> Statement:
    """A page of a wallet's entries, newest first: at most `limit`, numbered below `before`.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    checks = Checks()
    checks.integer("limit", value=limit, least=1, most=MAX_PAGE)
    if before is not None:
        checks.integer("before", value=before, least=1, most=2**62)
    checks.done()
    name = _readable(actor, desk, account=account)
    if not _sees_everybody(actor, desk, name):
        raise NotAMember(
            code="not-an-owner",
            message=f"what everybody spent of {name} is shown to its owners",
            mend="ask an owner of the organisation, or see your own charges",
        )

    def work(unit: Unit, found: Account, _: datetime) -> Statement:
        entries = unit.entries(found.id, limit=limit, before=before)
        more = entries and entries[-1].sequence > 1
        return Statement(account=name, entries=entries, next_before=entries[-1].sequence if more else None)

    return on_wallet(desk, name, payer=name, work=work)


def tier_list(actor: Actor, desk: Desk) -> Tiers:
    """Every tier, with the terms it had, has and will have."""
    if not actor.may(Scope.LEDGER):
        actor.require(Scope.READ)
    return desk.tiers


def price_list(actor: Actor, desk: Desk, *, version: str | None = None) -> Prices:
    """The prices in force now, or those of a version.

    Raises
    ------
    NoSuchPrices, Forbidden
    """
    if not actor.may(Scope.LEDGER):
        actor.require(Scope.READ)
    return desk.prices.version(version) if version is not None else desk.prices.on(desk.clock().date())


def _readable(actor: Actor, desk: Desk, *, account: str | None) -> str:
    """The name of the wallet that the caller asked for and may see."""
    name = actor.name if account is None else account
    checks = Checks()
    checks.name("account", value=name)
    checks.done()
    if actor.may(Scope.LEDGER):
        return name
    actor.require(Scope.READ)
    # Whoever managed to be called like an organisation is not it.
    if _is_member(desk, name, actor.name) if is_organisation(name) else name == actor.name:
        return name
    if not actor.is_operator:
        raise Forbidden(
            code="not-your-wallet",
            message="a wallet is shown to its owner or members and to operators",
            mend="leave out the account to see your own",
        )
    if desk.books.read(lambda reader: reader.account(wallet_id(name))) is None:
        raise no_such_wallet(name)
    return name


def _sees_everybody(actor: Actor, desk: Desk, name: str) -> bool:
    """Whether what all members of an organisation spent is the caller's to see; one's own wallet always is."""
    if not is_organisation(name) or actor.oversees or actor.may(Scope.LEDGER):
        return True
    found = desk.books.read(lambda reader: reader.membership(name, actor.name))
    return found is not None and found.is_active and found.role is MemberRole.OWNER


def _is_member(desk: Desk, organisation: str, member: str) -> bool:
    found = desk.books.read(lambda reader: reader.membership(organisation, member))
    return found is not None and found.is_active
