"""What is wrong with a parameter's value, gathered rather than raised, and what a value may hold at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: More faults than this are counted, not listed: the answer to a bad request stays small.
MAX_FINDINGS = 100
MAX_DEPTH = 64
MAX_NODES = 500_000
MAX_CHARACTERS = 2_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterFinding:
    """One thing that is wrong with a request's parameters."""

    field: str
    """The parameter, with the place inside it: ``bands[2]``; empty for the request as a whole."""
    code: str
    """Stable, kebab-case."""
    message: str
    """One sentence. Values are not repeated in it: one may be a secret in the wrong place."""
    mend: str

    def as_dict(self) -> dict[str, str]:
        """JSON object with all members."""
        return {"field": self.field, "code": self.code, "message": self.message, "mend": self.mend}


class Faults:
    """Gathers findings, up to `MAX_FINDINGS`."""

    def __init__(self) -> None:
        self._all: list[ParameterFinding] = []
        self.count = 0

    def add(self, field: str, code: str, message: str, mend: str) -> None:
        """One more finding."""
        self.count += 1
        if len(self._all) < MAX_FINDINGS:
            self._all.append(ParameterFinding(field=field, code=code, message=message, mend=mend))

    def told(self) -> tuple[ParameterFinding, ...]:
        """All of them, and how many were left out."""
        left = self.count - len(self._all)
        if not left:
            return tuple(self._all)
        more = ParameterFinding(
            field="", code="more-findings", message=f"{left} more findings are not listed", mend="mend these first"
        )
        return (*self._all, more)


#: Words for a JSON value's type, as a caller knows them.
def spoken_type(value: object) -> str:
    """The JSON name of the type of `value`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    for kind, name in ((int, "an integer"), (float, "a number"), (str, "a string"), (list, "an array")):
        if isinstance(value, kind):
            return name
    return "an object" if isinstance(value, dict) else f"a {type(value).__name__}"


def bad_text(text: str) -> bool:
    """Whether `text` cannot be stored: UTF-8 has no lone surrogates, and PostgreSQL no null characters."""
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def is_json(value: Any, field: str, faults: Faults) -> bool:
    """Whether `value` is JSON of a size that is worth looking at; says what is not."""
    before = faults.count
    characters = 0
    for nodes, (place, node, depth) in enumerate(_nodes(value), start=1):
        characters += len(node) if isinstance(node, str) else 0
        if depth > MAX_DEPTH or nodes > MAX_NODES or characters > MAX_CHARACTERS:
            faults.add(
                field,
                "too-large",
                f"over {MAX_DEPTH} levels, {MAX_NODES} values or {MAX_CHARACTERS} characters",
                "send less, or simplify the geometry",
            )
            break
        _judge(node, place, field, faults)
        if faults.count > before + MAX_FINDINGS:
            break
    return faults.count == before


_Place = tuple[Any, ...]


def _nodes(value: Any) -> Iterator[tuple[_Place, Any, int]]:
    # A stack, not recursion: how deep a request is nested is its sender's choice.
    stack: list[tuple[_Place, Any, int]] = [((), value, 0)]
    while stack:
        place, node, depth = stack.pop()
        yield place, node, depth
        if isinstance(node, dict):
            stack.extend(((place, str(key)), item, depth + 1) for key, item in node.items())
        elif isinstance(node, list):
            stack.extend(((place, position), item, depth + 1) for position, item in enumerate(node))


def _judge(node: Any, place: _Place, field: str, faults: Faults) -> None:
    if isinstance(node, float):
        if not math.isfinite(node):
            faults.add(_spelled(field, place), "not-finite", "NaN and infinity are not numbers here", "send a number")
    elif isinstance(node, str):
        if bad_text(node):
            faults.add(_spelled(field, place), "bad-text", "holds null characters or half a character", "send text")
    elif isinstance(node, dict):
        for key in node:
            if not isinstance(key, str) or bad_text(key):
                faults.add(_spelled(field, place), "bad-text", "has a member whose name is not text", "rename it")
    elif node is not None and not isinstance(node, bool | int | list):
        faults.add(_spelled(field, place), "wrong-type", f"JSON has no {type(node).__name__}", "send plain JSON values")


def _spelled(field: str, place: _Place) -> str:
    steps: list[str] = []
    while place:
        place, step = place
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step[:40]}")
    return field + "".join(reversed(steps))
