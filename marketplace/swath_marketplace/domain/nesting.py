"""How deep a JSON value is nested, which bounds what whoever reads it must do."""

from __future__ import annotations

from typing import Any

#: Deeper than any notebook or request that is meant.
DEEPEST = 100


def is_too_deep(value: Any) -> bool:
    """Whether `value` is nested deeper than `DEEPEST`; without recursion, which such a value would exhaust."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
