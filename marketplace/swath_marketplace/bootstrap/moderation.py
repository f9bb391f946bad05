"""Moderation and dashboards, wired."""

from __future__ import annotations

from collections import Counter

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.bootstrap.maturity import Assessing
from swath_marketplace.bootstrap.running import Running
from swath_marketplace.domain.assessments import Cause
from swath_marketplace.services.author_dashboard import AuthorDashboards
from swath_marketplace.services.moderation import Moderation
from swath_marketplace.services.moderation_desk import ModerationDesk
from swath_marketplace.services.operator_dashboard import OperatorDashboards
from swath_marketplace.services.reports import Reports
from swath_marketplace.services.review_desk import ReviewDesk
from swath_marketplace.store.assessments import ReviewStore
from swath_marketplace.store.breaks import BreakStore
from swath_marketplace.store.dashboards import PlatformFacts, UseFacts
from swath_marketplace.store.moderation import ModerationStore
from swath_marketplace.store.reports import ReportStore
from swath_marketplace.store.review_replies import ReplyStore
from swath_marketplace.store.rounds import RoundStore


def moderation(ground: Ground, *, running: Running, assessed: Assessing) -> ModerationDesk:
    """The services of moderation, over stores of their own; they are told of each new review."""
    database, registry, clock = ground.database, ground.registry, ground.clock
    store, reviews = ModerationStore(database), ReviewStore(database)
    reports = Reports(
        store=ReportStore(database, store),
        acts=store,
        registry=registry,
        reviews=reviews.of,
        most_a_day=ground.settings.reports_per_day,
        clock=clock,
    )
    desk = ReviewDesk(
        store=ReplyStore(database, store),
        registry=registry,
        reports=reports,
        reviews=reviews.of,
        reassess=lambda version: assessed.assessor.assess(version, Cause.REVIEW),
        clock=clock,
    )
    assessed.maturity.add_listener(desk.on_review)
    acts = Moderation(store=store, registry=registry, reports=reports, wake=running.reconciler.wake, clock=clock)
    return ModerationDesk(
        acts=acts,
        reports=reports,
        reviews=desk,
        authors=_authors(ground, assessed=assessed, reports=reports, acts=acts),
        operators=_operators(ground, running=running, reports=reports, acts=acts),
    )


def _authors(ground: Ground, *, assessed: Assessing, reports: Reports, acts: Moderation) -> AuthorDashboards:
    return AuthorDashboards(
        facts=UseFacts(ground.database),
        registry=ground.registry,
        standings=assessed.maturity.standings_of,
        reviews=ReviewStore(ground.database).latest_of,
        breaks=BreakStore(ground.database).open_of_owner,
        reports=reports,
        acts=acts,
        clock=ground.clock,
    )


def _operators(ground: Ground, *, running: Running, reports: Reports, acts: Moderation) -> OperatorDashboards:
    rounds = RoundStore(ground.database)
    return OperatorDashboards(
        facts=PlatformFacts(ground.database),
        queue=ground.run_store.queue,
        terms=running.places.terms_of,
        slots=ground.settings.slots(),
        breaks=BreakStore(ground.database),
        rounds=lambda: Counter(order.state.value for order in rounds.open()),
        reports=reports,
        acts=acts,
        runs=ground.home / "runs",
        clock=ground.clock,
    )
