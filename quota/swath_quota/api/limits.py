"""One's own limits, for everybody; takes, for Swath's own services; overrides, for operators."""

from __future__ import annotations

from datetime import datetime
from math import ceil
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from swath_service.actor import Actor
from swath_service.identity import current_actor
from swath_service.oauth import browser_actor

from swath_quota import services
from swath_quota.api.desk import current_desk
from swath_quota.api.models import Id, Name, Seconds, Text, WalletQuery
from swath_quota.client.rates import policies_of
from swath_quota.domain.errors import QuotaExceeded
from swath_quota.domain.holds import Refusal
from swath_quota.domain.limits import MAX_QUANTITY, Standing, Taken
from swath_quota.domain.overrides import Override
from swath_quota.services.desk import Desk

router = APIRouter(tags=["limits"])
Reader = Annotated[Actor, Depends(browser_actor)]
Caller = Annotated[Actor, Depends(current_actor)]
AtDesk = Annotated[Desk, Depends(current_desk)]
LimitName = Annotated[str, Field(min_length=1, max_length=64)]
Amount = Annotated[int, Field(strict=True, ge=0, le=MAX_QUANTITY)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TakeRequest(_Request):
    """Use or hold units of a limit."""

    take_id: Id
    account: Name
    limit: LimitName
    amount: Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY)]
    expires_in_seconds: Seconds | None = None


class OverrideRequest(_Request):
    """Let a subject have another limit, or another tier's limits."""

    subject: Name
    reason: Text
    ends_at: AwareDatetime
    starts_at: AwareDatetime | None = None
    limit: LimitName | None = None
    hard: Amount | Literal["unrestricted"] | None = None
    soft: Amount | None = None
    tier: Annotated[str, Field(min_length=1, max_length=63)] | None = None


class RevokeQuery(_Request):
    """Why an override ends before its time."""

    reason: Text


class OverridesQuery(_Request):
    """Whose overrides; by default everybody's."""

    subject: Name | None = None


class Overrides(BaseModel):
    """Everything that operators ever let anybody have."""

    overrides: list[Override]


class Rate(BaseModel):
    """What a gate lets pass of one account."""

    name: str
    quota: int
    window_seconds: int
    burst: int | None
    limit_name: str


class Rates(BaseModel):
    """The rates of an account."""

    rates: list[Rate]


class GivenBack(BaseModel):
    """That a take no longer stands."""

    take_id: str


@router.get("/limits")
def limits(caller: Reader, desk: AtDesk, query: Annotated[WalletQuery, Query()]) -> Standing:
    """One's own limits: used, left, and when they reset; another's for services and operators."""
    return services.standing(caller, desk, account=query.account)


@router.get("/limits/rates")
def rates(caller: Caller, desk: AtDesk, query: Annotated[WalletQuery, Query()]) -> Rates:
    """The rates that every API keeps an account to: what the gates of other services ask for."""
    told = policies_of(services.standing(caller, desk, account=query.account))
    return Rates(
        rates=[
            Rate(
                name=name,
                quota=policy.quota,
                window_seconds=policy.window_seconds,
                burst=policy.burst,
                limit_name=policy.limit_name,
            )
            for name, policy in told.items()
        ]
    )


@router.post("/limits/takes")
def take(caller: Caller, desk: AtDesk, body: TakeRequest) -> Taken:
    """Use or hold units of a limit; 429 says which limit refuses, how much is left and when it next fits."""
    answer = services.take(
        caller,
        desk,
        take_id=body.take_id,
        account=body.account,
        limit=body.limit,
        amount=body.amount,
        expires_in_seconds=body.expires_in_seconds,
    )
    if isinstance(answer, Refusal):
        raise exceeded(answer, now=desk.clock())
    return answer


@router.delete("/limits/takes/{take_id}")
def give_back(caller: Caller, desk: AtDesk, take_id: str) -> GivenBack:
    """End a take."""
    services.give_back(caller, desk, take_id=take_id)
    return GivenBack(take_id=take_id)


@router.get("/limits/overrides")
def overrides(caller: Reader, desk: AtDesk, query: Annotated[OverridesQuery, Query()]) -> Overrides:
    """Every override that ever was, oldest first."""
    return Overrides(overrides=list(services.overrides(caller, desk, subject=query.subject)))


@router.put("/limits/overrides/{override_id}")
def override(caller: Caller, desk: AtDesk, override_id: str, body: OverrideRequest) -> Override:
    """Let a subject have another limit, or another tier's limits, for a time."""
    return services.override(
        caller,
        desk,
        override_id=override_id,
        subject=body.subject,
        reason=body.reason,
        ends_at=body.ends_at,
        starts_at=body.starts_at,
        limit=body.limit,
        hard=None if body.hard == "unrestricted" else body.hard,
        unrestricted=body.hard == "unrestricted",
        soft=body.soft,
        tier=body.tier,
    )


@router.delete("/limits/overrides/{override_id}")
def revoke(caller: Caller, desk: AtDesk, override_id: str, query: Annotated[RevokeQuery, Query()]) -> Override:
    """End an override now."""
    return services.revoke(caller, desk, override_id=override_id, reason=query.reason)


def exceeded(refusal: Refusal, *, now: datetime) -> QuotaExceeded:
    """The error that tells a refusal over HTTP, with the members of the IETF's problem type ``quota-exceeded``."""
    headers = {}
    if refusal.retry_at is not None:
        # Rounded up: who comes at the second that it names is not refused once more.
        headers["Retry-After"] = str(max(1, ceil((refusal.retry_at - now).total_seconds())))
    return QuotaExceeded(
        code=refusal.code,
        message=refusal.message,
        mend=refusal.mend,
        extra={
            "limit_name": refusal.limit_name,
            "limit": refusal.limit,
            "left": refusal.left,
            "retry_at": refusal.retry_at.isoformat() if refusal.retry_at else None,
            "violated-policies": [refusal.limit_name],
        },
        headers=headers,
    )
