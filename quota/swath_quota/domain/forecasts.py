"""Until when credits last at the rate they were spent lately."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from swath_quota.domain.explanations import credits_text
from swath_quota.domain.grants import Grant, spending_order
from swath_quota.domain.periods import month_of, next_month
from swath_quota.domain.reports import SPENDING, DayChange, day_start

#: How many days back a rate is looked for.
SPANS = (7, 30)
#: How far ahead is looked; beyond it credits are said to last.
HORIZON = timedelta(days=366)
_DAY = timedelta(days=1)
_DAY_MICROSECONDS = 24 * 3600 * 10**6
#: Less time than this, or charges on fewer days, is little to go by.
_FAIR_TIME = timedelta(days=3)
_FAIR_DAYS = 2


class Outlook(StrEnum):
    """What becomes of the credits."""

    EMPTY = "empty"
    """There is nothing to spend now."""
    RUNS_OUT = "runs-out"
    LASTS = "lasts"
    """At this rate they, and the months' allowances, last as far as is looked ahead."""
    IDLE = "idle"
    """Nothing was spent lately, so there is no rate."""


class Evidence(StrEnum):
    """How much a forecast stands on."""

    NONE = "none"
    LITTLE = "little"
    """Less than three days, or charges on one day alone."""
    FAIR = "fair"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """What was spent in the latest days (UTC days, today counted as far as it is over)."""

    days: int
    spent: int
    """Millicredits, refunds taken off."""
    per_day: int
    """Millicredits a day, rounded; over the time that the wallet is there when that is shorter, at least a day."""
    outlook: Outlook
    until: datetime | None
    """When nothing is left at this rate; ``None`` unless it runs out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """Until when a wallet lasts, from the more careful of its rates."""

    at: datetime
    outlook: Outlook
    until: datetime | None
    """When nothing is left to spend; ``None`` unless it runs out."""
    per_day: int
    """Millicredits a day of the rate that was used."""
    days: int
    """How many days that rate looks back on."""
    evidence: Evidence
    renews_at: datetime
    """When the tier gives its next allowance."""
    next_allowance: int
    """Millicredits that it then gives."""
    left_out: int
    """Millicredits that may be spent on some things only, and were not counted."""
    rates: tuple[Rate, ...]
    text: str
    """The same as a sentence, dates in UTC."""


@dataclass(slots=True)
class _Pot:
    left: Fraction
    from_at: datetime
    until: datetime | None

    def is_live(self, at: datetime) -> bool:
        return self.from_at <= at and (self.until is None or self.until > at)


def forecast(
    grants: Iterable[Grant],
    changes: Iterable[DayChange],
    *,
    now: datetime,
    opened_at: datetime,
    allowance_on: Callable[[datetime], int],
) -> Forecast:
    """Look ahead over grants that begin and expire and allowances to come.

    Parameters
    ----------
    grants
        With something left. What open holds set aside counts as spent: it is about to be.
    changes
        Of at least the last 30 days.
    opened_at
        When the wallet was opened.
    allowance_on
        Millicredits that the tier gives for the month that begins at a time.
    """
    usable = [grant for grant in grants if grant.free and not grant.is_over(now)]
    scoped = sum(grant.free for grant in usable if _is_scoped(grant))
    usable = sorted((grant for grant in usable if not _is_scoped(grant)), key=spending_order)
    spendable = sum(grant.free for grant in usable if grant.effective_at <= now)
    kept, rates = list(changes), []
    for days in SPANS:
        rates.append(_rate(days, usable, kept, now=now, opened_at=opened_at, allowance_on=allowance_on))
    # The more careful one: what runs out first, else what spends more.
    used = min(rates, key=lambda rate: (rate.until is None, rate.until or now, -rate.per_day))
    outlook = used.outlook if spendable else Outlook.EMPTY
    until = used.until if spendable else None
    evidence = _evidence(kept, now=now, opened_at=opened_at)
    renews_at, allowance = next_month(now), allowance_on(next_month(now))
    return Forecast(
        at=now,
        outlook=outlook,
        until=until,
        per_day=used.per_day,
        days=used.days,
        evidence=evidence,
        renews_at=renews_at,
        next_allowance=allowance,
        left_out=scoped,
        rates=tuple(rates),
        text=_text(outlook, until, days=used.days, evidence=evidence, renews_at=renews_at, allowance=allowance),
    )


def _is_scoped(grant: Grant) -> bool:
    return bool(grant.scope.kinds or grant.scope.algorithms)


def _rate(
    days: int,
    grants: list[Grant],
    changes: list[DayChange],
    *,
    now: datetime,
    opened_at: datetime,
    allowance_on: Callable[[datetime], int],
) -> Rate:
    first = now.date() - timedelta(days=days - 1)
    spent = max(0, -sum(one.change for one in changes if one.kind in SPENDING and first <= one.day <= now.date()))
    watched = max(now - max(day_start(first), opened_at), _DAY)
    per_microsecond = Fraction(spent, watched // timedelta(microseconds=1))
    if not spent:
        return Rate(days=days, spent=0, per_day=0, outlook=Outlook.IDLE, until=None)
    pots = [_Pot(left=Fraction(g.free), from_at=g.effective_at, until=g.expires_at) for g in grants]
    until = run_out(pots, per_microsecond=per_microsecond, now=now, allowance_on=allowance_on)
    return Rate(
        days=days,
        spent=spent,
        per_day=round(per_microsecond * _DAY_MICROSECONDS),
        outlook=Outlook.LASTS if until is None else Outlook.RUNS_OUT,
        until=until,
    )


def run_out(
    pots: list[_Pot], *, per_microsecond: Fraction, now: datetime, allowance_on: Callable[[datetime], int]
) -> datetime | None:
    """When `pots`, spent in their order at a steady rate, are empty; ``None`` when not within `HORIZON`."""
    moments = {now + HORIZON}
    month = now
    while (month := next_month(month)) < now + HORIZON:
        moments.add(month)
        # An allowance is spent first, as in the ledger.
        pots.insert(0, _Pot(left=Fraction(allowance_on(month)), from_at=month, until=next_month(month)))
    moments |= {at for pot in pots for at in (pot.from_at, pot.until) if at and now < at < now + HORIZON}
    at = now
    for until in sorted(moments):
        need = per_microsecond * ((until - at) // timedelta(microseconds=1))
        live = [pot for pot in pots if pot.is_live(at)]
        there = sum((pot.left for pot in live), Fraction(0))
        if there < need:
            return at + timedelta(microseconds=int(there / per_microsecond))
        for pot in live:
            part = min(pot.left, need)
            pot.left -= part
            need -= part
        at = until
    return None


def _evidence(changes: list[DayChange], *, now: datetime, opened_at: datetime) -> Evidence:
    first = now.date() - timedelta(days=max(SPANS) - 1)
    days = {one.day for one in changes if one.kind in SPENDING and one.change < 0 and one.day >= first}
    if not days:
        return Evidence.NONE
    fair = now - opened_at >= _FAIR_TIME and len(days) >= _FAIR_DAYS
    return Evidence.FAIR if fair else Evidence.LITTLE


def _text(
    outlook: Outlook,
    until: datetime | None,
    *,
    days: int,
    evidence: Evidence,
    renews_at: datetime,
    allowance: int,
) -> str:
    again = f"; {renews_at:%-d %B} brings {credits_text(allowance)} more" if allowance else ""
    if outlook is Outlook.EMPTY:
        return f"nothing to spend now{again}"
    if outlook is Outlook.IDLE:
        return "nothing was spent in the last 30 days, so there is no rate to go by"
    told = f"at the rate of the last {days} days"
    if evidence is Evidence.LITTLE:
        told += " (little to go by yet)"
    if until is None:
        return f"{told} credits last for more than a year, allowances to come counted"
    counted = again if month_of(until) == month_of(renews_at - timedelta(days=1)) else ""
    return f"{told} credits last until {until:%-d %B %Y, %H:%M} UTC{counted}"
