"""Organisations and their members; which wallet one's own work is paid from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from swath_service.actor import Actor
from swath_service.identity import current_actor
from swath_service.oauth import browser_actor

from swath_quota import services
from swath_quota.api.desk import current_desk
from swath_quota.api.models import MemberRequest, OrganisationRequest, PayerRequest
from swath_quota.domain.members import Membership
from swath_quota.services.desk import Desk
from swath_quota.services.organisations import Organisation

router = APIRouter(tags=["organisations"])
Caller = Annotated[Actor, Depends(current_actor)]
AtDesk = Annotated[Desk, Depends(current_desk)]


@router.put("/organisations/{name}")
def open_(caller: Caller, desk: AtDesk, name: str, body: OrganisationRequest) -> Organisation:
    """Open an organisation's wallet."""
    return services.open_organisation(caller, desk, name=name, title=body.title, tier=body.tier)


@router.get("/organisations/{name}")
def show(caller: Annotated[Actor, Depends(browser_actor)], desk: AtDesk, name: str) -> Organisation:
    """An organisation; all of its members for owners and operators, oneself for a member."""
    return services.organisation(caller, desk, name=name)


@router.put("/organisations/{name}/members/{member}")
def admit(caller: Caller, desk: AtDesk, name: str, member: str, body: MemberRequest) -> Membership:
    """Let a user spend from the wallet, up to a ceiling."""
    return services.admit(caller, desk, name=name, member=member, ceiling=body.ceiling, role=body.role)


@router.delete("/organisations/{name}/members/{member}")
def dismiss(caller: Caller, desk: AtDesk, name: str, member: str) -> Membership:
    """Let a user no longer spend from the wallet."""
    return services.dismiss(caller, desk, name=name, member=member)


@router.put("/wallet/payer")
def choose_payer(caller: Caller, desk: AtDesk, body: PayerRequest) -> dict[str, str]:
    """Choose the wallet that one's own work is paid from."""
    return {"payer": services.choose_payer(caller, desk, payer=body.payer)}
