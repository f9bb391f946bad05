"""Moderation, wired."""

from __future__ import annotations

from swath_service.actor import Actor
from swath_service.errors import NotFound

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.bootstrap.running import Running
from swath_marketplace.domain.reports import Report
from swath_marketplace.services.moderation import Moderation
from swath_marketplace.services.moderation_desk import ModerationDesk
from swath_marketplace.store.moderation import ModerationStore
from swath_marketplace.store.reports import ReportStore


def moderation(ground: Ground, *, running: Running) -> ModerationDesk:
    """The services of moderation, over stores of their own."""
    store = ModerationStore(ground.database)
    reports = ReportStore(ground.database, store)

    def report(_: Actor, report_id: str) -> Report:
        found = reports.get(report_id)
        if found is None:
            raise NotFound(code="no-such-report", message="there is no such report", mend="see GET reports")
        return found

    acts = Moderation(
        store=store, registry=ground.registry, report=report, wake=running.reconciler.wake, clock=ground.clock
    )
    return ModerationDesk(acts=acts)
