"""Hold, capture, release, extend, and void what nobody settled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from swath_service.actor import Actor, Scope

from swath_quota.domain import holds as rules
from swath_quota.domain.accounts import PLATFORM, Account, wallet_id
from swath_quota.domain.checks import MAX_AMOUNT, MAX_HOLD_SECONDS, MAX_REFERENCE, MAX_TEXT, Checks
from swath_quota.domain.grants import draw_expired_first
from swath_quota.domain.holds import Hold, HoldStatus, Purpose, Refusal, Settlement, capture_id, settlement_of
from swath_quota.domain.ledger import Transaction, TransactionKind, post, transfer
from swath_quota.domain.periods import next_month
from swath_quota.domain.ports import Reader, Unit
from swath_quota.services.desk import Desk
from swath_quota.services.opening import on_wallet, take_from_grants

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
) -> Placed | Refusal:
    """Set `amount` millicredits of a wallet aside; the wallet is opened when its owner is first seen.

    Idempotent by `hold_id`: a replay answers the hold as it now stands, whatever became of it. A refusal is not
    stored, so its replay is judged anew.

    Raises
    ------
    HoldDiffers
        The id is taken by another hold.
    Invalid, Forbidden
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    checks.id("hold_id", value=hold_id)
    checks.name("account", value=account)
    checks.integer("amount", value=amount, least=0, most=MAX_AMOUNT)
    checks.text("purpose.reference", value=purpose.reference, longest=MAX_REFERENCE)
    checks.text("purpose.description", value=purpose.description, longest=MAX_TEXT, empty=True)
    checks.integer("expires_in_seconds", value=expires_in_seconds, least=1, most=MAX_HOLD_SECONDS)
    checks.done()

    def work(unit: Unit, wallet: Account, now: datetime) -> Placed | Refusal:
        existing = unit.hold(hold_id)
        if existing:
            rules.check_replay(existing, account=account, amount=amount, purpose=purpose)
            return Placed(hold=existing, replayed=True)
        if wallet.available < amount:
            # A hold that its holder forgot must not refuse another for want of a sweep.
            wallet = _void_overdue(unit, wallet, now=now)
        if wallet.available < amount:
            return _refusal(desk, wallet, amount=amount, now=now)
        placed = Hold(
            id=hold_id,
            account=account,
            amount=amount,
            purpose=purpose,
            created_at=now,
            expires_at=now + timedelta(seconds=expires_in_seconds),
        )
        unit.add_hold(placed)
        unit.save_account(replace(wallet, held=wallet.held + amount))
        return Placed(hold=placed, replayed=False)

    return on_wallet(desk, account, work=work)


def capture(actor: Actor, desk: Desk, *, hold_id: str, amount: int, usage: Mapping[str, float]) -> Settlement:
    """Take `amount` millicredits, at most what is held, and give the rest back, in one balanced transaction.

    Idempotent by `hold_id`: a replay with the same amount answers the same settlement; the first `usage` stands.
    A hold whose time is over but which no sweep has voided yet is captured: its credits are still set aside and
    what ran did run. Once voided it is not.

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
        return rules.capture(before, amount=amount, usage=usage, at=now)

    return settlement_of(_resolve(actor, desk, hold_id=hold_id, also=(PLATFORM,), step=step))


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


def extend(actor: Actor, desk: Desk, *, hold_id: str, expires_in_seconds: int) -> Hold:
    """Let an open hold stand at least `expires_in_seconds` from now; it is never shortened, so repeating is harmless.

    Raises
    ------
    NoSuchHold, HoldCaptured, HoldReleased, HoldExpired, Invalid, Forbidden
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    checks.id("hold_id", value=hold_id)
    checks.integer("expires_in_seconds", value=expires_in_seconds, least=1, most=MAX_HOLD_SECONDS)
    checks.done()

    def step(before: Hold, now: datetime) -> Hold:
        return rules.extend(before, expires_at=now + timedelta(seconds=expires_in_seconds))

    return _resolve(actor, desk, hold_id=hold_id, step=step)


def get_hold(actor: Actor, desk: Desk, *, hold_id: str) -> Hold | None:
    """A hold, for the services that place them, for operators and for the one who pays; ``None`` to others too."""
    checks = Checks()
    checks.id("hold_id", value=hold_id)
    checks.done()
    if not actor.may(Scope.LEDGER):
        actor.require(Scope.READ)
    found = desk.books.read(lambda reader: reader.hold(hold_id))
    if found and (actor.may(Scope.LEDGER) or actor.is_operator or actor.name == found.account):
        return found
    return None


def sweep(actor: Actor, desk: Desk, *, limit: int = _BATCH) -> int:
    """Void at most `limit` holds whose time is over, and tell how many. Safe beside others that do the same."""
    actor.require(Scope.LEDGER)
    now = desk.clock()
    overdue: tuple[Hold, ...] = desk.books.read(lambda reader: reader.overdue(now, limit=limit))
    voided = 0
    for late in overdue:
        after = _resolve(actor, desk, hold_id=late.id, step=lambda before, at: rules.expire(before, at=at))
        voided += after.status is HoldStatus.EXPIRED
    if voided:
        log.warning("voided %d holds that nobody settled in time", voided)
    return voided


def _resolve(actor: Actor, desk: Desk, *, hold_id: str, step: Step, also: tuple[str, ...] = ()) -> Hold:
    """Change a hold by `step` under the locks of its account and of `also`."""

    def find(reader: Reader) -> Hold:
        found = reader.hold(hold_id)
        if found is None:
            raise rules.no_such_hold(hold_id)
        return found

    def work(unit: Unit) -> Hold:
        account_id = wallet_id(find(unit).account)
        accounts = unit.lock([*also, account_id])
        # Read again: only under the lock of its account does a hold stand still.
        before = find(unit)
        now = desk.clock()
        after = step(before, now)
        if after is before:
            return before
        unit.save_hold(after)
        if not after.is_open:
            payer = accounts[account_id]
            accounts[account_id] = replace(payer, held=payer.held - before.amount)
            if after.captured:
                _collect(actor, unit, after=after, accounts=accounts)
            else:
                unit.save_account(accounts[account_id])
        return after

    return desk.books.run(work)


def _collect(actor: Actor, unit: Unit, *, after: Hold, accounts: Mapping[str, Account]) -> None:
    """Move what a hold captured from the wallet, on which it no longer sets anything aside, to the platform."""
    assert after.resolved_at is not None
    transaction = Transaction(
        id=capture_id(after.id),
        kind=TransactionKind.CAPTURE,
        legs=transfer(source=wallet_id(after.account), target=PLATFORM, amount=after.captured),
        reference=after.id,
        description=after.purpose.description or f"{after.purpose.kind} {after.purpose.reference}",
        actor=actor.name,
        usage=after.usage,
        at=after.resolved_at,
    )
    grants = unit.live_grants(after.account)
    taken = draw_expired_first(grants, amount=after.captured, at=after.resolved_at)
    unit.add_posting(post(transaction, accounts))
    take_from_grants(unit, transaction.id, taken=taken)


def _void_overdue(unit: Unit, wallet: Account, *, now: datetime) -> Account:
    """Void the overdue holds of a locked wallet."""
    for late in unit.overdue(now, limit=_BATCH, account=wallet.name):
        unit.save_hold(rules.expire(late, at=now))
        wallet = replace(wallet, held=wallet.held - late.amount)
    unit.save_account(wallet)
    return wallet


def _refusal(desk: Desk, wallet: Account, *, amount: int, now: datetime) -> Refusal:
    tier = desk.tiers.named(wallet.tier or desk.tiers.default)
    allowance = tier.terms_on(now.date()).monthly_allowance
    renewal = next_month(now)
    next_allowance = tier.terms_on(renewal.date()).monthly_allowance
    return Refusal(
        code="credits-exhausted",
        message=(
            f"{_credits(amount)} credits are needed and {_credits(wallet.available)} are available"
            f" ({_credits(wallet.held)} are held for what is running)"
        ),
        # Held credits may come back sooner; next month's allowance is what can be promised.
        retry_at=renewal if next_allowance >= amount else None,
        limit=allowance,
        left=wallet.available,
    )


def _credits(millicredits: int) -> str:
    return f"{millicredits // 1000:,}.{millicredits % 1000:03d}".rstrip("0").rstrip(".")
