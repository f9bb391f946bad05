"""What a report may be asked for, and the answers that are not the services' own types."""

from __future__ import annotations

import base64
import binascii
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field
from swath_service.errors import Invalid

from swath_quota.api.models import WalletQuery
from swath_quota.domain.grants import Grant
from swath_quota.domain.holds import Hold
from swath_quota.domain.reports import Charge, Cursor, SpendingBy
from swath_quota.services.reports import MAX_CHARGES, ChargePage


class SpanQuery(WalletQuery):
    """Which days (UTC), both counted in; by default the latest 30."""

    from_: Annotated[date | None, Field(alias="from", description="First day, 2026-05-01")] = None
    to: Annotated[date | None, Field(description="Last day, counted in")] = None


class SpendingQuery(SpanQuery):
    """What to sum up by."""

    by: SpendingBy = SpendingBy.KIND


class ChargesQuery(SpanQuery):
    """Which page of the charges."""

    limit: Annotated[int, Field(ge=1, le=MAX_CHARGES)] = 50
    cursor: Annotated[str | None, Field(max_length=400, description="`next` of the page before")] = None


class GrantList(BaseModel):
    """Grants, the newest first."""

    account: str
    grants: tuple[Grant, ...]


class HoldList(BaseModel):
    """Open holds, the oldest first."""

    account: str
    holds: tuple[Hold, ...]


class Charges(BaseModel):
    """A page of charges, newest first."""

    account: str
    first: date
    last: date
    charges: tuple[Charge, ...]
    next: str | None
    """What to send as ``cursor`` to get the next page; ``None`` on the last."""


def charges_answer(page: ChargePage) -> Charges:
    """A page as it is sent."""
    return Charges(
        account=page.account,
        first=page.first,
        last=page.last,
        charges=page.charges,
        next=cursor_text(page.next) if page.next else None,
    )


def cursor_text(cursor: Cursor) -> str:
    """A cursor as it stands in a query."""
    return base64.urlsafe_b64encode(f"{cursor.at.isoformat()} {cursor.hold_id}".encode()).decode().rstrip("=")


def cursor_of(text: str | None) -> Cursor | None:
    """The cursor that `cursor_text` wrote.

    Raises
    ------
    Invalid
    """
    if not text:
        return None
    try:
        at, _, hold_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not hold_id or "\0" in hold_id:
            raise ValueError("not a place")
    except (ValueError, binascii.Error) as error:
        raise Invalid(
            code="invalid-request",
            message="cursor is not one of ours",
            mend="send `next` of the page before, or none",
            findings=[{"field": "cursor", "message": "not a cursor", "mend": "send `next` of the page before"}],
        ) from error
    return Cursor(at=moment, hold_id=hold_id)
