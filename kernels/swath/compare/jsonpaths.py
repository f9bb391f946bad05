"""Paths of JSON values: how differences are named, and which values do not count.

Of RFC 9535 (JSONPath) what names places: ``$``, ``.name``, ``['name']``, ``[0]``, and ``[*]`` or ``.*`` for any one
step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from swath.compare.limits import CannotCompare

Step = str | int
_ANY = re.compile(r"\.\*|\[\*\]")
_NAME = re.compile(r"\.([^\W\d][\w-]*|\w[\w-]*)")
_INDEX = re.compile(r"\[(\d{1,9})\]")
_QUOTED = re.compile(r"\[(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")\]")
_PLAIN = re.compile(r"[^\W\d][\w-]*")


class Ignored:
    """The places that do not count; everything below them does not either.

    Raises
    ------
    CannotCompare
        A path is none; paths that do not begin with ``$`` are not meant for JSON and are passed over.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._patterns = [_parse(path) for path in paths if path.startswith("$")]

    def __contains__(self, place: tuple[Step, ...]) -> bool:
        return any(
            len(pattern) == len(place)
            and all(wanted is None or wanted == step for wanted, step in zip(pattern, place, strict=True))
            for pattern in self._patterns
        )

    def __bool__(self) -> bool:
        return bool(self._patterns)


def _parse(path: str) -> tuple[Step | None, ...]:
    steps: list[Step | None] = []
    at = 1
    while at < len(path):
        if found := _ANY.match(path, at):
            steps.append(None)
        elif found := _NAME.match(path, at):
            steps.append(found[1])
        elif found := _INDEX.match(path, at):
            steps.append(int(found[1]))
        elif found := _QUOTED.match(path, at):
            steps.append(re.sub(r"\\(.)", r"\1", found[1] if found[1] is not None else found[2]))
        else:
            raise CannotCompare(f"{path!r} under `ignore` is no path: write e.g. $.steps[*].seconds or $['made at']")
        at = found.end()
    return tuple(steps)


def written(place: Iterable[Step]) -> str:
    """``$.dates[2]``, ``$['made at']``."""
    told = "$"
    for step in place:
        if isinstance(step, int):
            told += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            told += f".{step}"
        else:
            told += f"[{json.dumps(step, ensure_ascii=False)}]"
    return told
