"""Settle, in the background, what was metered and whose holder did not come to the end of it."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from swath_service.actor import Actor, Scope

from swath_quota.domain.meters import Meter, MeterStatus
from swath_quota.domain.usage import FINAL_SEQUENCE
from swath_quota.services.desk import Desk
from swath_quota.services.metering import holds_of, metered
from swath_quota.services.settling import mark_settled, settle_meter

log = logging.getLogger(__name__)

_BATCH = 500
#: A source that told the last values itself may still say whose fault the end was.
_GRACE = timedelta(seconds=60)


def sweep_meters(actor: Actor, desk: Desk, *, limit: int = _BATCH) -> int:
    """Settle at most `limit` holds of each kind by their meters, and tell how many. Safe beside others that do it.

    - Overdue holds that something was used of: the holder died, and what was used up to its last report is paid, not
      more. Those that nothing was used of are left to `swath_quota.services.holds.sweep`, which voids them.
    - Holds whose meter is final: the service died between the event and the capture, or the source after the event.
    """
    actor.require(Scope.LEDGER)
    now = desk.clock()
    overdue = desk.books.read(lambda reader: reader.overdue(now, limit=limit))
    late = metered(desk, [hold.id for hold in overdue])
    cut_off = {
        meter.hold_id
        for meter in desk.meters.read(lambda reader: reader.unsettled(limit=limit))
        if _is_due(meter, now=now)
    }
    failed: list[Exception] = []
    for hold_id in sorted(late | cut_off):
        try:
            _settle(actor, desk, hold_id=hold_id, now=now, cut_off=hold_id in cut_off)
        except Exception as error:
            # One that cannot be priced must not keep the others waiting.
            log.exception("the metered hold %s could not be settled", hold_id)
            failed.append(error)
    if failed:
        # Nothing is voided after this: what could not be settled would be lost.
        raise failed[0]
    return len(late | cut_off)


def _settle(actor: Actor, desk: Desk, *, hold_id: str, now: datetime, cut_off: bool) -> None:
    """Settle one hold; one that was extended since it was found overdue is left alone."""
    hold = holds_of(desk, [hold_id])[hold_id]
    if not hold.is_open:
        mark_settled(desk, hold_id=hold_id)
    elif cut_off or hold.expires_at <= now:
        settle_meter(actor, desk, hold_id=hold_id)
        log.warning("settled %s %s by its last report", hold.purpose.kind, hold_id)


def _is_due(meter: Meter, *, now: datetime) -> bool:
    ours = meter.status is MeterStatus.CLOSED or meter.state.sequence == FINAL_SEQUENCE
    return ours or meter.last_seen_at + _GRACE <= now
