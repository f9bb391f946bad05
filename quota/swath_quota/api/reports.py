"""Reports over a wallet: spending, balance, charges, grants, holds, statements; as JSON, CSV and HTML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import Field
from swath_service.actor import Actor
from swath_service.oauth import browser_actor
from swath_service.pages import wants_html

from swath_quota.api import exports
from swath_quota.api.desk import current_desk
from swath_quota.api.models import WalletQuery
from swath_quota.api.pages import statement_page
from swath_quota.api.report_models import (
    Charges,
    ChargesQuery,
    GrantList,
    HoldList,
    SpanQuery,
    SpendingQuery,
    charges_answer,
    cursor_of,
)
from swath_quota.domain.statements import MONTH_PATTERN, MonthStatement
from swath_quota.services import reports
from swath_quota.services.desk import Desk

router = APIRouter(tags=["reports"])
Caller = Annotated[Actor, Depends(browser_actor)]
AtDesk = Annotated[Desk, Depends(current_desk)]
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "CSV with a header line"}
}
_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}}, "text/csv": {"schema": {"type": "string"}}}}
}


@router.get("/wallet/grants")
def grants(caller: Caller, desk: AtDesk, query: Annotated[WalletQuery, Query()]) -> GrantList:
    """Everything that was given to a wallet: what remains of it, and when it expires."""
    found = reports.all_grants(caller, desk, account=query.account)
    return GrantList(account=query.account or caller.name, grants=found)


@router.get("/wallet/holds")
def holds(caller: Caller, desk: AtDesk, query: Annotated[WalletQuery, Query()]) -> HoldList:
    """What is set aside for what goes on."""
    found = reports.open_holds(caller, desk, account=query.account)
    return HoldList(account=query.account or caller.name, holds=found)


@router.get("/wallet/balance")
def balance(caller: Caller, desk: AtDesk, query: Annotated[SpanQuery, Query()]) -> reports.Balances:
    """The balance at the end of each day (UTC)."""
    return reports.balances(caller, desk, account=query.account, first=query.from_, last=query.to)


@router.get("/wallet/spending")
def spending(caller: Caller, desk: AtDesk, query: Annotated[SpendingQuery, Query()]) -> reports.SpendingReport:
    """What spent the credits: by kind (Lab, Dask, runs), by algorithm or by member."""
    return reports.spending(caller, desk, account=query.account, first=query.from_, last=query.to, by=query.by)


@router.get("/wallet/charges")
def charges(caller: Caller, desk: AtDesk, query: Annotated[ChargesQuery, Query()]) -> Charges:
    """Each run, Lab server and cluster that ended, newest first: what was held, what was charged and why."""
    page = reports.charges(
        caller,
        desk,
        account=query.account,
        first=query.from_,
        last=query.to,
        limit=query.limit,
        after=cursor_of(query.cursor),
    )
    return charges_answer(page)


@router.get("/wallet/charges.csv", response_class=StreamingResponse, responses=_CSV)
def charges_csv(caller: Caller, desk: AtDesk, query: Annotated[SpanQuery, Query()]) -> StreamingResponse:
    """The same as a table for spreadsheets."""
    found = reports.every_charge(caller, desk, account=query.account, first=query.from_, last=query.to)
    return _csv(exports.charges_csv(found), name="swath-charges")


@router.get("/wallet/entries.csv", response_class=StreamingResponse, responses=_CSV)
def entries_csv(caller: Caller, desk: AtDesk, query: Annotated[SpanQuery, Query()]) -> StreamingResponse:
    """The ledger's entries as a table for spreadsheets."""
    found = reports.entries(caller, desk, account=query.account, first=query.from_, last=query.to)
    return _csv(exports.entries_csv(found), name="swath-entries")


class StatementQuery(WalletQuery):
    """In which form; by default what the caller accepts."""

    format: Annotated[Literal["json", "html", "csv"] | None, Field(description="In place of the Accept header")] = None
    standalone: Annotated[bool, Field(description="Of HTML: with its style in it, to be kept as a file")] = False


@router.get("/wallet/statements/{month}", response_model=MonthStatement, responses=_PAGE)
def statement(
    request: Request,
    caller: Caller,
    desk: AtDesk,
    month: Annotated[str, Path(pattern=MONTH_PATTERN)],
    query: Annotated[StatementQuery, Query()],
) -> MonthStatement | Response:
    """A calendar month: opening balance, everything that happened, closing balance."""
    form = query.format or ("html" if wants_html(request) else "json")
    if form == "html":
        return statement_page(request, caller, desk, month=month, account=query.account, standalone=query.standalone)
    found = reports.month(caller, desk, month=month, account=query.account)
    if form == "csv":
        return _csv(exports.statement_csv(found), name=f"swath-statement-{month}")
    return found


def _csv(lines: Iterator[str], *, name: str) -> StreamingResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8; header=present", headers=headers)
