"""Parts of files over HTTP (RFC 9110, section 14): which bytes a ``Range`` header asks for."""

from __future__ import annotations

import re

_RANGES = re.compile(r"\s*bytes\s*=\s*(.*)", re.IGNORECASE | re.DOTALL)
_ONE = re.compile(r"[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*")
#: More parts than this are answered with the whole: each costs a header, and nobody who means well asks for them.
MOST_RANGES = 50


class Unsatisfiable(Exception):
    """None of the ranges lies in the file."""


def ranges_of(header: str, size: int) -> list[tuple[int, int]]:
    """The parts of a file of `size` bytes, each as start and end (exclusive), in order, joined where they meet.

    Returns
    -------
    list
        Empty when the header is to be ignored: it is malformed, of another unit, or asks for too many parts.

    Raises
    ------
    Unsatisfiable
        The header is well-formed, and nothing that it asks for is there.
    """
    matched = _RANGES.fullmatch(header)
    specs = [spec for spec in matched.group(1).split(",") if spec.strip()] if matched else []
    if not specs or len(specs) > MOST_RANGES:
        return []
    found: list[tuple[int, int]] = []
    for spec in specs:
        one = _ONE.fullmatch(spec)
        if one is None or not (one.group(1) or one.group(2)):
            return []
        first, last = one.groups()
        if not first:
            start, end = max(size - int(last), 0), size
        else:
            start, end = int(first), min(int(last) + 1, size) if last else size
            if last and int(last) < start:
                return []
        if start < end:
            found.append((start, end))
    if not found:
        raise Unsatisfiable
    return _joined(sorted(found))


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    told = [ranges[0]]
    for start, end in ranges[1:]:
        if start <= told[-1][1]:
            told[-1] = (told[-1][0], max(told[-1][1], end))
        else:
            told.append((start, end))
    return told
