"""Maturity from evidence."""

from __future__ import annotations

from dataclasses import dataclass

from swath_sandbox import Allow

from swath_marketplace.bootstrap.ground import Ground
from swath_marketplace.criteria_files import load_criteria, shipped_criteria
from swath_marketplace.services.assessing import AssessmentClock, Assessor
from swath_marketplace.services.gathering import Gatherer, RoundsOf
from swath_marketplace.services.maturity import Maturity
from swath_marketplace.store.added_value import MarkStore
from swath_marketplace.store.assessments import AssessmentStore, ReviewStore
from swath_marketplace.store.run_facts import RunFacts


@dataclass(frozen=True, kw_only=True)
class Assessing:
    """What assessments are made with."""

    maturity: Maturity
    assessor: Assessor
    clock: AssessmentClock


def assessing(ground: Ground, *, rounds: RoundsOf) -> Assessing:
    """The services of maturity, over stores of their own; they are told of each new version and dossier.

    Raises
    ------
    CriteriaInvalid
        The operator's criteria file is none.
    """
    settings, database, clock = ground.settings, ground.database, ground.clock
    registry, dossiers = ground.registry, ground.dossiers
    assessments, reviews = AssessmentStore(database), ReviewStore(database)
    gatherer = Gatherer(
        dossiers=ground.dossier_store,
        artifacts=ground.artifacts,
        rounds=rounds,
        runs=RunFacts(database),
        reviews=reviews,
        events=ground.events,
        sandboxed=Allow.NO_BWRAP not in settings.allow(),
        clock=clock,
    )
    criteria = load_criteria(settings.criteria) if settings.criteria else shipped_criteria()
    assessor = Assessor(gatherer=gatherer, store=assessments, criteria=criteria, clock=clock)
    maturity = Maturity(
        registry=registry,
        assessor=assessor,
        assessments=assessments,
        reviews=reviews,
        marks=MarkStore(database),
        reviewers=settings.reviewer_names(),
        marks_raise=settings.marks_raise,
        clock=clock,
    )
    registry.add_listener(assessor.on_published)
    dossiers.add_listener(assessor.on_dossier)
    return Assessing(
        maturity=maturity, assessor=assessor, clock=AssessmentClock(assessor=assessor, algorithms=ground.algorithms)
    )
