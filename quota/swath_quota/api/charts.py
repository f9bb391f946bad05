"""Geometry of the page's charts: numbers to SVG paths. Labels are HTML beside them, so that they never shrink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from swath_quota.domain.explanations import credits_text
from swath_quota.domain.reports import BalanceDay

#: Units of the drawing; it is stretched to the room that there is.
WIDTH, HEIGHT, BARS_HEIGHT = 1000, 220, 70
_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A day's spending."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceChart:
    """The balance at the end of each day, and below it what each day spent."""

    line: str
    area: str
    bars: tuple[Bar, ...]
    grid: tuple[float, ...]
    """Heights of the lines at `scale`, from the top down."""
    scale: tuple[str, ...]
    """Credits at each of `grid`."""
    most_spent: str
    days: tuple[date, ...]
    """For the labels below: the first, one in the middle, the last."""
    text: str
    """What the chart shows, for those who cannot see it."""


def balance_chart(days: Sequence[BalanceDay]) -> BalanceChart:
    """The chart of `days`, at least one."""
    top = nice_top(max(1000, *(day.closing for day in days)) / 1000) * 1000
    step = WIDTH / len(days)

    def height(millicredits: float) -> float:
        return round(HEIGHT - max(0.0, min(1.0, millicredits / top)) * HEIGHT, 1)

    points: list[str] = []
    for index, day in enumerate(days):
        points += [f"{index * step:.1f} {height(day.closing)}", f"{(index + 1) * step:.1f} {height(day.closing)}"]
    line = "M" + " L".join(points)
    most = max(0, *(day.spent for day in days))
    shares = [top, top / 2, 0]
    return BalanceChart(
        line=line,
        area=f"{line} L{WIDTH} {HEIGHT} L0 {HEIGHT} Z",
        bars=tuple(_bar(index, day.spent, most=most, step=step) for index, day in enumerate(days) if day.spent > 0),
        grid=tuple(height(share) for share in shares),
        scale=tuple(credits_text(round(share)) for share in shares),
        most_spent=credits_text(most),
        days=(days[0].day, days[len(days) // 2].day, days[-1].day),
        text=_text(days, most=most),
    )


def nice_top(value: float) -> float:
    """The next round number from `value` up: one of `_STEPS` times a power of ten."""
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in _STEPS if step * power >= value)


def _bar(index: int, spent: int, *, most: int, step: float) -> Bar:
    # A day that spent anything is seen to have.
    height = max(2.0, spent / most * BARS_HEIGHT)
    gap = min(step * 0.15, 4)
    return Bar(
        x=round(index * step + gap, 1),
        y=round(BARS_HEIGHT - height, 1),
        width=round(step - 2 * gap, 1),
        height=round(height, 1),
    )


def _text(days: Sequence[BalanceDay], *, most: int) -> str:
    low, high = min(days, key=lambda day: day.closing), max(days, key=lambda day: day.closing)
    text = (
        f"Balance from {days[0].day} to {days[-1].day}: it ended at {credits_text(days[-1].closing)} credits,"
        f" was highest with {credits_text(high.closing)} on {high.day} and lowest with {credits_text(low.closing)}"
        f" on {low.day}."
    )
    if not most:
        return f"{text} Nothing was spent."
    day = max(days, key=lambda one: one.spent)
    return f"{text} Most was spent on {day.day}: {credits_text(most)} credits."
