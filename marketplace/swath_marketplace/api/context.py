"""What handlers work with: one object, put on the application by `make_app`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from swath_service.actor import Actor
from swath_service.forms import FormTokens
from swath_service.oauth import browser_actor
from swath_service.tickets import Tickets

from swath_marketplace.api.shapes import Shapes
from swath_marketplace.services.added_value import AddedValues
from swath_marketplace.services.answers import Answers
from swath_marketplace.services.comparisons import Comparisons
from swath_marketplace.services.dossiers import Dossiers
from swath_marketplace.services.events import EventLogs
from swath_marketplace.services.exit.doors import ExitDoors
from swath_marketplace.services.inventories import Inventories
from swath_marketplace.services.judging import Judging
from swath_marketplace.services.lineage import Lineages
from swath_marketplace.services.maturity import Maturity
from swath_marketplace.services.moderation_desk import ModerationDesk
from swath_marketplace.services.ogc import OgcServices
from swath_marketplace.services.places import Places
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.reproductions import Reproductions
from swath_marketplace.services.rounds import Rounds
from swath_marketplace.services.run_links import RunLinks
from swath_marketplace.services.runs import Runs
from swath_marketplace.services.searching import Searches
from swath_marketplace.services.trust import Trust
from swath_marketplace.services.version_comparisons import VersionComparisons
from swath_marketplace.services.webhooks import Webhooks
from swath_marketplace.store.runs import RunStore


@dataclass(frozen=True, kw_only=True)
class Context:
    """The services behind the doors."""

    registry: Registry
    added_values: AddedValues
    comparisons: Comparisons
    version_comparisons: VersionComparisons
    dossiers: Dossiers
    maturity: Maturity
    judging: Judging
    moderation: ModerationDesk
    rounds: Rounds
    runs: Runs
    ogc: OgcServices
    lineages: Lineages
    reproductions: Reproductions
    run_store: RunStore
    places: Places
    events: EventLogs
    inventories: Inventories
    forms: FormTokens
    searches: Searches
    shapes: Shapes
    run_links: RunLinks
    trust: Trust
    exits: ExitDoors
    webhooks: Webhooks
    answers: Answers
    wait_seconds: float
    """The longest that an answer waits for the end of a run."""
    tickets: Tickets = field(default_factory=Tickets)


def context_of(request: Request) -> Context:
    """FastAPI dependency: the services."""
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


Services = Annotated[Context, Depends(context_of)]
Caller = Annotated[Actor, Depends(browser_actor)]
RunId = Annotated[str, Path(max_length=64)]
Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]
