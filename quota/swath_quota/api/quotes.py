"""Quotes, what they are learnt from, and how well they held."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from swath_service.actor import Actor
from swath_service.identity import current_actor
from swath_service.oauth import browser_actor

from swath_quota import services
from swath_quota.api.desk import current_desk
from swath_quota.api.models import Id
from swath_quota.domain.checks import MAX_HOLD_SECONDS, MAX_USAGE, USAGE_PATTERN
from swath_quota.domain.holds import PurposeKind
from swath_quota.domain.quotes import (
    FEATURE_PATTERN,
    MAX_CPUS,
    MAX_FEATURES,
    MAX_MEMORY_MB,
    MAX_QUANTITY,
    SUBJECT_PATTERN,
    Observation,
    ObservationSource,
    Quote,
    QuoteRequest,
    Reserved,
)
from swath_quota.services.desk import Desk
from swath_quota.services.quotes import CoverageReport

router = APIRouter(tags=["quotes"])
Caller = Annotated[Actor, Depends(current_actor)]
Looker = Annotated[Actor, Depends(browser_actor)]
AtDesk = Annotated[Desk, Depends(current_desk)]

_Number = Annotated[float, Field(strict=True, ge=-MAX_QUANTITY, le=MAX_QUANTITY, allow_inf_nan=False)]
_Used = Annotated[float, Field(strict=True, ge=0, le=MAX_QUANTITY, allow_inf_nan=False)]
_Subject = Annotated[str, Field(pattern=SUBJECT_PATTERN)]
_Features = Annotated[
    dict[Annotated[str, Field(pattern=FEATURE_PATTERN)], _Number],
    Field(max_length=MAX_FEATURES, default_factory=dict),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReservedModel(_Body):
    """The limits of what is quoted."""

    cpus: Annotated[float, Field(strict=True, ge=0, le=MAX_CPUS, allow_inf_nan=False)]
    memory_mb: Annotated[int, Field(strict=True, ge=0, le=MAX_MEMORY_MB)]
    wall_seconds: Annotated[int, Field(strict=True, ge=1, le=MAX_HOLD_SECONDS)]


class QuoteBody(_Body):
    """What to quote."""

    quote_id: Id
    kind: PurposeKind
    subject: _Subject
    reserved: ReservedModel
    features: _Features


class ObservationBody(_Body):
    """What something used, once it was over."""

    id: Id
    kind: PurposeKind
    subject: _Subject
    features: _Features
    usage: Annotated[dict[Annotated[str, Field(pattern=USAGE_PATTERN)], _Used], Field(max_length=MAX_USAGE)]
    finished: Annotated[bool, Field(strict=True)]
    at: AwareDatetime
    source: ObservationSource = ObservationSource.USE
    quote_id: Id | None = None


@router.post("/quotes", status_code=201)
def quote(caller: Caller, desk: AtDesk, body: QuoteBody, response: Response) -> Quote:
    """What a run, a Lab server or a cluster will cost: 201, or 200 when the same was asked before. Nothing is held."""
    request = QuoteRequest(
        quote_id=body.quote_id,
        kind=body.kind,
        subject=body.subject,
        reserved=Reserved(**body.reserved.model_dump()),
        features=body.features,
    )
    given = services.quote(caller, desk, request)
    if given.replayed:
        response.status_code = 200
    return given.quote


@router.get("/quotes/coverage")
def coverage(caller: Looker, desk: AtDesk, subject: Annotated[_Subject | None, Query()] = None) -> CoverageReport:
    """How past quotes compare with what was then used, altogether and for each subject."""
    return services.coverage(caller, desk, subject=subject)


@router.get("/quotes/{quote_id}")
def show(caller: Looker, desk: AtDesk, quote_id: str) -> Quote:
    """A quote as it was given."""
    return services.get_quote(caller, desk, quote_id=quote_id)


@router.post("/observations", status_code=201)
def observe(caller: Caller, desk: AtDesk, body: ObservationBody) -> Observation:
    """Learn from what something used. For Swath's own services."""
    told = body.model_dump()
    return services.observe(caller, desk, Observation(**{**told, "quote_id": body.quote_id or ""}))
