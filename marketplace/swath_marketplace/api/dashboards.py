"""The dashboards of authors and operators over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from swath_service.pages import wants_html

from swath_marketplace.api.context import Caller, Services
from swath_marketplace.api.moderation import act_shape
from swath_marketplace.api.moderation_pages import author_page, operator_page
from swath_marketplace.api.reports import report_shape
from swath_marketplace.domain.breaks import Break
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.dashboards import Tally, Use
from swath_marketplace.services.author_dashboard import AlgorithmDesk, AuthorDashboard
from swath_marketplace.services.operator_dashboard import OperatorDashboard

router = APIRouter(tags=["dashboards"])

_Told = TypeVar("_Told")
Days = Annotated[int, Query(ge=1, le=366)]


@router.get("/dashboard", response_model=dict[str, Any])
def dashboard(request: Request, actor: Caller, services: Services, *, days: Days = 30) -> dict[str, Any] | Response:
    """How your algorithms are used and how that went. Never by whom, nor with which parameters."""
    if wants_html(request):
        return author_page(request, actor, services, days=days)
    return author_shape(services.moderation.authors.of(actor, days=days))


@router.get("/operator", response_model=dict[str, Any])
def operator(request: Request, actor: Caller, services: Services, *, days: Days = 30) -> dict[str, Any] | Response:
    """How the platform fares: queue, capacity, spend, what fails, what is to be decided. Operators only."""
    if wants_html(request):
        return operator_page(request, actor, services, days=days)
    return operator_shape(services.moderation.operators.get(actor, days=days))


def author_shape(told: AuthorDashboard) -> dict[str, Any]:
    """An author's dashboard as JSON."""
    return {
        "author": told.author,
        "since": iso(told.period.since),
        "until": iso(told.period.until),
        "algorithms": [_desk(one) for one in told.algorithms],
        "reports": [report_shape(one) for one in told.reports],
        "open_reports": told.open_reports,
        "acts": [act_shape(one) for one in told.acts],
    }


def _desk(desk: AlgorithmDesk) -> dict[str, Any]:
    algorithm, standing = desk.algorithm, desk.standing
    return {
        "algorithm": f"{algorithm.owner}/{algorithm.name}",
        "title": algorithm.title,
        "latest_version": algorithm.latest.version if algorithm.latest else None,
        "hidden_reason": algorithm.hidden_reason,
        "use": _use(desk.use),
        "maturity": {
            "level": standing.level.value,
            "message": standing.told,
            "expires_at": iso(standing.expires_at),
            "next_level": standing.next_level.value if standing.next_level else None,
            "missing": [result.as_dict() for result in standing.missing],
        }
        if standing
        else None,
        "open_breaks": [break_shape(one) for one in desk.breaks],
        "reviews": [
            {
                "version": version.version,
                "number": review.sequence,
                "kind": review.kind.value,
                "verdict": review.verdict.value,
                "counts": review.counts,
                "reviewer": review.reviewer,
                "withheld": review.withheld,
                "at": iso(review.at),
            }
            for version, review in desk.reviews
        ],
    }


def _use(use: Use) -> dict[str, Any]:
    earned = use.earned
    return {
        **_tally(use.total),
        "callers": use.callers,
        "by_day": [{"day": day.isoformat(), **_tally(tally)} for day, tally in _sorted(use.days)],
        "by_version": [{"version": version, **_tally(tally)} for version, tally in use.versions.items()],
        "failures": [
            {
                "version": one.version,
                "code": one.code,
                "cell": one.cell,
                "class": one.error_class,
                "count": one.count,
                "last_at": iso(one.last_at),
            }
            for one in use.failures
        ],
        "income": {
            "runs": earned.runs,
            "millicredits": earned.millicredits,
            "by_day": [
                {"day": day.isoformat(), "runs": one.runs, "millicredits": one.millicredits}
                for day, one in _sorted(use.income)
            ],
        },
    }


def operator_shape(told: OperatorDashboard) -> dict[str, Any]:
    """The operator's dashboard as JSON."""
    capacity, storage = told.capacity, told.storage
    return {
        "since": iso(told.period.since),
        "until": iso(told.period.until),
        "queue": {
            "runs": told.waiting_runs,
            "callers": told.waiting_callers,
            "oldest_at": iso(told.waiting[0].oldest_at) if told.waiting else None,
            "waiting": [
                {
                    "caller": one.caller,
                    "runs": one.runs,
                    "oldest_at": iso(one.oldest_at),
                    "weight": one.weight,
                    "running": one.running,
                    "cpu_hours_lately": one.cpu_hours,
                }
                for one in told.waiting
            ],
        },
        "capacity": {
            "running": capacity.running,
            "cpus": capacity.cpus,
            "cpus_in_use": capacity.cpus_in_use,
            "memory_mb": capacity.memory_mb,
            "memory_mb_in_use": capacity.memory_mb_in_use,
        },
        "spend": [
            {"day": one.day.isoformat(), "millicredits": one.millicredits, "faults": one.faults, **_tally(one.tally)}
            for one in told.spend
        ],
        "failing_versions": [
            {"algorithm": f"{one.owner}/{one.name}", "version": one.version, **_tally(one.tally)}
            for one in told.failing
        ],
        "open_breaks": told.open_breaks,
        "breaks": [break_shape(one) for one in told.breaks],
        "rounds": dict(told.rounds),
        "storage": {
            "result_files": storage.result_files,
            "result_bytes": storage.results,
            "free_bytes": storage.free,
            "total_bytes": storage.total,
        },
        "deliveries": dict(told.deliveries),
        "open_reports": told.open_reports,
        "reports": [report_shape(one) for one in told.reports],
        "acts": [act_shape(one) for one in told.acts],
    }


def break_shape(one: Break) -> dict[str, Any]:
    """A break in a few words; the whole is at ``GET breaks``."""
    return {
        "algorithm": f"{one.owner}/{one.name}",
        "version": one.version,
        "scenario": one.scenario,
        "message": one.result.message,
        "opened_at": iso(one.opened_at),
        "round": one.round_id,
    }


def _tally(tally: Tally) -> dict[str, Any]:
    success = tally.success
    return {
        "runs": tally.runs,
        "finished": tally.finished,
        "failed": tally.failed,
        "success": None if success is None else round(success, 4),
    }


def _sorted(days: Mapping[date, _Told]) -> list[tuple[date, _Told]]:
    return sorted(days.items())
