"""Wallets, tiers and prices, for everybody; grants, for operators; health, for whoever watches."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from swath_service.actor import Actor
from swath_service.oauth import browser_actor

from swath_quota import services
from swath_quota.api.desk import current_desk
from swath_quota.api.models import EntriesQuery, GrantRequest, Health, TierRequest, WalletQuery
from swath_quota.domain.grants import Grant
from swath_quota.domain.prices import Prices
from swath_quota.domain.tiers import Tiers
from swath_quota.domain.wallets import Statement, Wallet
from swath_quota.services.desk import Desk
from swath_quota.services.reports import WalletReport, overview

router = APIRouter(tags=["wallets"])
Caller = Annotated[Actor, Depends(browser_actor)]
AtDesk = Annotated[Desk, Depends(current_desk)]


@router.get("/wallet")
def wallet(caller: Caller, desk: AtDesk, query: Annotated[WalletQuery, Query()]) -> WalletReport:
    """One's own wallet, in millicredits, and how long it lasts; another's for services and operators."""
    return overview(caller, desk, account=query.account)


@router.get("/wallet/entries")
def entries(caller: Caller, desk: AtDesk, query: Annotated[EntriesQuery, Query()]) -> Statement:
    """A page of a wallet's entries, newest first."""
    return services.statement(caller, desk, account=query.account, limit=query.limit, before=query.before)


@router.put("/wallet/tier")
def assign_tier(caller: Caller, desk: AtDesk, body: TierRequest) -> Wallet:
    """Put a wallet into another tier."""
    return services.assign_tier(caller, desk, account=body.account, tier=body.tier)


@router.post("/grants", status_code=201)
def grant(caller: Caller, desk: AtDesk, body: GrantRequest) -> Grant:
    """Give credits."""
    return services.grant(
        caller,
        desk,
        grant_id=body.grant_id,
        account=body.account,
        amount=body.amount,
        description=body.description,
        category=body.category,
        priority=body.priority,
        scope=body.scope.domain(),
        effective_at=body.effective_at,
        expires_at=body.expires_at,
    )


@router.get("/tiers")
def tiers(caller: Caller, desk: AtDesk) -> Tiers:
    """Every tier."""
    return services.tier_list(caller, desk)


@router.get("/prices")
def prices(
    caller: Caller, desk: AtDesk, version: Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}$")] = None
) -> Prices:
    """The prices in force now, in millicredits; with `version`, those of that list."""
    return services.price_list(caller, desk, version=version)


@router.get("/health")
def health(desk: AtDesk, response: Response) -> Health:
    """Whether the service and its database answer; 503 when the database does not."""
    answers = desk.books.answers()
    if not answers:
        response.status_code = 503
    return Health(
        status="ok" if answers else "unavailable", service="quota", database="ok" if answers else "unreachable"
    )
