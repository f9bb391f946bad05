"""What became of a wallet's credits, for its owner, its members and operators. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta

from swath_service.actor import Actor, Scope
from swath_service.errors import Forbidden

from swath_quota.domain.accounts import is_organisation, wallet_id
from swath_quota.domain.checks import Checks
from swath_quota.domain.forecasts import SPANS, Forecast, forecast
from swath_quota.domain.grants import Grant
from swath_quota.domain.holds import Hold
from swath_quota.domain.ledger import LedgerEntry
from swath_quota.domain.members import MemberRole
from swath_quota.domain.reports import (
    BalanceDay,
    Charge,
    Cursor,
    Spending,
    SpendingBy,
    balance_by_day,
    charge_of,
    day_start,
)
from swath_quota.domain.statements import MonthStatement, month_bounds, month_statement, months_between
from swath_quota.domain.wallets import Wallet
from swath_quota.services.desk import Desk
from swath_quota.services.wallets import wallet

#: Days that a report looks back on when nothing else is said.
DEFAULT_DAYS = 30
#: Longest span of one report.
MAX_DAYS = 400
MAX_CHARGES = 200
#: Open holds and grants that a report lists; nobody has more by far.
MOST = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class WalletReport(Wallet):
    """A wallet, and what its owner wants to know of it."""

    opened_at: datetime
    grants: tuple[Grant, ...]
    """Those of which something is left, the newest first."""
    holds: tuple[Hold, ...]
    """The open ones, the oldest first."""
    forecast: Forecast
    next_allowance_at: datetime
    months: tuple[str, ...]
    """Those that there is a statement of, the newest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Days (UTC), both counted in."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        """The first instant."""
        return day_start(self.first)

    @property
    def end(self) -> datetime:
        """The first instant after."""
        return day_start(self.last + timedelta(days=1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Balances:
    """Daily closing balances."""

    account: str
    first: date
    last: date
    opening: int
    """Millicredits before the first day."""
    days: tuple[BalanceDay, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendingReport:
    """What spent the credits."""

    account: str
    first: date
    last: date
    by: SpendingBy
    charged: int
    """Millicredits of all of `spending`."""
    refunded: int
    net: int
    spending: tuple[Spending, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChargePage:
    """A page of charges, newest first."""

    account: str
    first: date
    last: date
    charges: tuple[Charge, ...]
    next: Cursor | None


def overview(actor: Actor, desk: Desk, *, account: str | None = None) -> WalletReport:
    """The wallet with its grants, open holds and how long it lasts.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    found, member = _audience(actor, desk, account=account)
    now, account_id = desk.clock(), wallet_id(found.account)
    opened_at = desk.reports.opened_at(account_id) or now
    grants = desk.reports.grants(account_id, limit=MOST, live=True)
    first = now.date() - timedelta(days=max(SPANS) - 1)
    _, changes = desk.reports.days(account_id, start=day_start(first), end=now + timedelta(seconds=1))
    tier = desk.tiers.named(found.tier)
    ahead = forecast(
        grants,
        changes,
        now=now,
        opened_at=opened_at,
        allowance_on=lambda at: tier.terms_on(at.date()).monthly_allowance,
    )
    return WalletReport(
        **{field.name: getattr(found, field.name) for field in fields(Wallet)},
        opened_at=opened_at,
        grants=grants,
        holds=desk.reports.open_holds(account_id, limit=MOST, member=member),
        forecast=ahead,
        next_allowance_at=ahead.renews_at,
        months=months_between(opened_at, now),
    )


def open_holds(actor: Actor, desk: Desk, *, account: str | None = None) -> tuple[Hold, ...]:
    """What is set aside for what goes on, the oldest first.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    found, member = _audience(actor, desk, account=account)
    return desk.reports.open_holds(wallet_id(found.account), limit=MOST, member=member)


def all_grants(actor: Actor, desk: Desk, *, account: str | None = None) -> tuple[Grant, ...]:
    """What was given, spent and lapsed ones too, the newest first.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    found, _ = _audience(actor, desk, account=account)
    return desk.reports.grants(wallet_id(found.account), limit=MOST)


def balances(
    actor: Actor, desk: Desk, *, account: str | None = None, first: date | None = None, last: date | None = None
) -> Balances:
    """The balance at the end of each day; a day to come has none.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    span = _span(desk, first=first, last=last)
    found, _ = _audience(actor, desk, account=account)
    last_known = max(span.first, min(span.last, desk.clock().date()))
    opening, changes = desk.reports.days(wallet_id(found.account), start=span.start, end=span.end)
    return Balances(
        account=found.account,
        first=span.first,
        last=last_known,
        opening=opening,
        days=balance_by_day(opening, changes, first=span.first, last=last_known),
    )


def spending(
    actor: Actor,
    desk: Desk,
    *,
    account: str | None = None,
    first: date | None = None,
    last: date | None = None,
    by: SpendingBy = SpendingBy.KIND,
) -> SpendingReport:
    """What spent the credits, the largest first.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    span = _span(desk, first=first, last=last)
    found, member = _audience(actor, desk, account=account)
    sums = desk.reports.spending(wallet_id(found.account), start=span.start, end=span.end, by=by, member=member)
    charged, refunded = sum(one.charged for one in sums), sum(one.refunded for one in sums)
    return SpendingReport(
        account=found.account,
        first=span.first,
        last=span.last,
        by=by,
        charged=charged,
        refunded=refunded,
        net=charged - refunded,
        spending=sums,
    )


def charges(
    actor: Actor,
    desk: Desk,
    *,
    account: str | None = None,
    first: date | None = None,
    last: date | None = None,
    limit: int = 50,
    after: Cursor | None = None,
) -> ChargePage:
    """A page of what was settled, newest first, each with why it cost that.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    checks = Checks()
    checks.integer("limit", value=limit, least=1, most=MAX_CHARGES)
    span = _span(desk, first=first, last=last, checks=checks)
    found, member = _audience(actor, desk, account=account)
    settled = desk.reports.settled(
        wallet_id(found.account), start=span.start, end=span.end, limit=limit + 1, after=after, member=member
    )
    page = tuple(charge_of(one, desk.prices) for one in settled[:limit])
    more = Cursor(at=page[-1].at, hold_id=page[-1].id) if len(settled) > limit else None
    return ChargePage(account=found.account, first=span.first, last=span.last, charges=page, next=more)


def every_charge(
    actor: Actor, desk: Desk, *, account: str | None = None, first: date | None = None, last: date | None = None
) -> Iterator[Charge]:
    """All charges of a span, newest first; authorised and checked before the first is asked for.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    page = charges(actor, desk, account=account, first=first, last=last, limit=MAX_CHARGES)

    def walk(page: ChargePage) -> Iterator[Charge]:
        while True:
            yield from page.charges
            if page.next is None:
                return
            page = charges(
                actor, desk, account=account, first=page.first, last=page.last, limit=MAX_CHARGES, after=page.next
            )

    return walk(page)


def entries(
    actor: Actor, desk: Desk, *, account: str | None = None, first: date | None = None, last: date | None = None
) -> tuple[LedgerEntry, ...]:
    """All entries of a span, in the order of their numbers.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    span = _span(desk, first=first, last=last)
    found, member = _audience(actor, desk, account=account)
    _whole(found.account, member)
    return desk.reports.window(wallet_id(found.account), start=span.start, end=span.end).entries


def month(actor: Actor, desk: Desk, *, month: str, account: str | None = None) -> MonthStatement:
    """The statement of a calendar month (UTC); of the present one, so far.

    Raises
    ------
    NoSuchWallet, Invalid, Forbidden
    """
    now = desk.clock()
    checks = Checks()
    start = end = now
    try:
        start, end = month_bounds(month)
    except ValueError:
        checks.fault("month", message="month is not like 2026-05", mend="send year and month, joined by a hyphen")
    if start > now:
        checks.fault("month", message="that month has not begun", mend="ask for this month or an earlier one")
    checks.done()
    found, member = _audience(actor, desk, account=account)
    _whole(found.account, member)
    account_id = wallet_id(found.account)
    lines = every_charge(actor, desk, account=found.account, first=start.date(), last=(end - timedelta(days=1)).date())
    return month_statement(
        desk.reports.window(account_id, start=start, end=end),
        account=found.account,
        month=month,
        now=now,
        charges={charge.id: charge for charge in lines},
        spending=desk.reports.spending(account_id, start=start, end=end, by=SpendingBy.KIND),
    )


def days_back(last: date, days: int) -> date:
    """The first of `days` days that end with `last`."""
    return last - timedelta(days=days - 1)


def as_reader(actor: Actor) -> Actor:
    """The caller as reports see her: who oversees sees what an operator does, and reports change nothing."""
    return replace(actor, scopes=actor.scopes | {Scope.ADMINISTER}) if actor.oversees else actor


def _audience(actor: Actor, desk: Desk, *, account: str | None) -> tuple[Wallet, str | None]:
    """The wallet, up to date, and whose part of it the caller may see: one member's, or with ``None`` everybody's."""
    actor = as_reader(actor)
    found = wallet(actor, desk, account=account)
    if not is_organisation(found.account) or actor.is_operator or actor.may(Scope.LEDGER):
        return found, None
    membership = desk.books.read(lambda reader: reader.membership(found.account, actor.name))
    owns = membership is not None and membership.role is MemberRole.OWNER
    return found, None if owns else actor.name


def _whole(account: str, member: str | None) -> None:
    if member is not None:
        raise Forbidden(
            code="not-an-owner",
            message=f"what everybody spent of {account} is shown to its owners",
            mend="ask an owner of the organisation, or see your own charges",
        )


def _span(desk: Desk, *, first: date | None, last: date | None, checks: Checks | None = None) -> Span:
    """The days from `first` to `last`, by default the latest.

    Raises
    ------
    Invalid
    """
    checks = checks or Checks()
    until = last or max(desk.clock().date(), first or date.min)
    since = first or until - timedelta(days=min(DEFAULT_DAYS - 1, (until - date.min).days))
    if since > until:
        checks.fault("from", message="from is later than to", mend="send the earlier day as from")
    elif (until - since).days >= MAX_DAYS or not date(2000, 1, 1) <= since <= until <= date(9000, 1, 1):
        checks.fault("from", message=f"at most {MAX_DAYS} days are reported at a time", mend="ask for fewer days")
    checks.done()
    return Span(first=since, last=until)
