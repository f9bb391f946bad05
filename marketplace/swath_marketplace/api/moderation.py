"""Hiding and revoking over HTTP, and the log of acts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from swath_marketplace.api.algorithms import Name, Owner, Version
from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.paging import Page, int_of
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.moderation import Act, Running

router = APIRouter(tags=["moderation"])

_ALGORITHM = "/algorithms/{owner}/{name}"


class ActBody(BaseModel):
    """Why something is done."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    reason: str = Field(min_length=3, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")
    """Told to everybody whom it concerns."""
    report: str | None = Field(default=None, max_length=64, pattern=r"^[0-9a-f]+$")
    """Id of the report that it answers."""


class RevokeBody(ActBody):
    """Why a version must not run any more."""

    running: Running | None = None
    """``stop`` or ``finish`` the runs that have started; by default an operator stops them, an author lets them
    finish."""


@router.post(_ALGORITHM + "/hide")
def hide(owner: Owner, name: Name, *, body: ActBody, actor: Caller, services: Services) -> dict[str, Any]:
    """Hide an algorithm from all but its author and operators. Operators only."""
    path = f"{owner}/{name}"
    found = services.moderation.acts.hide(actor, path, reason=body.reason, report_id=body.report)
    return services.shapes.algorithm(found, whole=True)


@router.post(_ALGORITHM + "/unhide")
def unhide(owner: Owner, name: Name, *, body: ActBody, actor: Caller, services: Services) -> dict[str, Any]:
    """Show a hidden algorithm again. Operators only."""
    path = f"{owner}/{name}"
    found = services.moderation.acts.unhide(actor, path, reason=body.reason, report_id=body.report)
    return services.shapes.algorithm(found, whole=True)


@router.post(_ALGORITHM + "/versions/{version}/revoke")
def revoke(
    owner: Owner, name: Name, *, version: Version, body: RevokeBody, actor: Caller, services: Services
) -> dict[str, Any]:
    """Have a version run no more, for good: its author and operators. Whoever called it lately is told."""
    path = f"{owner}/{name}@{version}"
    found = services.moderation.acts.revoke(
        actor, path, reason=body.reason, running=body.running, report_id=body.report
    )
    return services.shapes.version(found)


@router.get("/acts")
def acts(
    actor: Caller,
    services: Services,
    *,
    algorithm: Annotated[str | None, Query(max_length=200)] = None,
    page: Page,
) -> dict[str, Any]:
    """What was hidden, shown again, revoked and answered, the latest first: operators see all, authors their own."""
    found, total = services.moderation.acts.acts(
        actor, path=algorithm, limit=page.asked, offset=page.offset, before=int_of(page.after(int))
    )
    return page.answer("acts", found, total=total, shape=act_shape, place=lambda one: (one.sequence,))


def act_shape(act: Act) -> dict[str, Any]:
    """An act as JSON."""
    return {
        "number": act.sequence,
        "kind": act.kind.value,
        "algorithm": f"{act.owner}/{act.name}",
        "version": act.version,
        "digest": act.digest,
        "review": act.review,
        "reason": act.reason,
        "by": act.by,
        "at": iso(act.at),
        "report": act.report_id,
    }
