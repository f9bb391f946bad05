"""How values are shown: short, and without anything in them that could drive a terminal or a page."""

from __future__ import annotations

import math
from typing import Any

_LONGEST = 120


def shown(value: Any) -> str:
    """`value` as one short line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    return clean(str(value))


def number(value: float) -> str:
    """A number with as many digits as tell it from its neighbours."""
    if math.isnan(value):
        return "NaN"
    return repr(float(value)).removesuffix(".0") if abs(value) < 1e16 else repr(float(value))


def clean(text: str, *, longest: int = _LONGEST) -> str:
    """`text` on one line, printable, cut in its middle where it is long."""
    if len(text) > longest:
        half = (longest - 3) // 2
        text = f"{text[:half]} … {text[-half:]}"
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def count(amount: int, what: str, plural: str = "") -> str:
    """``1 pixel``, ``12,000 pixels``."""
    return f"{amount:,} {what if amount == 1 else plural or what + 's'}"


def part(share: float) -> str:
    """A share as a percentage, never rounded to none or to all."""
    percent = 100 * share
    if 0 < percent < 0.01:
        return "less than 0.01%"
    if 99.99 < percent < 100:
        return "more than 99.99%"
    return f"{percent:.2f}".rstrip("0").rstrip(".") + "%"
