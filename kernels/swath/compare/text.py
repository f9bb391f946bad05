"""Text, line by line. The ends of lines, a byte order mark and the space at an end of the file are encoding."""

from __future__ import annotations

import difflib
from pathlib import Path

from swath.compare.files import Job
from swath.compare.limits import MAX_TEXT_BYTES, CannotCompare, check_size
from swath.compare.tally import Tally, without_share
from swath.contract.comparison import Comparison

#: Aligning lines takes the product of their numbers; longer texts are compared line by line.
_MAX_ALIGNED = 2_000


def compare(job: Job) -> Comparison:
    """Compare two texts; no tolerance speaks of them."""
    tally = Tally("text", compared="lines")
    compare_lines(tally, read(job.expected, "the expected file"), read(job.found, "the found file"))
    return tally.comparison(without_share(job.tolerance))


def read(path: Path, which: str) -> list[str]:
    """The lines of a text in UTF-8.

    Raises
    ------
    CannotCompare
    """
    check_size(path.stat().st_size, MAX_TEXT_BYTES, which)
    try:
        return path.read_bytes().decode("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise CannotCompare(f"{which} is no text in UTF-8: byte {error.start} is {error.reason}") from error


def compare_lines(tally: Tally, expected: list[str], found: list[str], *, where: str = "") -> None:
    """Add the lines that differ; lines that were put in or taken out do not make the others differ."""
    tally.compared += max(len(expected), len(found))
    if expected == found:
        return
    # What is alike at both ends needs no aligning.
    start = _alike(expected, found)
    end = _alike(expected[start:][::-1], found[start:][::-1])
    mine, other = expected[start : len(expected) - end], found[start : len(found) - end]
    if len(mine) * len(other) > _MAX_ALIGNED**2:
        pairs = [(row, row) for row in range(max(len(mine), len(other)))]
    else:
        matcher = difflib.SequenceMatcher(None, mine, other, autojunk=False)
        pairs = [
            (low + step if low + step < high else -1, start2 + step if start2 + step < end2 else -1)
            for tag, low, high, start2, end2 in matcher.get_opcodes()
            if tag != "equal"
            for step in range(max(high - low, end2 - start2))
        ]
    for left, right in pairs:
        first = mine[left] if 0 <= left < len(mine) else None
        second = other[right] if 0 <= right < len(other) else None
        if first != second:
            tally.differing += 1
            line = start + (left if left >= 0 else right) + 1
            tally.add(f"{where}line {line}", first, second)


def _alike(expected: list[str], found: list[str]) -> int:
    pairs = enumerate(zip(expected, found, strict=False))
    return next((at for at, (first, second) in pairs if first != second), min(len(expected), len(found)))
