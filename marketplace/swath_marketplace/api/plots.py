"""Small plots as SVG, made here: no script, and their words stand beside them for those who do not see them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from markupsafe import Markup

from swath_marketplace.domain.statistics import Spread

_WIDE, _HIGH = 320, 90
#: More points than this are a line alone.
_DOTTED = 60


def histogram(spread: Spread, *, title: str) -> Markup:
    """The bars of `spread`, with its median as a line; `title` says in words what it shows."""
    most = max(one.count for one in spread.bins)
    low, high = spread.bins[0].low, spread.bins[-1].high
    width = _WIDE / len(spread.bins)
    bars = "".join(
        f'<rect x="{_n(place * width + 1)}" y="{_n(_HIGH - _HIGH * one.count / most)}" width="{_n(width - 2)}"'
        f' height="{_n(_HIGH * one.count / most)}"><title>{one.low:g} to {one.high:g}: {one.count}</title></rect>'
        for place, one in enumerate(spread.bins)
    )
    at = _WIDE * (spread.median - low) / (high - low) if high > low else _WIDE / 2
    middle = f'<line class="median" x1="{_n(at)}" x2="{_n(at)}" y1="0" y2="{_HIGH}"/>'
    return _svg("histogram", bars + middle, title=title)


def line(points: Sequence[tuple[float, float]], *, title: str) -> Markup:
    """A line through `points`, which are in order of their first number."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    placed = [(_placed(x, xs, _WIDE), _HIGH - _placed(y, ys, _HIGH)) for x, y in points]
    path = " ".join(f"{'L' if place else 'M'}{_n(x)} {_n(y)}" for place, (x, y) in enumerate(placed))
    # Lines of no length with round ends: the plot is stretched, and circles would be.
    dots = "".join(f"M{_n(x)} {_n(y)}h0" for x, y in placed) if len(placed) <= _DOTTED else ""
    return _svg("line-plot", f'<path class="line" d="{path}"/><path class="dots" d="{dots}"/>', title=title)


def overlaid(first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]], *, title: str) -> Markup:
    """Two lines on the same axes, the second one dashed; both in order of their first number."""
    both = [*first, *second]
    xs, ys = [x for x, _ in both], [y for _, y in both]
    drawn = "".join(
        f'<path class="{kind}" d="{_path(points, xs, ys)}"/>'
        for kind, points in (("line first", first), ("line second", second))
    )
    return _svg("overlaid", drawn, title=title)


def around_zero(points: Sequence[tuple[float, float]], *, title: str) -> Markup:
    """A line through `points` with zero in the middle of its height."""
    most = max(abs(y) for _, y in points) or 1.0
    path = _path(points, [x for x, _ in points], [-most, most])
    zero = f'<line class="zero" x1="0" x2="{_WIDE}" y1="{_HIGH / 2:g}" y2="{_HIGH / 2:g}"/>'
    return _svg("around-zero", f'{zero}<path class="line" d="{path}"/>', title=title)


def _path(points: Sequence[tuple[float, float]], xs: Sequence[float], ys: Sequence[float]) -> str:
    ends = (min(xs), max(xs)), (min(ys), max(ys))
    placed = ((_placed(x, ends[0], _WIDE), _HIGH - _placed(y, ends[1], _HIGH)) for x, y in points)
    return " ".join(f"{'L' if place else 'M'}{_n(x)} {_n(y)}" for place, (x, y) in enumerate(placed))


def _svg(kind: str, inner: str, *, title: str) -> Markup:
    # Numbers of ours, and one text, escaped: nothing of it is markup of somebody else's.
    svg = (
        f'<svg class="plot-{kind}" role="img" aria-label={quoteattr(title)} viewBox="-3 -3 {_WIDE + 6} {_HIGH + 6}"'
        f' preserveAspectRatio="none"><title>{escape(title)}</title>{inner}</svg>'
    )
    return Markup(svg)  # noqa: S704 - see above


def _placed(value: float, among: Sequence[float], length: int) -> float:
    low, high = min(among), max(among)
    return length * (value - low) / (high - low) if high > low else length / 2


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def number_of(text: str) -> float | None:
    """The finite number that `text` writes; ``None`` for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def moment_of(text: str) -> float | None:
    """Seconds since 1970 of the ISO date or time that `text` writes; ``None`` for anything else."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
