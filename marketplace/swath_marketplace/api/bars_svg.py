"""Bars by day or week, as SVG; the numbers stand in a table beside it for those who cannot see it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from datetime import date

from markupsafe import Markup

_WIDTH, _HEIGHT, _TOP = 640, 120, 8


def bars(values: Mapping[date, int], *, title: str, text: Callable[[int], str] = str) -> Markup:
    """A bar for each of `values`, in their order.

    Parameters
    ----------
    title
        What is counted: the picture's name.
    text
        Writes a value for people.
    """
    most, count = max(values.values(), default=0), max(1, len(values))
    svg = ET.Element(
        "svg",
        {
            "class": "bars",
            "viewBox": f"0 0 {_WIDTH} {_HEIGHT}",
            "preserveAspectRatio": "none",
            "role": "img",
            "aria-label": f"{title}. {summary(values, text=text)}",
        },
    )
    step = _WIDTH / count
    for number, (day, value) in enumerate(values.items()):
        if value <= 0:
            continue
        # A day on which anything was is seen to have been.
        height = max(2.0, value / most * (_HEIGHT - _TOP))
        bar = ET.SubElement(
            svg,
            "rect",
            {
                "x": f"{number * step + step * 0.1:.1f}",
                "y": f"{_HEIGHT - height:.1f}",
                "width": f"{step * 0.8:.1f}",
                "height": f"{height:.1f}",
            },
        )
        ET.SubElement(bar, "title").text = f"{day.isoformat()}: {text(value)}"
    ET.SubElement(svg, "line", {"x1": "0", "x2": str(_WIDTH), "y1": str(_HEIGHT), "y2": str(_HEIGHT)})
    # Written by an XML writer that escapes every word.
    return Markup(ET.tostring(svg, encoding="unicode"))  # noqa: S704 - see the line above


def summary(values: Mapping[date, int], *, text: Callable[[int], str] = str) -> str:
    """What a chart of `values` shows, in a sentence."""
    if not values or not any(values.values()):
        return "Nothing in this time."
    first, last = next(iter(values)), next(reversed(list(values)))
    day = max(values, key=lambda one: values[one])
    total = text(sum(values.values()))
    return f"{total} from {first.isoformat()} to {last.isoformat()}, most on {day.isoformat()}: {text(values[day])}."
