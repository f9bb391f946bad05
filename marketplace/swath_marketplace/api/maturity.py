"""Maturity over HTTP: the level of a version and why, its assessments, reviews and marks."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from swath_marketplace.api.bodies import MaturityBody, ReviewBody
from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.paging import Page, int_of
from swath_marketplace.api.paths import Name, Owner, Version
from swath_marketplace.domain.assessments import Assessment
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.maturity import MaturityMark
from swath_marketplace.domain.reviews import Reply, Review, superseded
from swath_marketplace.services.maturity import MaturityView

router = APIRouter(tags=["maturity"])

_VERSION = "/algorithms/{owner}/{name}/versions/{version}"


@router.get(_VERSION + "/maturity")
def maturity(owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services) -> dict[str, Any]:
    """The level of a version, why it has it, and what is missing for the next one with its mends."""
    return _view(services.maturity.get(actor, f"{owner}/{name}@{version}"))


@router.put(_VERSION + "/maturity")
def mark(
    owner: Owner, name: Name, *, version: Version, body: MaturityBody, actor: Caller, services: Services
) -> dict[str, Any]:
    """Bound the level of a version, whatever its evidence shows. Operators only."""
    path = f"{owner}/{name}@{version}"
    return _mark(services.maturity.mark(actor, path, level=body.level, reason=body.reason))


@router.get(_VERSION + "/assessments")
def assessments(
    owner: Owner,
    name: Name,
    *,
    version: Version,
    actor: Caller,
    services: Services,
    page: Page,
) -> dict[str, Any]:
    """Every assessment of a version, newest first: what each criterion said, by which evidence."""
    path = f"{owner}/{name}@{version}"
    before = int_of(page.after(int))
    found, total = services.maturity.history(actor, path, limit=page.asked, offset=page.offset, before=before)
    return page.answer("assessments", found, total=total, shape=_assessment, place=lambda one: (one.sequence,))


@router.get(_VERSION + "/reviews")
def reviews(
    owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services, page: Page
) -> dict[str, Any]:
    """What people said of a version, the newest first."""
    path = f"{owner}/{name}@{version}"
    before = int_of(page.after(int))
    found, total = services.maturity.reviews_of(actor, path, limit=page.asked, offset=page.offset, before=before)
    replies = services.moderation.reviews.replies(actor, path)
    late = superseded(services.maturity.reviews_of(actor, path, limit=10_000)[0])
    return page.answer(
        "reviews",
        found,
        total=total,
        shape=lambda one: {
            **_review(one),
            "superseded": one.sequence in late,
            "replies": [reply_shape(reply) for reply in replies.get(one.sequence, ())],
        },
        place=lambda one: (one.sequence,),
    )


@router.post(_VERSION + "/reviews", status_code=201)
def review(
    owner: Owner,
    name: Name,
    *,
    version: Version,
    body: ReviewBody,
    response: Response,
    actor: Caller,
    services: Services,
) -> dict[str, Any]:
    """Review a version of somebody else's: 201 a new review, 200 the same words were said before."""
    path = f"{owner}/{name}@{version}"
    made, created = services.maturity.review(actor, path, kind=body.kind, verdict=body.verdict, text=body.text)
    if not created:
        response.status_code = 200
    return _review(made)


def _view(view: MaturityView) -> dict[str, Any]:
    standing = view.standing
    return {
        "algorithm": view.version.path,
        "version": view.version.version,
        "digest": view.version.digest,
        "level": standing.level.value,
        "may_earn": standing.level.may_earn,
        "reason": standing.reason.value,
        "message": standing.told,
        "expires_at": iso(standing.expires_at),
        "next": {
            "level": standing.next_level.value,
            "missing": [result.as_dict() for result in standing.missing],
        }
        if standing.next_level
        else None,
        "assessment": _assessment(standing.latest) if standing.latest else None,
        "marks": [_mark(mark) for mark in view.marks],
        "reviews": [_review(review) for review in view.reviews],
    }


def _assessment(assessment: Assessment) -> dict[str, Any]:
    return {
        "number": assessment.sequence,
        "version_digest": assessment.version_digest,
        "dossier_digest": assessment.dossier_digest,
        "environment_lock_sha256": assessment.environment_lock_sha256,
        "criteria": {"version": assessment.criteria_version, "sha256": assessment.criteria_sha256},
        "cause": assessment.cause.value,
        "meets": assessment.met.value,
        "green_at": iso(assessment.green_at),
        "at": iso(assessment.at),
        "results": [result.as_dict() for result in assessment.results],
    }


def _review(review: Review) -> dict[str, Any]:
    return {
        "number": review.sequence,
        "digest": review.digest,
        "kind": review.kind.value,
        "verdict": review.verdict.value,
        "text": review.text if review.withheld is None else "",
        "withheld": review.withheld,
        "reviewer": review.reviewer,
        "counts": review.counts,
        "at": iso(review.at),
    }


def reply_shape(reply: Reply) -> dict[str, Any]:
    """A reply to a review as JSON."""
    return {"number": reply.sequence, "text": reply.text, "by": reply.by, "at": iso(reply.at)}


def _mark(mark: MaturityMark) -> dict[str, Any]:
    return {
        "number": mark.sequence,
        "digest": mark.digest,
        "level": mark.level.value,
        "reason": mark.reason,
        "set_by": mark.set_by,
        "at": iso(mark.at),
    }
