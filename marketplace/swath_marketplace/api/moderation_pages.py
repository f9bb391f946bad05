"""Pages for people: reviews with their forms, one's reports, the dashboards of authors and operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Form, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from swath_service.actor import Actor, ActorKind
from swath_service.errors import Invalid, SwathError

from swath_marketplace.api.algorithms import Name, Owner, Version
from swath_marketplace.api.bars_svg import bars, summary
from swath_marketplace.api.context import Caller, Context, Services
from swath_marketplace.api.rendering import credits_text, render, render_error
from swath_marketplace.domain.dashboards import every_day
from swath_marketplace.domain.reports import MOST_CHARACTERS as MOST_OF_REPORT
from swath_marketplace.domain.reports import ReportKind
from swath_marketplace.domain.reviews import LEAST_CHARACTERS, MOST_CHARACTERS, ReviewKind, ReviewVerdict, superseded
from swath_marketplace.services.author_dashboard import AlgorithmDesk, AuthorDashboard
from swath_marketplace.services.operator_dashboard import OperatorDashboard
from swath_marketplace.services.reports import Box

router = APIRouter(include_in_schema=False)

_REVIEWS = "/reviews/{owner}/{name}/{version}"
#: Spans that a dashboard offers, in days.
SPANS = (7, 30, 90, 365)
_Choice = TypeVar("_Choice", ReviewKind, ReviewVerdict, ReportKind)
Token = Annotated[str, Form(max_length=200)]
Text = Annotated[str, Form(max_length=40_000)]
Word = Annotated[str, Form(max_length=40)]


@router.get(_REVIEWS)
def reviews_page(
    request: Request, owner: Owner, name: Name, *, version: Version, actor: Caller, services: Services
) -> Response:
    """What people said of a version, what its author replied, and forms to say more."""
    prefix, path = services.shapes.base, f"{owner}/{name}@{version}"
    try:
        found = services.registry.version(actor, path)
        known, _ = services.maturity.reviews_of(actor, path, limit=10_000)
        replies = services.moderation.reviews.replies(actor, path)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=actor)
    here = f"/reviews/{found.owner}/{found.name}/{found.version}"
    is_owner = actor.kind is ActorKind.USER and actor.name == found.owner

    def token(action: str) -> str | None:
        return services.forms.issue(request, f"POST {here}/{action}")

    return render(
        request,
        "reviews.html",
        prefix=prefix,
        viewer=actor,
        sandboxed=True,
        version=found,
        here=here,
        reviews=known,
        late=superseded(known),
        replies=replies,
        review_token=None if is_owner else token("review"),
        reply_tokens={one.sequence: token(f"{one.sequence}/reply") for one in known} if is_owner else {},
        report_token=token("report"),
        kinds=list(ReviewKind),
        verdicts=list(ReviewVerdict),
        report_kinds=list(ReportKind),
        least=LEAST_CHARACTERS,
        most=MOST_CHARACTERS,
        most_of_report=MOST_OF_REPORT,
    )


@router.post(_REVIEWS + "/review")
async def write_review(
    request: Request,
    owner: Owner,
    name: Name,
    version: Version,
    *,
    token: Token,
    kind: Word,
    verdict: Word,
    text: Text,
    services: Services,
) -> Response:
    """The form of a reviews page: review the version, then show the page again."""
    here = f"/reviews/{owner}/{name}/{version}"

    def act(actor: Actor) -> str:
        services.maturity.review(
            actor,
            f"{owner}/{name}@{version}",
            kind=_one(ReviewKind, "kind", kind),
            verdict=_one(ReviewVerdict, "verdict", verdict),
            text=_lines(text),
        )
        return f"{here}#reviews"

    return await _done(request, services, token, action=f"POST {here}/review", act=act)


@router.post(_REVIEWS + "/{review}/reply")
async def write_reply(
    request: Request,
    owner: Owner,
    name: Name,
    version: Version,
    *,
    review: int,
    token: Token,
    text: Text,
    services: Services,
) -> Response:
    """The form below a review: its version's author replies."""
    here = f"/reviews/{owner}/{name}/{version}"

    def act(actor: Actor) -> str:
        path = f"{owner}/{name}@{version}"
        services.moderation.reviews.reply(actor, path, review=review, text=_lines(text))
        return f"{here}#review-{review}"

    return await _done(request, services, token, action=f"POST {here}/{review}/reply", act=act)


@router.post(_REVIEWS + "/report")
async def write_report(
    request: Request,
    owner: Owner,
    name: Name,
    version: Version,
    *,
    token: Token,
    kind: Word,
    text: Text,
    services: Services,
    about: Word = "",
) -> Response:
    """The form that reports the version, or one of its reviews."""

    def act(actor: Actor) -> str:
        view = services.moderation.reports.report(
            actor,
            f"{owner}/{name}@{version}",
            kind=_one(ReportKind, "kind", kind),
            text=_lines(text),
            review=int(about) if about.isdecimal() and len(about) < 10 else None,
        )
        return f"/reports/{view.report.id}"

    return await _done(request, services, token, action=f"POST /reviews/{owner}/{name}/{version}/report", act=act)


def report_page(request: Request, actor: Actor, services: Context, report_id: str) -> Response:
    """One report with its answer."""
    try:
        views = [services.moderation.reports.get(actor, report_id)]
    except SwathError as error:
        return render_error(request, error, prefix=services.shapes.base, viewer=actor)
    return render(
        request,
        "reports.html",
        prefix=services.shapes.base,
        viewer=actor,
        boxes=[("Report", views)],
    )


def reports_page(request: Request, actor: Actor, services: Context) -> Response:
    """One's own reports, and those about what is one's own."""
    mine, _ = services.moderation.reports.list(actor, box=Box.MINE, limit=100)
    about, _ = services.moderation.reports.list(actor, box=Box.ABOUT, limit=100)
    boxes = [("Your reports", mine), ("About what is yours", about)]
    return render(request, "reports.html", prefix=services.shapes.base, viewer=actor, boxes=boxes)


def author_page(request: Request, actor: Actor, services: Context, *, days: int) -> Response:
    """How one's algorithms are used."""
    prefix = services.shapes.base
    try:
        told = services.moderation.authors.of(actor, days=days)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=actor)
    return render(
        request,
        "dashboard.html",
        prefix=prefix,
        viewer=actor,
        told=told,
        desks=[{"desk": one, **_charts(told, one)} for one in told.algorithms],
        days=days,
        spans=SPANS,
    )


def operator_page(request: Request, actor: Actor, services: Context, *, days: int) -> Response:
    """How the platform fares."""
    prefix = services.shapes.base
    try:
        told = services.moderation.operators.get(actor, days=days)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=actor)
    return render(
        request,
        "operator.html",
        prefix=prefix,
        viewer=actor,
        told=told,
        spend=_spend(told),
        days=days,
        spans=SPANS,
    )


def _charts(told: AuthorDashboard, desk: AlgorithmDesk) -> dict[str, Any]:
    runs = {day: tally.runs for day, tally in desk.use.days.items()}
    paid = {day: one.millicredits for day, one in desk.use.income.items()}
    drawn = every_day(runs, first=told.period.first_day, last=told.period.last_day)
    earned = every_day(paid, first=told.period.first_day, last=told.period.last_day)
    title = f"Runs of {desk.algorithm.name} by others"
    return {
        "runs_chart": bars(drawn, title=title),
        "runs_text": summary(drawn),
        "runs_rows": drawn,
        "income_chart": bars(earned, title=f"Credits paid for {desk.algorithm.name}", text=credits_text),
        "income_text": summary(earned, text=credits_text),
    }


def _spend(told: OperatorDashboard) -> dict[str, Any]:
    cost = {one.day: one.millicredits for one in told.spend}
    ended = {one.day: one.tally.runs for one in told.spend}
    drawn = every_day(cost, first=told.period.first_day, last=told.period.last_day)
    counted = every_day(ended, first=told.period.first_day, last=told.period.last_day)
    return {
        "chart": bars(drawn, title="Credits spent on runs", text=credits_text),
        "text": summary(drawn, text=credits_text),
        "runs_chart": bars(counted, title="Runs that ended"),
        "runs_text": summary(counted),
    }


async def _done(
    request: Request, services: Context, token: str, *, action: str, act: Callable[[Actor], str]
) -> Response:
    """Redeem a form's token, act, and show the page that `act` names; or say what is wrong."""
    prefix = services.shapes.base
    viewer: Actor | None = None
    try:
        actor = await services.forms.redeem(request, token, action)
        viewer = actor
        there = await run_in_threadpool(act, actor)
    except SwathError as error:
        return render_error(request, error, prefix=prefix, viewer=viewer)
    return RedirectResponse(f"{prefix}{there}", status_code=303)


def _one(choices: type[_Choice], field: str, value: str) -> _Choice:
    try:
        return choices(value)
    except ValueError as error:
        mend = "choose one that the form offers"
        raise Invalid(
            code="malformed-request",
            message="the form was sent with a choice that it does not offer",
            mend=mend,
            findings=[{"field": field, "message": "not a choice", "mend": mend}],
        ) from error


def _lines(text: str) -> str:
    """What a browser sends of a text field, as texts are kept: no control characters but line ends and tabs."""
    told = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(sign for sign in told if sign in "\n\t" or (sign >= " " and sign != "\x7f"))
