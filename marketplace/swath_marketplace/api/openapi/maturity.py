"""Doors of maturity, assessments and reviews."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from swath_marketplace.api.openapi.door import Door, Word, page_of
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.reviews import ReviewKind, ReviewVerdict


class Result(Word):
    """What a criterion said."""

    level: MaturityLevel
    criterion: str
    title: str
    met: bool
    told: str
    mend: str
    evidence: dict[str, Any]


class CriteriaFile(Word):
    """By which criteria."""

    version: str
    sha256: str


class Assessment(Word):
    """What a version was found to meet, and by which evidence."""

    number: int
    version_digest: str
    dossier_digest: str | None
    environment_lock_sha256: str
    criteria: CriteriaFile
    cause: str
    meets: MaturityLevel
    green_at: datetime | None
    at: datetime
    results: list[Result]


class Review(Word):
    """What somebody said of a version."""

    number: int
    digest: str
    kind: ReviewKind
    verdict: ReviewVerdict
    text: str | None
    reviewer: str
    counts: bool
    at: datetime


class Mark(Word):
    """An operator's bound on a level."""

    number: int
    digest: str
    level: MaturityLevel
    reason: str
    set_by: str
    at: datetime


class Following(Word):
    """The next level, and what is missing for it."""

    level: MaturityLevel
    missing: list[Result]


class Maturity(Word):
    """How mature a version is, and why."""

    algorithm: str
    version: str
    digest: str
    level: MaturityLevel
    may_earn: bool
    reason: str
    message: str
    expires_at: datetime | None
    next: Following | None
    assessment: Assessment | None
    marks: list[Mark]
    reviews: list[Review]


_VERSION = "algorithms/{owner}/{name}/versions/{version}"

DOORS = {
    f"GET {_VERSION}/maturity": Door(id="get_maturity", answer=Maturity),
    f"PUT {_VERSION}/maturity": Door(id="mark_maturity", answer=Mark),
    f"GET {_VERSION}/assessments": Door(
        id="list_assessments", answer=page_of("Assessments", "assessments", Assessment)
    ),
    f"GET {_VERSION}/reviews": Door(id="list_reviews", answer=page_of("Reviews", "reviews", Review)),
    f"POST {_VERSION}/reviews": Door(
        id="review_version", answer=Review, also={200: "The same words were said before."}, refusals=(409,)
    ),
}
