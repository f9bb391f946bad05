"""Calendar months in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def month_of(at: datetime) -> str:
    """The calendar month of `at`, as ``2026-05``."""
    return at.astimezone(UTC).strftime("%Y-%m")


def first_of_month(at: datetime) -> datetime:
    """The first instant of the calendar month of `at`."""
    at = at.astimezone(UTC)
    return datetime(at.year, at.month, 1, tzinfo=UTC)


def next_month(at: datetime) -> datetime:
    """The first instant of the calendar month after that of `at`."""
    at = at.astimezone(UTC)
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)
