"""Usage: reported by Swath's own services, seen by whoever pays."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, Field
from swath_service.actor import Actor
from swath_service.identity import current_actor
from swath_service.oauth import browser_actor

from swath_quota import services
from swath_quota.api.desk import current_desk
from swath_quota.api.models import Id, Name, Quantity, WalletQuery, _Request
from swath_quota.domain.checks import USAGE_PATTERN
from swath_quota.domain.holds import PurposeKind, Settlement
from swath_quota.domain.meters import Progress, UsageAnswer, UsagePage
from swath_quota.domain.usage import FINAL_SEQUENCE, MAX_QUANTITIES, MAX_QUANTITY, Fault, UsageEvent
from swath_quota.services.desk import Desk
from swath_quota.services.metering import MAX_EVENTS
from swath_quota.services.progress import MAX_PAGE

router = APIRouter(tags=["usage"])
Caller = Annotated[Actor, Depends(current_actor)]
Reader = Annotated[Actor, Depends(browser_actor)]
AtDesk = Annotated[Desk, Depends(current_desk)]
Quantities = Annotated[
    dict[Annotated[str, Field(pattern=USAGE_PATTERN)], Annotated[Quantity, Field(le=MAX_QUANTITY)]],
    Field(max_length=MAX_QUANTITIES),
]


class UsageEventModel(_Request):
    """What a meter showed; the values are cumulative."""

    id: Id
    meter: Id
    hold_id: Id
    account: Name
    kind: PurposeKind
    sequence: Annotated[int, Field(strict=True, ge=1, lt=FINAL_SEQUENCE)]
    usage: Quantities
    final: Annotated[bool, Field(strict=True)] = False
    at: AwareDatetime

    def event(self) -> UsageEvent:
        """The event."""
        return UsageEvent(
            id=self.id,
            meter=self.meter,
            hold_id=self.hold_id,
            account=self.account,
            kind=self.kind,
            sequence=self.sequence,
            usage=dict(self.usage),
            final=self.final,
            at=self.at,
        )


class UsageReport(_Request):
    """What meters showed, all of it taken or nothing."""

    events: Annotated[tuple[UsageEventModel, ...], Field(min_length=1, max_length=MAX_EVENTS)]


class SettleRequest(_Request):
    """How something ended, and what it used in all."""

    usage: Quantities
    fault: Fault = Fault.NONE


class UsageQuery(WalletQuery):
    """Which page of whose usage."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    before: Annotated[str, Field(min_length=1, max_length=400)] | None = None


@router.post("/usage")
def report(caller: Caller, desk: AtDesk, body: UsageReport) -> UsageAnswer:
    """Append what meters showed; each event is accepted, or a duplicate."""
    return services.report_usage(caller, desk, events=[event.event() for event in body.events])


@router.get("/usage")
def page(caller: Reader, desk: AtDesk, query: Annotated[UsageQuery, Query()]) -> UsagePage:
    """A page of one's own usage, newest first, each with what it cost; another's for services and operators."""
    return services.usage_page(caller, desk, account=query.account, limit=query.limit, before=query.before)


@router.post("/holds/{hold_id}/settle")
def settle(caller: Caller, desk: AtDesk, hold_id: str, body: SettleRequest) -> Settlement:
    """Capture the price of what was used, at most what is held; nothing by the platform's fault."""
    return services.settle(caller, desk, hold_id=hold_id, usage=body.usage, fault=body.fault)


@router.get("/holds/{hold_id}/usage")
def progress(caller: Reader, desk: AtDesk, hold_id: str) -> Progress:
    """What a hold pays for so far, what that costs, and how long the hold lasts at that rate."""
    return services.progress(caller, desk, hold_id=hold_id)
