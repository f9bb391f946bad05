"""Pages for people: the wallet, its charges, a month's statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field
from swath_service.actor import Actor
from swath_service.errors import STATUSES as FAMILIES
from swath_service.errors import SwathError
from swath_service.logs import request_id
from swath_service.oauth import SignInNeeded, browser_actor
from swath_service.pages import stylesheet
from swath_service.problems import status_of

from swath_quota.api.charts import balance_chart
from swath_quota.api.desk import current_desk
from swath_quota.api.errors import STATUSES
from swath_quota.api.models import WalletQuery
from swath_quota.api.rendering import render
from swath_quota.api.report_models import cursor_of, cursor_text
from swath_quota.domain.accounts import is_organisation
from swath_quota.domain.reports import SpendingBy
from swath_quota.services import reports
from swath_quota.services.desk import Desk
from swath_quota.services.limit_lines import limit_report

router = APIRouter(include_in_schema=False)
Caller = Annotated[Actor, Depends(browser_actor)]
AtDesk = Annotated[Desk, Depends(current_desk)]
#: Spans that the overview offers, in days.
SPANS = (7, 30, 90, 365)
_RECENT = 8
_PAGE = 50


class OverviewQuery(WalletQuery):
    """Whose wallet, and how far back."""

    days: Annotated[int, Field(ge=1, le=reports.MAX_DAYS)] = 30


class ChargesPageQuery(WalletQuery):
    """Which page."""

    cursor: Annotated[str | None, Field(max_length=400)] = None


def overview_page(request: Request, caller: Actor, desk: Desk, *, query: OverviewQuery) -> Response:
    """What is left, until when, and what spent it."""

    def values() -> dict[str, Any]:
        found = reports.overview(caller, desk, account=query.account or None)
        last = desk.clock().date()
        first = reports.days_back(last, query.days)

        def spent(by: SpendingBy) -> reports.SpendingReport:
            return reports.spending(caller, desk, account=found.account, first=first, last=last, by=by)

        balances = reports.balances(caller, desk, account=found.account, first=first, last=last)
        algorithms = spent(SpendingBy.ALGORITHM)
        return {
            "wallet": found,
            "tier": desk.tiers.named(found.tier),
            "balances": balances,
            "chart": balance_chart(balances.days),
            "kinds": spent(SpendingBy.KIND),
            "algorithms": algorithms if any("/" in one.name for one in algorithms.spending) else None,
            "members": spent(SpendingBy.MEMBER) if is_organisation(found.account) else None,
            "limits": limit_report(caller, desk, account=found.account),
            "charges": reports.charges(caller, desk, account=found.account, limit=_RECENT).charges,
            "days": query.days,
            "spans": SPANS,
            "account": found.account,
        }

    return _page(request, caller, "overview.html", values)


@router.get("/charges")
def charges_page(
    request: Request, caller: Caller, desk: AtDesk, query: Annotated[ChargesPageQuery, Query()]
) -> Response:
    """Every charge of the longest span there is, a page at a time."""

    def values() -> dict[str, Any]:
        last = desk.clock().date()
        page = reports.charges(
            caller,
            desk,
            account=query.account or None,
            first=reports.days_back(last, reports.MAX_DAYS),
            last=last,
            limit=_PAGE,
            after=cursor_of(query.cursor),
        )
        return {
            "charged": page,
            "next": cursor_text(page.next) if page.next else None,
            "is_first": query.cursor is None,
            "account": page.account,
        }

    return _page(request, caller, "charges.html", values)


router.add_api_route("/static/quota.css", stylesheet, methods=["GET"])


def statement_page(
    request: Request, caller: Actor, desk: Desk, *, month: str, account: str | None, standalone: bool = False
) -> Response:
    """A month's statement, to read and to print."""

    def values() -> dict[str, Any]:
        found = reports.month(caller, desk, month=month, account=account or None)
        return {"statement": found, "account": found.account, "standalone": standalone}

    return _page(request, caller, "statement.html", values)


def _page(request: Request, caller: Actor, template: str, values: Callable[[], dict[str, Any]]) -> Response:
    """The page, or one that says what is wrong: people are not told in JSON."""
    prefix = str(request.app.state.prefix)
    try:
        return render(request, template, prefix=prefix, viewer=caller.name, operator=caller.oversees, **values())
    except SignInNeeded:
        raise
    except SwathError as error:
        return render(
            request,
            "no_wallet.html",
            prefix=prefix,
            status=status_of(error, {**FAMILIES, **STATUSES}),
            viewer=caller.name,
            operator=caller.oversees,
            account=None,
            error=error,
            error_id=request_id.get(),
        )
