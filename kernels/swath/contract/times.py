"""Dates and moments as RFC 3339 writes them, read strictly."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

from swath.contract.fields import ContractError

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")


def read_date(text: str) -> date | None:
    """The day that `text` (``YYYY-MM-DD``) names, or ``None``."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def read_datetime(text: str) -> datetime | None:
    """The moment in UTC that `text` (``YYYY-MM-DDTHH:MM:SSZ`` or with an offset) names, or ``None``."""
    text = text.upper()
    if not _DATETIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def write_datetime(at: datetime) -> str:
    """`at` (aware) in UTC with a ``Z``."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_either(text: str) -> tuple[datetime, str] | None:
    """The moment that a date (its midnight in UTC) or a datetime names, and how we write it, or ``None``."""
    if (day := read_date(text)) is not None:
        return datetime.combine(day, time(), tzinfo=UTC), day.isoformat()
    at = read_datetime(text)
    return None if at is None else (at, write_datetime(at))


def moment(at: datetime) -> str:
    """`at` as ISO 8601 in UTC with a ``Z``; a naive one is a mistake of the program."""
    if at.tzinfo is None:
        raise ContractError("a moment needs its time zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_moment(text: str, where: str) -> datetime:
    """An aware datetime in UTC; raises `ContractError`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ContractError(f"{where}: not an ISO 8601 moment") from None
    if at.tzinfo is None:
        raise ContractError(f"{where}: a moment needs its offset")
    return at.astimezone(UTC)
