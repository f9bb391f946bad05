"""Settle a hold by what its meter showed: the price list frozen in the hold decides, and the hold is the most."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from swath_service.actor import Actor, Scope
from swath_service.errors import Conflict

from swath_quota.domain.checks import MAX_USAGE, Checks
from swath_quota.domain.earning import due_of, shares_of
from swath_quota.domain.errors import RefundDiffers
from swath_quota.domain.holds import Hold, Settlement, no_such_hold, settlement_of
from swath_quota.domain.meters import Meter, MeterStatus, MeterUnit, UsageAnswer
from swath_quota.domain.usage import FINAL_SEQUENCE, Fault, UsageEvent, price_usage, settled_usage
from swath_quota.services.desk import Desk
from swath_quota.services.holds import capture, release
from swath_quota.services.metering import check_quantities, frozen_prices, holds_of, spender_of, take_in
from swath_quota.services.refunds import refund

_PLATFORM_REASON = "the platform was at fault; nothing is charged"


def settle(actor: Actor, desk: Desk, *, hold_id: str, usage: Mapping[str, float], fault: Fault) -> Settlement:
    """End a hold by what was used: append a final event, price its meter, and capture that, at most what is held.

    By the platform's fault all of it is released. Idempotent: a replay, and whoever comes when the hold has ended
    otherwise, gets how it ended; look at its status. The event is stored before anything is captured, so what a crash
    cuts off between the two is mended by the sweep for meters.

    Parameters
    ----------
    usage
        Cumulative, like that of every event; where the meter showed more before, that stands.

    Raises
    ------
    UsageEventDiffers
        The hold was settled before, with another usage or fault.
    NoSuchHold, Invalid, Forbidden
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    checks.id("hold_id", value=hold_id)
    check_quantities(checks, "usage", usage=usage)
    checks.done()
    hold = _hold(desk, hold_id)
    event = UsageEvent(
        id=final_id(hold_id),
        meter=hold_id,
        hold_id=hold_id,
        account=spender_of(hold),
        kind=hold.purpose.kind,
        sequence=FINAL_SEQUENCE,
        usage=dict(usage),
        final=True,
        fault=fault,
        at=desk.clock(),
    )

    def work(unit: MeterUnit) -> UsageAnswer:
        # What heartbeats have begun goes on; a hold that nothing was reported of gets a meter of its own name.
        found = unit.lock(hold_ids=[hold_id], meters=[])
        ending = replace(event, meter=found[0].id) if found else event
        return take_in(unit, [ending], holds={hold_id: hold}, now=desk.clock())

    desk.meters.run(work)
    settlement = settle_meter(actor, desk, hold_id=hold_id)
    if fault is Fault.PLATFORM and settlement.captured:
        # The sweep, or a source's last word, came before it was known whose fault the end was.
        with suppress(RefundDiffers):
            # Where an operator gave another part back before, that stands.
            refund(actor, desk, hold_id=hold_id, reason=_PLATFORM_REASON)
    return settlement


def settle_meter(actor: Actor, desk: Desk, *, hold_id: str) -> Settlement:
    """Close the meter of a hold and settle the hold by it; how it ended, when it has ended already.

    The meter is closed first: what comes later counts no more, so whoever repeats this finds the same price.

    Raises
    ------
    NoSuchHold, Forbidden
    """
    meter = desk.meters.run(lambda unit: _to(unit, hold_id, status=MeterStatus.CLOSED))
    # Read after the meter was closed: a hold grows while it is open, and never shrinks.
    hold = _hold(desk, hold_id)
    settlement = _end(actor, desk, hold, meter=meter) if meter and hold.is_open else settlement_of(hold)
    mark_settled(desk, hold_id=hold_id)
    return settlement


def final_id(hold_id: str) -> str:
    """Id of the one event that settles a hold; no source can make it, because of its slash."""
    return f"settle/{hold_id}"


def mark_settled(desk: Desk, *, hold_id: str) -> None:
    """Note that the hold of a meter has ended."""
    desk.meters.run(lambda unit: _to(unit, hold_id, status=MeterStatus.SETTLED))


def _end(actor: Actor, desk: Desk, hold: Hold, *, meter: Meter) -> Settlement:
    state = meter.state
    try:
        if state.fault is Fault.PLATFORM:
            return release(actor, desk, hold_id=hold.id, reason=_PLATFORM_REASON)
        price = price_usage(frozen_prices(desk, hold), state.usage, hold.purpose.kind)
        shares = shares_of(desk.splits, hold, resources=price, usage=state.usage)
        due = due_of(hold, resources=price, usage=state.usage)
        used = settled_usage(state.usage, price=due, held=hold.amount, most=MAX_USAGE)
        taken = min(due, hold.amount)
        return capture(actor, desk, hold_id=hold.id, amount=taken, usage=used, shares=shares)
    except Conflict:
        # Somebody else ended it meanwhile; the first to arrive stands.
        found = _hold(desk, hold.id)
        if found.is_open:
            raise
        return settlement_of(found)


def _to(unit: MeterUnit, hold_id: str, *, status: MeterStatus) -> Meter | None:
    """The meter of a hold, brought at least to `status`."""
    found = next(iter(unit.lock(hold_ids=[hold_id], meters=[])), None)
    if found is None or found.status is MeterStatus.SETTLED or found.status is status:
        return found
    after = replace(found, status=status)
    unit.save_meter(after)
    return after


def _hold(desk: Desk, hold_id: str) -> Hold:
    found = holds_of(desk, [hold_id]).get(hold_id)
    if found is None:
        raise no_such_hold(hold_id)
    return found
