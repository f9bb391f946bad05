"""What authors earned, and paying it out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from swath_service.actor import Actor
from swath_service.oauth import browser_actor

from swath_quota.api.desk import current_desk
from swath_quota.api.exports import payouts_csv
from swath_quota.api.models import Id, Text
from swath_quota.domain.checks import MAX_AMOUNT, MAX_NAME
from swath_quota.domain.payouts import Payout, PayoutStatement
from swath_quota.domain.statements import MONTH_PATTERN
from swath_quota.services import payouts
from swath_quota.services.desk import Desk

router = APIRouter(tags=["authors"])
Caller = Annotated[Actor, Depends(browser_actor)]
AtDesk = Annotated[Desk, Depends(current_desk)]
Author = Annotated[str, Path(min_length=1, max_length=MAX_NAME)]
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}


class PayoutRequest(BaseModel):
    """Note that an author was paid."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    payout_id: Id
    description: Text
    amount: Annotated[
        int | None, Field(strict=True, ge=1, le=MAX_AMOUNT, description="Millicredits; by default the whole balance")
    ] = None


@router.get("/authors/{author}/payouts/{month}", response_model=PayoutStatement, responses=_CSV)
def statement(
    caller: Caller,
    desk: AtDesk,
    author: Author,
    month: Annotated[str, Path(pattern=MONTH_PATTERN)],
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> PayoutStatement | Response:
    """What an author earned in a calendar month, what was taken back and what was paid out."""
    found = payouts.payouts_of(caller, desk, author=author, month=month)
    if form == "json":
        return found
    headers = {
        # The author's name is a user's choice and stays out of the header.
        "Content-Disposition": f'attachment; filename="swath-payouts-{month}.csv"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    media_type = "text/csv; charset=utf-8; header=present"
    return StreamingResponse(payouts_csv(found), media_type=media_type, headers=headers)


@router.post("/authors/{author}/payouts", status_code=201)
def pay_out(caller: Caller, desk: AtDesk, author: Author, body: PayoutRequest) -> Payout:
    """Move what an author earned out of Swath; the same id again moves nothing more."""
    return payouts.pay_out(
        caller, desk, author=author, payout=body.payout_id, description=body.description, amount=body.amount
    )
