"""Holds, for Swath's own services."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from swath_service.actor import Actor
from swath_service.identity import current_actor

from swath_quota import services
from swath_quota.api.desk import current_desk
from swath_quota.api.models import CaptureRequest, ExtendRequest, HoldRequest, RefundRequest, ReleaseRequest
from swath_quota.domain.errors import CreditsExhausted
from swath_quota.domain.holds import Hold, Purpose, Refusal, Settlement, no_such_hold
from swath_quota.services.desk import Desk

router = APIRouter(tags=["holds"])
Caller = Annotated[Actor, Depends(current_actor)]
AtDesk = Annotated[Desk, Depends(current_desk)]


@router.post("/holds", status_code=201)
def place(caller: Caller, desk: AtDesk, body: HoldRequest, response: Response) -> Hold:
    """Set credits aside: 201, or 200 when the same hold was placed before; 402 says why not."""
    placed = services.hold(
        caller,
        desk,
        hold_id=body.hold_id,
        account=body.account,
        amount=body.amount,
        purpose=Purpose(
            kind=body.purpose.kind,
            reference=body.purpose.reference,
            description=body.purpose.description,
            algorithm=body.purpose.algorithm,
        ),
        expires_in_seconds=body.expires_in_seconds,
        payer=body.payer,
        price_version=body.price_version,
        added_value=body.added_value.domain() if body.added_value else None,
    )
    if isinstance(placed, Refusal):
        raise told(placed)
    if placed.replayed:
        response.status_code = 200
    return placed.hold


@router.get("/holds/{hold_id}")
def show(caller: Caller, desk: AtDesk, hold_id: str) -> Hold:
    """A hold as it stands."""
    found = services.get_hold(caller, desk, hold_id=hold_id)
    if found is None:
        raise no_such_hold(hold_id)
    return found


@router.post("/holds/{hold_id}/capture")
def capture(caller: Caller, desk: AtDesk, hold_id: str, body: CaptureRequest) -> Settlement:
    """Take at most what is held and give the rest back."""
    return services.capture(caller, desk, hold_id=hold_id, amount=body.amount, usage=body.usage)


@router.post("/holds/{hold_id}/release")
def release(caller: Caller, desk: AtDesk, hold_id: str, body: ReleaseRequest) -> Settlement:
    """Give everything back."""
    return services.release(caller, desk, hold_id=hold_id, reason=body.reason)


@router.post("/holds/{hold_id}/extend")
def extend(caller: Caller, desk: AtDesk, hold_id: str, body: ExtendRequest) -> Hold:
    """Let an open hold stand longer, and over more; 402 says why not, and leaves it as it was."""
    extended = services.extend(
        caller, desk, hold_id=hold_id, expires_in_seconds=body.expires_in_seconds, amount=body.amount
    )
    if isinstance(extended, Refusal):
        raise told(extended)
    return extended


@router.post("/holds/{hold_id}/refund")
def refund(caller: Caller, desk: AtDesk, hold_id: str, body: RefundRequest) -> Settlement:
    """Give back what was captured, as a grant of the category compensation."""
    return services.refund(caller, desk, hold_id=hold_id, reason=body.reason, amount=body.amount)


def told(refusal: Refusal) -> CreditsExhausted:
    """The error that tells a refusal over HTTP."""
    return CreditsExhausted(
        code=refusal.code,
        message=refusal.message,
        mend=refusal.mend,
        extra={
            "retry_at": refusal.retry_at.isoformat() if refusal.retry_at else None,
            "limit": refusal.limit,
            "left": refusal.left,
            "limit_name": refusal.limit_name,
        },
    )
