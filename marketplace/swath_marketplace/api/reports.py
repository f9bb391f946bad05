"""Reports over HTTP, and what is done with reviews."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from swath_service.pages import wants_html

from swath_marketplace.api.algorithms import Name, Owner, Version
from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.maturity import reply_shape
from swath_marketplace.api.moderation import ActBody, act_shape
from swath_marketplace.api.moderation_pages import report_page, reports_page
from swath_marketplace.api.paging import AT_AND_ID, Page
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.reports import LEAST_CHARACTERS, MOST_CHARACTERS, ReportKind, ReportState
from swath_marketplace.services.reports import Box, ReportView
from swath_marketplace.services.review_desk import LEAST_CHARACTERS as LEAST_OF_REPLY
from swath_marketplace.services.review_desk import MOST_CHARACTERS as MOST_OF_REPLY

router = APIRouter(tags=["reports"])

_REVIEW = "/algorithms/{owner}/{name}/versions/{version}/reviews/{review}"
_WORDS = r"^[^\x00-\x08\x0b-\x1f\x7f]+$"
Id = Annotated[str, Path(max_length=64)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ReportBody(_Body):
    """What is wrong."""

    algorithm: str = Field(max_length=300)
    """``owner/name``, or ``owner/name@1.2.0`` for one version."""
    review: int | None = Field(default=None, ge=1, le=2**31 - 1)
    """Number of a review of that version, where it is the review that is reported."""
    kind: ReportKind
    text: str = Field(min_length=LEAST_CHARACTERS, max_length=MOST_CHARACTERS, pattern=_WORDS)
    """Read by operators and, without your name, by whoever made what you report."""


class AnswerBody(_Body):
    """What an operator answers."""

    state: ReportState
    """``upheld`` or ``dismissed``."""
    answer: str = Field(min_length=3, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")
    """Told to the reporter, and to whoever made what was reported."""


class ReplyBody(_Body):
    """What an author replies to a review."""

    text: str = Field(min_length=LEAST_OF_REPLY, max_length=MOST_OF_REPLY, pattern=_WORDS)


@router.post("/reports", status_code=201)
def report(body: ReportBody, response: Response, actor: Caller, services: Services) -> dict[str, Any]:
    """Report an algorithm, a version or a review to the operators."""
    view = services.moderation.reports.report(actor, body.algorithm, kind=body.kind, text=body.text, review=body.review)
    response.headers["Location"] = services.shapes.below(f"reports/{view.report.id}")
    return report_shape(view)


@router.get("/reports", response_model=dict[str, Any])
def reports(
    request: Request,
    actor: Caller,
    services: Services,
    *,
    box: Box = Box.MINE,
    state: Annotated[ReportState | None, Query()] = None,
    page: Page,
) -> dict[str, Any] | Response:
    """Reports that you made (`mine`), about what is yours (`about`), or everybody's (`queue`, for operators)."""
    if wants_html(request):
        return reports_page(request, actor, services)
    found, total = services.moderation.reports.list(
        actor, box=box, state=state, limit=page.asked, offset=page.offset, after=page.after(*AT_AND_ID)
    )
    return page.answer(
        "reports", found, total=total, shape=report_shape, place=lambda one: (one.report.at, one.report.id)
    )


@router.get("/reports/{report_id}", response_model=dict[str, Any])
def get(request: Request, report_id: Id, actor: Caller, services: Services) -> dict[str, Any] | Response:
    """One report with its answer."""
    if wants_html(request):
        return report_page(request, actor, services, report_id)
    return report_shape(services.moderation.reports.get(actor, report_id))


@router.post("/reports/{report_id}/answer")
def answer(report_id: Id, body: AnswerBody, actor: Caller, services: Services) -> dict[str, Any]:
    """Answer a report, once. Operators only."""
    return report_shape(services.moderation.reports.answer(actor, report_id, state=body.state, answer=body.answer))


@router.post(_REVIEW + "/replies", status_code=201)
def reply(
    owner: Owner, name: Name, *, version: Version, review: Number, body: ReplyBody, actor: Caller, services: Services
) -> dict[str, Any]:
    """Reply to a review of one's own version."""
    path = f"{owner}/{name}@{version}"
    return reply_shape(services.moderation.reviews.reply(actor, path, review=review, text=body.text))


@router.post(_REVIEW + "/withhold", status_code=204)
def withhold(
    owner: Owner, name: Name, *, version: Version, review: Number, body: ActBody, actor: Caller, services: Services
) -> Response:
    """Take a review's words out of sight; it counts no more. Operators only."""
    path = f"{owner}/{name}@{version}"
    services.moderation.reviews.withhold(actor, path, review=review, reason=body.reason, report_id=body.report)
    return Response(status_code=204)


def report_shape(view: ReportView) -> dict[str, Any]:
    """A report as JSON; who made it stands there for themselves and operators alone."""
    one = view.report
    return {
        "id": one.id,
        "kind": one.kind.value,
        "algorithm": f"{one.owner}/{one.name}",
        "version": one.version,
        "digest": one.digest,
        "review": one.review,
        "text": one.text,
        "reporter": view.reporter,
        "at": iso(one.at),
        "state": one.state.value,
        "answer": one.answer,
        "answered_at": iso(one.answered_at),
        "acts": [act_shape(act) for act in view.acts],
    }
