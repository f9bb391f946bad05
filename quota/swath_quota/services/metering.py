"""Take in what Lab servers, Dask clusters and runs report that they used."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from swath_service.actor import Actor, Scope

from swath_quota.domain.checks import Checks
from swath_quota.domain.errors import UsageEventDiffers
from swath_quota.domain.holds import Hold
from swath_quota.domain.meters import EventResult, Meter, MeterStatus, MeterUnit, Outcome, StoredEvent, UsageAnswer
from swath_quota.domain.prices import Prices
from swath_quota.domain.usage import (
    FINAL_SEQUENCE,
    MAX_QUANTITIES,
    MAX_QUANTITY,
    MeterState,
    UsageEvent,
    is_decreasing,
    take,
)
from swath_quota.services.desk import Desk

log = logging.getLogger(__name__)

#: Most events of one report.
MAX_EVENTS = 500


def report_usage(actor: Actor, desk: Desk, *, events: Sequence[UsageEvent]) -> UsageAnswer:
    """Keep what meters showed, all of it or nothing.

    Idempotent by the events' ids. What comes when its hold is settled is kept as evidence, and changes nothing.

    Raises
    ------
    UsageEventDiffers
        An id, or a number within a meter, is taken by another event; or a hold has another meter.
    Invalid
        With every fault of every event.
    Forbidden
    """
    actor.require(Scope.LEDGER)
    checks = Checks()
    if not 1 <= len(events) <= MAX_EVENTS:
        checks.fault("events", message=f"events must be 1 to {MAX_EVENTS}", mend="send them in several reports")
        checks.done()
    for index, event in enumerate(events):
        _check_event(checks, f"events[{index}]", event=event)
    checks.done()
    holds = holds_of(desk, {event.hold_id for event in events})
    for index, event in enumerate(events):
        _check_hold(checks, f"events[{index}]", event=event, hold=holds.get(event.hold_id))
    checks.done()
    return desk.meters.run(lambda unit: take_in(unit, events, holds=holds, now=desk.clock()))


def take_in(unit: MeterUnit, events: Sequence[UsageEvent], *, holds: Mapping[str, Hold], now: datetime) -> UsageAnswer:
    """Append checked events, whose holds are `holds`.

    Raises
    ------
    UsageEventDiffers
    """
    return _Intake(unit, holds=holds, now=now).take_all(events)


def holds_of(desk: Desk, hold_ids: Iterable[str]) -> dict[str, Hold]:
    """The holds of these ids that are there."""
    wanted = sorted(set(hold_ids))
    found = desk.books.read(lambda reader: [reader.hold(hold_id) for hold_id in wanted])
    return {hold.id: hold for hold in found if hold}


def metered(desk: Desk, hold_ids: Iterable[str]) -> frozenset[str]:
    """Those of the holds that something was used of, which are therefore captured rather than voided."""
    wanted = list(hold_ids)
    if not wanted:
        return frozenset()
    found = desk.meters.read(lambda reader: reader.by_holds(wanted))
    return frozenset(hold_id for hold_id, meter in found.items() if meter.state.has_usage)


def spender_of(hold: Hold) -> str:
    """Name of the user whose work `hold` pays for."""
    return hold.member


def frozen_prices(desk: Desk, hold: Hold) -> Prices:
    """The price list that what `hold` pays for is priced by, whatever list is in force by now."""
    return desk.prices.version(hold.price_version)


class _Intake:
    """One report, under the locks of its meters."""

    def __init__(self, unit: MeterUnit, *, holds: Mapping[str, Hold], now: datetime) -> None:
        self._unit = unit
        self._holds = holds
        self._now = now
        self._findings: list[dict[str, Any]] = []
        self._new: dict[str, StoredEvent] = {}

    def take_all(self, events: Sequence[UsageEvent]) -> UsageAnswer:
        locked = self._unit.lock(hold_ids={event.hold_id for event in events}, meters={event.meter for event in events})
        self._by_hold = {meter.hold_id: meter for meter in locked}
        self._by_name = {meter.id: meter for meter in locked}
        # Numbers before ids: a meter that is not there yet can't be locked, and what somebody else commits between the
        # two reads must be found by its id when it is found by its number.
        self._taken = self._unit.numbered({(event.meter, event.sequence) for event in events})
        self._stored = self._unit.events({event.id for event in events})
        before = dict(self._by_name)
        results = [self._take(f"events[{index}]", event) for index, event in enumerate(events)]
        if self._findings:
            raise UsageEventDiffers(
                code="usage-event-differs",
                message="; ".join(finding["message"] for finding in self._findings),
                mend="make a new id and number for a new event; repeat an event only as it was",
                findings=self._findings,
            )
        for name, meter in self._by_name.items():
            if before.get(name) != meter:
                self._unit.save_meter(meter)
        self._unit.add_events(list(self._new.values()))
        return UsageAnswer(results=tuple(results))

    def _take(self, field: str, event: UsageEvent) -> EventResult:
        known = self._stored.get(event.id) or self._new.get(event.id)
        if known:
            if not known.event.same_as(event):
                self._differs(f"{field}.id", f"the id {event.id!r} is taken by another event")
            return EventResult(id=event.id, outcome=Outcome.DUPLICATE, late=known.late)
        if (event.meter, event.sequence) in self._taken:
            self._differs(f"{field}.sequence", f"number {event.sequence} of {event.meter!r} is another event")
        self._taken[(event.meter, event.sequence)] = event.id
        meter, hold = self._by_hold.get(event.hold_id), self._holds[event.hold_id]
        late = not hold.is_open or (meter is not None and meter.status is not MeterStatus.OPEN)
        decreasing = False
        if not late:
            meter = meter or self._begin(field, event, hold=hold)
            if meter.id != event.meter:
                self._differs(f"{field}.meter", f"the hold {event.hold_id!r} has the meter {meter.id!r}")
            decreasing = is_decreasing(meter.state, event)
            self._keep(replace(meter, state=take(meter.state, event), last_seen_at=self._now))
        self._new[event.id] = StoredEvent(event=event, late=late, received_at=self._now)
        if decreasing:
            log.warning("meter %s reported less than before; the largest value stands", event.meter)
        return EventResult(id=event.id, outcome=Outcome.ACCEPTED, decreasing=decreasing, late=late)

    def _begin(self, field: str, event: UsageEvent, *, hold: Hold) -> Meter:
        if event.meter in self._by_name:
            self._differs(f"{field}.meter", f"the meter {event.meter!r} belongs to another hold")
        return Meter(
            id=event.meter,
            hold_id=event.hold_id,
            account=event.account,
            kind=event.kind,
            reference=hold.purpose.reference,
            state=MeterState(),
            first_seen_at=self._now,
            last_seen_at=self._now,
        )

    def _keep(self, meter: Meter) -> None:
        self._by_hold[meter.hold_id] = self._by_name[meter.id] = meter

    def _differs(self, field: str, message: str) -> None:
        self._findings.append({"field": field, "message": message, "mend": "make a new one, or repeat it as it was"})


def check_quantities(checks: Checks, field: str, *, usage: Mapping[str, float]) -> None:
    """What was used: few, known to be numbers, and small enough to be priced."""
    checks.usage(field, value=usage)
    if len(usage) > MAX_QUANTITIES:
        checks.fault(field, message=f"{field} has over {MAX_QUANTITIES} members", mend="send fewer")
    for name, value in usage.items():
        if isinstance(value, int | float) and MAX_QUANTITY < value < float("inf"):
            checks.fault(f"{field}.{name}", message=f"must be at most {MAX_QUANTITY:g}", mend="send its true value")


def _check_event(checks: Checks, field: str, *, event: UsageEvent) -> None:
    checks.id(f"{field}.id", value=event.id)
    checks.id(f"{field}.meter", value=event.meter)
    checks.id(f"{field}.hold_id", value=event.hold_id)
    checks.name(f"{field}.account", value=event.account)
    checks.integer(f"{field}.sequence", value=event.sequence, least=1, most=FINAL_SEQUENCE - 1)
    check_quantities(checks, f"{field}.usage", usage=event.usage)
    if event.at.tzinfo is None:
        checks.fault(f"{field}.at", message="at has no time zone", mend="send it with an offset or Z")


def _check_hold(checks: Checks, field: str, *, event: UsageEvent, hold: Hold | None) -> None:
    if hold is None:
        checks.fault(f"{field}.hold_id", message=f"there is no hold {event.hold_id!r}", mend="place the hold first")
        return
    if event.account != spender_of(hold):
        checks.fault(f"{field}.account", message="the hold is another account's", mend="send the hold's account")
    if event.kind is not hold.purpose.kind:
        checks.fault(
            f"{field}.kind", message=f"the hold is for a {hold.purpose.kind}", mend="send the kind that the hold has"
        )
