"""Times as STAC writes them: RFC 3339, open ends as ``..``."""

from __future__ import annotations

from datetime import UTC, date, datetime


def parse_time(text: str) -> datetime:
    """An aware UTC time from RFC 3339 text or a bare date (its midnight).

    Raises
    ------
    ValueError
        The text is no time, or has a clock time and no zone.
    """
    text = text.strip()
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        moment = datetime.fromisoformat(text.replace("z", "Z"))
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time; write 2023-04-05T10:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text[:40]!r} has no time zone; write 2023-04-05T10:00:00Z")
    return moment.astimezone(UTC)


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC; whole seconds where there is nothing finer."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_interval(text: str) -> tuple[datetime | None, datetime | None]:
    """Start and end, both inclusive as STAC API's ``datetime`` has it; a single instant is both.

    Raises
    ------
    ValueError
        More than one slash, no end at all, or an end before the start.
    """
    parts = text.split("/")
    if len(parts) > 2:
        raise ValueError("an interval has one slash")
    if len(parts) == 1:
        moment = parse_time(parts[0])
        return moment, moment
    start, end = (None if part in {"", ".."} else parse_time(part) for part in parts)
    if start is None and end is None:
        raise ValueError("an interval open at both ends says nothing; leave it out")
    if start is not None and end is not None and end < start:
        raise ValueError("the interval ends before it starts")
    return start, end
