"""What people say about a version: reviews by others than its author. Appended, never changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: Shorter than this nobody says why.
LEAST_CHARACTERS = 40
MOST_CHARACTERS = 10_000


class ReviewKind(StrEnum):
    """What was looked at."""

    TECHNICAL = "technical"
    """Code, interface, tests, use of resources."""
    FUNCTIONAL = "functional"
    """Method and results: whether it does what it says."""


class ReviewVerdict(StrEnum):
    """What the reviewer concludes."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """One review of one version."""

    algorithm_id: str
    digest: str
    """Of the version."""
    sequence: int
    """Number of the review within its version, from 1."""
    kind: ReviewKind
    verdict: ReviewVerdict
    text: str
    reviewer: str
    counts: bool
    """Whether the reviewer was one of the operator's when it was given; another's is a remark."""
    at: datetime
    withheld: str | None = None
    """Why an operator took its words out of sight; then it counts no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What the author of a version replies to a review of it. Appended, never changed."""

    algorithm_id: str
    digest: str
    review: int
    """Number of the review."""
    sequence: int
    """Number of the reply within its review, from 1."""
    text: str
    by: str
    at: datetime


def superseded(reviews: Iterable[Review]) -> frozenset[int]:
    """The numbers of those in whose place their reviewer put a later one of the same kind."""
    latest: dict[tuple[str, ReviewKind], int] = {}
    before: set[int] = set()
    for review in sorted(reviews, key=lambda one: one.sequence):
        key = (review.reviewer, review.kind)
        if key in latest:
            before.add(latest[key])
        latest[key] = review.sequence
    return frozenset(before)


def in_force(reviews: Iterable[Review], kind: ReviewKind, *, author: str) -> tuple[Review, ...]:
    """The reviews of `kind` that count: of each reviewer the latest, never the author's own; the first given first."""
    latest: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda one: one.sequence):
        if review.counts and review.kind is kind and review.reviewer != author:
            latest.pop(review.reviewer, None)
            if review.withheld is None:
                latest[review.reviewer] = review
    return tuple(latest.values())
