"""Judge a request against one limit: yes, yes but slower, or a no that says what would help."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from swath_quota.domain.holds import Refusal
from swath_quota.domain.limits import Limit, LimitState, Window, quantity
from swath_quota.domain.windows import Usage, fits, left, next_fit, resets_at

_WINDOWS = {
    Window.CALENDAR_MONTH: "in a calendar month",
    Window.CONTINUOUS: "at the same time",
}


class Outcome(StrEnum):
    """What a request is answered."""

    ALLOWED = "allowed"
    DEGRADED = "degraded"
    """Allowed; the soft limit is passed."""
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """An answer; a refused one has its refusal."""

    outcome: Outcome
    refusal: Refusal | None = None


def judge(limit: Limit, usage: Usage, *, requested: int) -> Verdict:
    """Whether `requested` more units may be used at `usage.now`."""
    if not fits(limit, usage, amount=requested):
        return Verdict(outcome=Outcome.REFUSED, refusal=refusal_of(limit, usage, requested=requested))
    beyond = limit.soft is not None and usage.used + requested > limit.soft
    return Verdict(outcome=Outcome.DEGRADED if beyond else Outcome.ALLOWED)


def refusal_of(limit: Limit, usage: Usage, *, requested: int) -> Refusal:
    """The no to `requested` units, which do not fit."""
    hard, room = limit.hard, left(limit, usage)
    assert hard is not None
    assert room is not None
    retry_at = next_fit(limit, usage, amount=requested)
    never = requested > (limit.capacity or 0)
    message = (
        f"{limit.name}: {quantity(requested, limit.unit)} asked for, {quantity(room, limit.unit)} left"
        f" of {quantity(hard, limit.unit)} {window_text(limit)}"
    )
    if never:
        message += f"; so much at once never fits, at most {quantity(limit.capacity or 0, limit.unit)} do"
    return Refusal(
        code="quota-exceeded",
        message=message,
        retry_at=retry_at,
        limit=hard,
        left=room,
        limit_name=limit.name,
        mend=_mend(limit, usage, never=never, retry_at=retry_at),
    )


def window_text(limit: Limit) -> str:
    """A limit's window for people."""
    if limit.window in _WINDOWS:
        return _WINDOWS[limit.window]
    assert limit.seconds is not None
    days, rest = divmod(limit.seconds, 24 * 3600)
    length = f"{limit.seconds:,} seconds" if rest else f"{days} day{'' if days == 1 else 's'}"
    if limit.seconds in {1, 60, 3600}:
        length = {1: "second", 60: "minute", 3600: "hour"}[limit.seconds]
        return f"in any {length}" if limit.window is Window.ROLLING else f"a {length}"
    return f"in any {length}"


def _mend(limit: Limit, usage: Usage, *, never: bool, retry_at: datetime | None) -> str:
    operator = "ask an operator for an override or another tier"
    if never:
        return f"ask for less at once, or {operator}"
    if limit.window is Window.CONTINUOUS:
        end = f" (the first ends by itself at {_time(usage.next_end)})" if usage.next_end else ""
        return f"end something of yours that counts here, or wait until it ends{end}, or {operator}"
    assert retry_at is not None
    return f"wait until {_time(retry_at)}, ask for at most what is left, or {operator}"


def state_of(limit: Limit, usage: Usage) -> LimitState:
    """How full `limit` is."""
    room = left(limit, usage)
    waiting = room == 0 and limit.capacity != 0
    return LimitState(
        name=limit.name,
        window=limit.window,
        unit=limit.unit,
        soft=limit.soft,
        hard=limit.hard,
        used=usage.used,
        left=room,
        resets_at=resets_at(limit, usage),
        next_fit_at=next_fit(limit, usage, amount=1) if waiting else None,
        degraded=limit.soft is not None and usage.used > limit.soft,
        origin=limit.origin,
        seconds=limit.seconds,
        burst=limit.burst,
    )


def _time(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""
