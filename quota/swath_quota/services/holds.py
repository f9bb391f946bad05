"""Hold, capture, release, extend, and void what nobody settled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from swath_service.actor import Actor, Scope

from swath_quota.domain import holds as rules
from swath_quota.domain.accounts import Account, account_of_id, is_organisation, platform_of, wallet_id, wallet_name
from swath_quota.domain.added_value import AddedValueRequest, Shares
from swath_quota.domain.checks import MAX_AMOUNT, MAX_HOLD_SECONDS, MAX_REFERENCE, MAX_TEXT, Checks
from swath_quota.domain.earning import capture_legs
from swath_quota.domain.grants import Draw, allocate, draw_held, merged
from swath_quota.domain.holds import Hold, HoldStatus, Refusal, Settlement, capture_id, settlement_of
from swath_quota.domain.ledger import Transaction, TransactionKind, post
from swath_quota.domain.members import Membership, with_held, with_spent
from swath_quota.domain.ports import Needs, Reader, Unit
from swath_quota.domain.purposes import Purpose
from swath_quota.domain.refusals import ceiling_reached, credits_exhausted
from swath_quota.services import earning
from swath_quota.services.desk import Desk
from swath_quota.services.metering import metered
from swath_quota.services.opening import on_wallet

log = logging.getLogger(__name__)

#: What becomes of a hold at a time.
Step = Callable[[Hold, datetime], Hold]
#: Overdue holds voided in one go, of one wallet or of one sweep.
_BATCH = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A hold, and whether it was there before."""

    hold: Hold
    replayed: bool


def hold(
    actor: Actor,
    desk: Desk,
    *,
    hold_id: str,
    account: str,
    amount: int,
    purpose: Purpose,
    expires_in_seconds: int,
    payer: str | None = None,
    price_version: str | None = None,
    added_value: AddedValueRequest | None = None,
) -> Placed | Refusal:
    """Set `amount` millicredits aside for the user `account`; a wallet is opened when its owner is first seen.

    Paid from the wallet `payer`, by default from the one that the user chose. Idempotent by `hold_id`: a replay
    answers the hold as it now stands, whatever became of it. A refusal is not stored, so its replay is judged anew.

    Parameters
    ----------
    price_version
        Version of the price list to freeze into the hold; by default the one in force.
    added_value
        What the author asks of what it pays for; frozen into the hold with the split in force. An author who pays
        earns nothing.

    Raises
    ------
    HoldDiffers
        The id is taken by another hold.
    NoSuchPrices, NoSuchWallet, NotAMember, Invalid, Forbidden
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    checks.id("hold_id", value=hold_id)
    checks.name("account", value=account)
    if payer is not None:
        checks.name("payer", value=payer)
    checks.integer("amount", value=amount, least=0, most=MAX_AMOUNT)
    checks.text("purpose.reference", value=purpose.reference, longest=MAX_REFERENCE)
    checks.text("purpose.description", value=purpose.description, longest=MAX_TEXT, empty=True)
    checks.text("purpose.algorithm", value=purpose.algorithm, longest=MAX_REFERENCE, empty=True)
    checks.integer("expires_in_seconds", value=expires_in_seconds, least=1, most=MAX_HOLD_SECONDS)
    terms = earning.freeze(desk, checks, added_value, member=account)
    checks.done()
    if payer is not None and payer != account and not is_organisation(payer):
        # Nobody spends from another user's wallet, whatever a caller passes on.
        raise rules.not_a_member(payer, account)
    prices = desk.prices.version(price_version) if price_version else desk.prices.on(desk.clock().date())

    def work(unit: Unit, wallet: Account, now: datetime) -> Placed | Refusal:
        existing = unit.hold(hold_id)
        if existing:
            rules.check_replay(existing, account=account, amount=amount, purpose=purpose, added_value=terms)
            return Placed(hold=existing, replayed=True)
        wanted = Hold(
            id=hold_id,
            account=wallet_name(wallet.id),
            member=account,
            amount=0,
            asked=amount,
            purpose=purpose,
            price_version=prices.version,
            added_value=terms,
            created_at=now,
            expires_at=now + timedelta(seconds=expires_in_seconds),
        )
        placed = _set_aside(desk, unit, wanted, wallet=wallet, amount=amount, now=now)
        if isinstance(placed, Refusal):
            return placed
        placed = earning.with_discount(desk, unit, placed, wallet=wallet)
        unit.add_hold(placed)
        return Placed(hold=placed, replayed=False)

    needs = Needs(payer_of=account, payer=payer or "", placing=hold_id)
    return on_wallet(desk, account, work=work, payer=payer, needs=needs)


def capture(
    actor: Actor,
    desk: Desk,
    *,
    hold_id: str,
    amount: int,
    usage: Mapping[str, float],
    shares: Shares | None = None,
) -> Settlement:
    """Take `amount` millicredits, at most what is held, and give the rest back, in one balanced transaction.

    Idempotent by `hold_id`: a replay with the same amount answers the same settlement; the first `usage` stands.
    A hold whose time is over but which no sweep has voided yet is captured: its credits are still set aside and
    what ran did run. Once voided it is not.

    Parameters
    ----------
    shares
        How `amount` is divided, of a hold with an added value (`services.settling`); by default nobody earns.

    Raises
    ------
    NoSuchHold, CaptureExceedsHold, CapturedDifferently, HoldReleased, HoldExpired, Invalid, Forbidden
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    checks.id("hold_id", value=hold_id)
    checks.integer("amount", value=amount, least=0, most=MAX_AMOUNT)
    checks.usage("usage", value=usage)
    checks.done()

    def step(before: Hold, now: datetime) -> Hold:
        return rules.capture(before, amount=amount, usage=usage, at=now, shares=shares)

    earns = shares is not None and shares.earned > 0
    return settlement_of(_resolve(actor, desk, hold_id=hold_id, step=step, settles=True, earns=earns))


def release(actor: Actor, desk: Desk, *, hold_id: str, reason: str) -> Settlement:
    """Give everything back. Idempotent; a no-op on a hold that was released or voided before.

    Raises
    ------
    NoSuchHold, HoldCaptured, Invalid, Forbidden
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    checks.id("hold_id", value=hold_id)
    checks.text("reason", value=reason, longest=MAX_TEXT)
    checks.done()

    def step(before: Hold, now: datetime) -> Hold:
        return rules.release(before, reason=reason, at=now)

    return settlement_of(_resolve(actor, desk, hold_id=hold_id, step=step))


def extend(
    actor: Actor, desk: Desk, *, hold_id: str, expires_in_seconds: int, amount: int | None = None
) -> Hold | Refusal:
    """Let an open hold stand at least `expires_in_seconds` from now, over `amount` in all where one is given.

    Neither is ever lowered, so repeating is harmless. A `Refusal` leaves the hold as it was, its time too.

    Raises
    ------
    NoSuchHold, HoldCaptured, HoldReleased, HoldExpired, Invalid, Forbidden
    NotAMember
        The one who spends was dismissed from the organisation that pays; the hold stays as it was.
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    checks.id("hold_id", value=hold_id)
    checks.integer("expires_in_seconds", value=expires_in_seconds, least=1, most=MAX_HOLD_SECONDS)
    if amount is not None:
        checks.integer("amount", value=amount, least=0, most=MAX_AMOUNT)
    checks.done()

    def work(unit: Unit, wallet: Account, now: datetime) -> Hold | Refusal:
        # Read under the lock of its account: only there does a hold stand still.
        before = _find(unit, hold_id)
        after: Hold | Refusal = rules.extend(before, expires_at=now + timedelta(seconds=expires_in_seconds))
        assert isinstance(after, Hold)
        if amount is not None and amount > before.amount:
            after = _set_aside(desk, unit, after, wallet=wallet, amount=amount - before.amount, now=now)
        if isinstance(after, Hold) and after is not before:
            unit.save_hold(after)
        return after

    # The wallet first, up to date with the calendar: what lives on into a new month is paid from that month's credits.
    payer = desk.books.read(lambda reader: _find(reader, hold_id)).account
    return on_wallet(desk, payer, work=work, payer=payer, needs=Needs(hold=hold_id))


def get_hold(actor: Actor, desk: Desk, *, hold_id: str) -> Hold | None:
    """A hold, for the services that place them, for operators and for the one who spends; ``None`` to others too."""
    checks = Checks()
    checks.id("hold_id", value=hold_id)
    checks.done()
    if not actor.may(Scope.LEDGER):
        actor.require(Scope.READ)
    found = desk.books.read(lambda reader: reader.hold(hold_id))
    if found and (actor.may(Scope.LEDGER) or actor.is_operator or actor.name == found.member):
        return found
    return None


def sweep(actor: Actor, desk: Desk, *, limit: int = _BATCH) -> int:
    """Void at most `limit` holds whose time is over and of which nothing was used, and tell how many.

    Safe beside others that do the same.
    """
    actor.require(Scope.LEDGER)
    now = desk.clock()
    overdue: tuple[Hold, ...] = desk.books.read(lambda reader: reader.overdue(now, limit=limit))
    # What was used is paid: such holds are the sweep for meters' to capture, also when it was told only just now.
    used = metered(desk, [late.id for late in overdue])
    voided = 0
    for late in overdue:
        if late.id in used:
            continue
        after = _resolve(actor, desk, hold_id=late.id, step=lambda before, at: rules.expire(before, at=at))
        voided += after.status is HoldStatus.EXPIRED
    if voided:
        log.warning("voided %d holds that nobody settled in time", voided)
    return voided


def _find(reader: Reader, hold_id: str) -> Hold:
    found = reader.hold(hold_id)
    if found is None:
        raise rules.no_such_hold(hold_id)
    return found


def _set_aside(desk: Desk, unit: Unit, hold: Hold, *, wallet: Account, amount: int, now: datetime) -> Hold | Refusal:
    """`hold` over `amount` more, backed by grants of its locked wallet; the wallet and its grants are saved."""
    parts = allocate(unit.live_grants(hold.account), amount=amount, purpose=hold.purpose, at=now)
    if parts is None or not _under_ceiling(unit, hold, amount=amount, now=now):
        # A hold that its holder forgot must not refuse another for want of a sweep.
        wallet = _void_overdue(desk, unit, wallet, but=hold.id, now=now)
        parts = allocate(unit.live_grants(hold.account), amount=amount, purpose=hold.purpose, at=now)
    membership = _membership(unit, hold)
    if membership and not _under_ceiling(unit, hold, amount=amount, now=now):
        return ceiling_reached(membership, amount=amount, now=now)
    if parts is None:
        terms = desk.tiers.named(wallet.tier or desk.tiers.default)
        grants = unit.live_grants(hold.account)
        return credits_exhausted(terms, grants, held=wallet.held, amount=amount, purpose=hold.purpose, now=now)
    for grant, _ in parts:
        unit.save_grant(grant)
    unit.save_account(replace(wallet, held=wallet.held + amount))
    if membership:
        unit.save_membership(with_held(membership, change=amount))
    return replace(hold, amount=hold.amount + amount, allocations=merged(hold.allocations, more=parts))


def _membership(unit: Unit, hold: Hold) -> Membership | None:
    """The part that the one who spends has in the wallet; ``None`` for one's own."""
    if not is_organisation(hold.account):
        return None
    found = unit.membership(hold.account, hold.member)
    if found is None or not found.is_active:
        raise rules.not_a_member(hold.account, hold.member)
    return found


def _under_ceiling(unit: Unit, hold: Hold, *, amount: int, now: datetime) -> bool:
    membership = _membership(unit, hold)
    left = membership.left(now) if membership else None
    return left is None or amount <= left


def _resolve(actor: Actor, desk: Desk, *, hold_id: str, step: Step, settles: bool = False, earns: bool = False) -> Hold:
    """Change a hold by `step` under the lock of its wallet.

    And of the accounts that get something: the platform's when it `settles`, the author's too when somebody `earns`.
    """
    # What an author's added value is never changes, nor who pays.
    also = earning.earners_of(desk, hold_id) if earns else ()

    def work(unit: Unit) -> Hold | tuple[str, ...]:
        account_id = wallet_id(_find(unit, hold_id).account)
        touched = [account_id, platform_of(account_id), *also] if settles else [account_id]
        accounts = unit.lock(touched)
        missing = tuple(one for one in touched if one not in accounts)
        if missing:
            return missing
        # Read again: only under the lock of its account does a hold stand still.
        before = _find(unit, hold_id)
        now = desk.clock()
        after = step(before, now)
        if after is before:
            return before
        unit.save_hold(after)
        if not after.is_open:
            _settle(actor, unit, before=before, after=after, accounts=accounts, now=now)
        return after

    needs = Needs(hold=hold_id, settles=settles, also=also)
    found = desk.books.run(work, needs=needs)
    if isinstance(found, tuple):
        opened = [account_of_id(name, at=desk.clock()) for name in found]
        desk.books.run(lambda unit: unit.open_accounts(opened))
        found = desk.books.run(work, needs=needs)
    assert isinstance(found, Hold)
    return found


def _settle(
    actor: Actor, unit: Unit, *, before: Hold, after: Hold, accounts: Mapping[str, Account], now: datetime
) -> None:
    """Move what `after` captured from the wallet to those who earn, and give the grants behind `before` the rest."""
    payer = accounts[wallet_id(before.account)]
    payer = replace(payer, held=payer.held - before.amount)
    grants = unit.live_grants(before.account)
    taken = draw_held(grants, before.allocations, amount=after.captured, at=now)
    for grant, _ in taken:
        unit.save_grant(grant)
    if any(grant.free and grant.is_over(now) for grant, _ in taken):
        # Kept alive by this hold alone: it lapses when the wallet is next touched.
        payer = replace(payer, refresh_at=now)
    if is_organisation(before.account):
        membership = unit.membership(before.account, before.member)
        if membership:
            freed = with_held(membership, change=-before.amount)
            unit.save_membership(with_spent(freed, amount=after.captured, at=now))
    legs = capture_legs(after, payer=payer.id)
    if not legs:
        unit.save_account(payer)
        return
    transaction = Transaction(
        id=capture_id(after.id),
        kind=TransactionKind.CAPTURE,
        legs=legs,
        reference=after.id,
        description=after.purpose.description or f"{after.purpose.kind} {after.purpose.reference}",
        actor=actor.name,
        usage=after.usage,
        at=now,
    )
    unit.add_posting(post(transaction, {**accounts, payer.id: payer}))
    unit.add_draws(Draw(transaction_id=transaction.id, grant_id=grant.id, amount=part) for grant, part in taken if part)


def _void_overdue(desk: Desk, unit: Unit, wallet: Account, *, but: str, now: datetime) -> Account:
    """Void the overdue holds of a locked wallet, other than the hold that wants more.

    Those that something was used of are left to the sweep for meters, which captures that.
    """
    overdue = unit.overdue(now, limit=_BATCH, account=wallet_name(wallet.id))
    kept = metered(desk, [late.id for late in overdue]) | {but}
    for late in overdue:
        if late.id not in kept:
            after = rules.expire(late, at=now)
            unit.save_hold(after)
            _settle(_SWEEPER, unit, before=late, after=after, accounts={wallet.id: wallet}, now=now)
            wallet = unit.lock([wallet.id])[wallet.id]
    return wallet


_SWEEPER = Actor(name="quota")
