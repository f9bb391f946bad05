"""Take of a limit and give back: atomic, idempotent by id, and never beyond the hard limit however many ask at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from swath_service.actor import Actor, Scope

from swath_quota.domain.checks import MAX_HOLD_SECONDS, Checks
from swath_quota.domain.holds import Refusal
from swath_quota.domain.limit_ports import LimitUnit
from swath_quota.domain.limits import CREDITS, MAX_QUANTITY, Limit, Taken, Window
from swath_quota.domain.periods import month_of
from swath_quota.domain.takes import Take, TakeStatus, check_replay, taken
from swath_quota.domain.verdicts import Outcome, judge
from swath_quota.domain.windows import Counter, Usage, counted, hour_of, oldest_hour
from swath_quota.services.desk import Desk
from swath_quota.services.limits import look, usage_in

#: How long a take that no longer stands is remembered: a replay after that counts anew.
REMEMBERED = timedelta(days=40)


def take(
    actor: Actor,
    desk: Desk,
    *,
    take_id: str,
    account: str,
    limit: str,
    amount: int,
    expires_in_seconds: int | None = None,
) -> Taken | Refusal:
    """Use `amount` units of a limit, or hold them of a continuous one for at most `expires_in_seconds`.

    Idempotent by `take_id`. A replay of a continuous take that stands lets it stand at least `expires_in_seconds` from
    now, so that its holder can keep it alive. A refusal is not stored: its replay is judged anew.

    Raises
    ------
    NoSuchLimit, TakeDiffers, TakeEnded, Invalid, Forbidden
    """
    actor.require(Scope.LEDGER)
    _check(take_id, account, limit=limit, amount=amount, expires_in_seconds=expires_in_seconds)
    shape = desk.tiers.limit_named(limit)
    if expires_in_seconds is not None and shape.window is not Window.CONTINUOUS:
        checks = Checks()
        checks.fault("expires_in_seconds", message=f"{limit} ends with its window", mend="leave it out")
        checks.done()
    # Apart from the lock below: which limit holds depends on others' counters, and no work locks two.
    found = look(desk, account, now=desk.clock())
    effective = found.limits.get(limit, replace(shape, hard=None, soft=None, burst=None, degrade=None))

    def work(unit: LimitUnit) -> Taken | Refusal:
        now = desk.clock()
        counter = unit.lock(account, limit, at=now)
        usage = usage_in(unit, effective, counter, now=now)
        _expire(unit, counter, now=usage.now)
        existing = unit.find_take(take_id)
        if existing:
            check_replay(existing, account=account, limit=limit, amount=amount)
            return taken(_kept_alive(unit, existing, now=usage.now, seconds=expires_in_seconds))
        verdict = judge(effective, usage, requested=amount)
        if verdict.refusal:
            return verdict.refusal
        ends = None if expires_in_seconds is None else usage.now + timedelta(seconds=expires_in_seconds)
        new = Take(
            id=take_id,
            account=account,
            limit=limit,
            amount=amount,
            degraded=verdict.outcome is Outcome.DEGRADED,
            status=TakeStatus.STANDING if effective.window is Window.CONTINUOUS else TakeStatus.COUNTED,
            created_at=usage.now,
            expires_at=ends,
        )
        _store(unit, new, limit=effective, counter=counter, usage=usage)
        return taken(new)

    return desk.limits.run(work)


def give_back(actor: Actor, desk: Desk, *, take_id: str) -> None:
    """End a take: a continuous one frees its amount, a counted one no longer counts where its window is not over.

    Idempotent, and a no-op for an id that nobody took with or that has expired. A rate gets nothing back: it drains.

    Raises
    ------
    Invalid, Forbidden
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    checks.id("take_id", value=take_id)
    checks.done()
    known = desk.limits.read(lambda reader: reader.find_take(take_id))
    if known is None:
        return
    window = desk.tiers.limit_named(known.limit).window

    def work(unit: LimitUnit) -> None:
        counter = unit.lock(known.account, known.limit, at=desk.clock())
        # Read again: only under the lock does a take stand still.
        existing = unit.find_take(take_id)
        if existing is None or existing.is_over:
            return
        now = max(counter.seen_at, desk.clock())
        unit.save_take(replace(existing, status=TakeStatus.GIVEN_BACK, ended_at=now))
        if window is Window.CALENDAR_MONTH and counter.period == month_of(existing.created_at):
            unit.save_counter(replace(counter, used=max(0, counter.used - existing.amount)))
        if window is Window.ROLLING:
            unit.add_to_bucket(
                existing.account, existing.limit, hour=hour_of(existing.created_at), amount=-existing.amount
            )

    desk.limits.run(work)


def _store(unit: LimitUnit, new: Take, *, limit: Limit, counter: Counter, usage: Usage) -> None:
    unit.save_counter(counted(limit, counter, usage=usage, amount=new.amount))
    if limit.window is Window.ROLLING:
        unit.add_to_bucket(new.account, new.limit, hour=hour_of(usage.now), amount=new.amount)
    if hour_of(counter.seen_at) != hour_of(usage.now):
        # Once an hour and account, not at every take.
        over = oldest_hour(limit, usage.now) if limit.window is Window.ROLLING else None
        unit.forget(new.account, new.limit, buckets=over, takes=usage.now - REMEMBERED)
    unit.add_take(new)


def _expire(unit: LimitUnit, counter: Counter, *, now: datetime) -> None:
    """Mark the leases of a locked counter whose time is over."""
    for late in unit.standing_takes(counter.account, counter.limit):
        if late.expires_at is not None and late.expires_at <= now:
            unit.save_take(replace(late, status=TakeStatus.EXPIRED, ended_at=now))


def _kept_alive(unit: LimitUnit, existing: Take, *, now: datetime, seconds: int | None) -> Take:
    """`existing` standing at least `seconds` from now; never shortened."""
    if seconds is None or existing.expires_at is None:
        return existing
    ends = now + timedelta(seconds=seconds)
    if ends <= existing.expires_at:
        return existing
    longer = replace(existing, expires_at=ends)
    unit.save_take(longer)
    return longer


def _check(take_id: str, account: str, *, limit: str, amount: int, expires_in_seconds: int | None) -> None:
    checks = Checks()
    checks.id("take_id", value=take_id)
    checks.name("account", value=account)
    checks.text("limit", value=limit, longest=64)
    checks.integer("amount", value=amount, least=1, most=MAX_QUANTITY)
    if expires_in_seconds is not None:
        checks.integer("expires_in_seconds", value=expires_in_seconds, least=1, most=MAX_HOLD_SECONDS)
    if limit == CREDITS:
        checks.fault("limit", message="credits are not taken", mend="place a hold on the wallet")
    checks.done()
