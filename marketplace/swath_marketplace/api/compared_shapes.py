"""What a page shows of one output that was compared: pictures, lines and places, all in words too."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from swath.contract.comparison import Comparison, Difference, Sides

from swath_marketplace.api.plots import around_zero, number_of, overlaid
from swath_marketplace.api.previews import Plot, Series, series_of

_LINES = 3
_TOLD = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One of the three squares of a sheet."""

    place: str
    """``first``, ``second`` or ``third``: which part of the picture it is."""
    title: str
    words: str
    """What is seen, for those who do not see it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One place that differs."""

    where: str
    old: str
    new: str
    change: str
    """``+0.2 (+25 %)``; empty where it has no meaning."""


def panels(one: Comparison, *, old: str, new: str) -> Sequence[Panel]:
    """The parts of the sheet of `one`, between the versions `old` and `new`."""
    sides = one.sides
    if sides is None:
        return ()
    what = f"{sides.band} " if sides.band else ""
    return (
        Panel(place="first", title=old, words=f"{what}of {old}{_stretch(sides)}"),
        Panel(place="second", title=new, words=f"{what}of {new}{_stretch(sides)}"),
        Panel(place="third", title="Difference", words=difference(one, sides)),
    )


def difference(one: Comparison, sides: Sides) -> str:
    """The finding in a sentence."""
    if sides.span is None:
        return f"{one.differing:,} of {one.compared:,} pixels differ"
    unit = f" {sides.unit}" if sides.unit else ""
    return (
        f"pixels higher: {sides.raised:,}, lower: {sides.lowered:,}; by {sides.span:.4g}{unit} at most"
        f" and {sides.mean or 0.0:+.4g}{unit} on average"
    )


def _stretch(sides: Sides) -> str:
    if sides.low is None or sides.high is None:
        return ""
    return f", dark {sides.low:.4g} to bright {sides.high:.4g}{f' {sides.unit}' if sides.unit else ''}"


def changes(one: Comparison) -> Sequence[Change]:
    """The places that differ most."""
    return [
        Change(where=each.where, old=each.expected, new=each.found, change=_change(each))
        for each in one.differences[:_TOLD]
    ]


def _change(one: Difference) -> str:
    old, new = number_of(one.expected), number_of(one.found)
    if old is None or new is None:
        return "" if one.distance is None else f"{one.distance:.4g} apart"
    share = f" ({(new - old) / abs(old):+.2%})" if old else ""
    return f"{new - old:+.4g}{share}"


def lines(expected: Path, found: Path, *, media_type: str, old: str, new: str) -> Sequence[Plot]:
    """Columns of two CSVs over one another, and their differences; those that differ most first."""
    if not media_type.startswith("text/csv"):
        return ()
    before = {one.name: one for one in series_of(expected)}
    made = []
    for one in series_of(found):
        with contextlib.suppress(KeyError):
            made.append(_drawn(before[one.name], one, old=old, new=new))
    made = [(most, plots) for most, plots in made if most > 0]
    made.sort(key=lambda each: -each[0])
    return [plot for _, plots in made[:_LINES] for plot in plots]


def _drawn(first: Series, second: Series, *, old: str, new: str) -> tuple[float, Sequence[Plot]]:
    """How far apart they are, as a share of the values' range, and the plots."""
    at = dict(first.points)
    apart = [(x, y - at[x]) for x, y in second.points if x in at]
    values = [y for one in (first, second) for _, y in one.points]
    words = (
        f"{second.name} over {second.over}: {old} as a line, {new} dashed, from {min(values):.4g} to {max(values):.4g}"
    )
    both = Plot(picture=overlaid(first.points, second.points, title=words), words=words)
    only = len(first.points) + len(second.points) - 2 * len(apart)
    if not apart:
        return 1.0, [both]
    most = max((y for _, y in apart), key=abs)
    told = f"{new} - {old} of {second.name}: furthest apart by {most:+.4g}, 0 in the middle"
    if only:
        told += f"; {only} times are of one side alone"
    share = abs(most) / ((max(values) - min(values)) or 1.0) or float(only > 0)
    return share, [both, Plot(picture=around_zero(apart, title=told), words=told)]
