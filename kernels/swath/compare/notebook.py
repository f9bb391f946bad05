"""Executed notebooks: their sources, and the outputs of their cells as nbval compares them.

Like nbval: outputs are compared by what they hold (each stream, each media type), the order of unlike ones does not
count, streams are put together, and carriage returns and backspaces act. Execution counts, metadata, tracebacks, LaTeX
and views of widgets do not count. Further than nbval: pictures are compared by their pixels, numbers in text by the
tolerance, and addresses of objects do not count.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from swath.compare.documents import compare_values, read
from swath.compare.files import Job
from swath.compare.jsonpaths import Ignored
from swath.compare.limits import CannotCompare
from swath.compare.numeric import apart_scalars
from swath.compare.tally import Tally, without_share
from swath.compare.wording import count
from swath.contract.comparison import Comparison, Tolerance

#: Cells with one of these tags, or with the comment, are run for what they do, not for what they print.
_UNCOMPARED_TAGS = frozenset({"nbval-ignore-output", "nbval-skip"})
_UNCOMPARED_COMMENT = re.compile(r"^\s*#\s*(NBVAL_IGNORE_OUTPUT|NBVAL_SKIP|PYTEST_VALIDATE_IGNORE_OUTPUT)\s*$", re.M)
_UNCOMPARED_DATA = frozenset({"text/latex", "application/vnd.jupyter.widget-view+json"})
_PICTURES = ("image/png", "image/jpeg")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_OVERWRITTEN = re.compile(r"^.*\r(?=[^\n])", re.M)
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
_MOST_NUMBERS = 100_000


def compare(job: Job) -> Comparison:
    """Compare two notebooks cell by cell; ``ignore`` names tags of cells whose outputs do not count."""
    expected, found = _cells(read(job.expected, "the expected file")), _cells(read(job.found, "the found file"))
    tally = Tally("notebook", compared="cells")
    tolerance = without_share(job.tolerance)
    if len(expected) != len(found):
        tally.reshape("cells", count(len(expected), "cell"), count(len(found), "cell"))
    for number, (mine, other) in enumerate(zip(expected, found, strict=False)):
        tally.compared += 1
        if not _compare_cell(tally, mine, other, tolerance, number=number):
            tally.differing += 1
    return tally.comparison(tolerance)


def _cells(book: Any) -> list[dict[str, Any]]:
    cells = book.get("cells") if isinstance(book, dict) and book.get("nbformat") == 4 else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise CannotCompare("a file is no notebook of format 4")
    return cells


def _compare_cell(
    tally: Tally, expected: Mapping[str, Any], found: Mapping[str, Any], tolerance: Tolerance, *, number: int
) -> bool:
    where = f"cell {number}"
    for member, told in (("cell_type", "type"), ("source", "source")):
        sides = _text(expected.get(member)), _text(found.get(member))
        if sides[0] != sides[1]:
            tally.add(f"{where}, {told}", *_first_apart(*sides))
            return False
    if expected.get("cell_type") != "code" or _uncompared(expected, tolerance) or _uncompared(found, tolerance):
        return True
    inner = Tally("notebook", compared="outputs")
    mine, other = _outputs(expected), _outputs(found)
    for key in (*mine, *(key for key in other if key not in mine)):
        _compare_outputs(inner, mine.get(key, []), other.get(key, []), tolerance, key=key, where=where)
    for one in inner.differences():
        tally.add(one.where, one.expected, one.found, one.distance)
    tally.saw(inner.largest)
    tally.exact = tally.exact and inner.exact
    return not inner.differing and not inner.reshaped


def _uncompared(cell: Mapping[str, Any], tolerance: Tolerance) -> bool:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    named = {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()
    ignored = _UNCOMPARED_TAGS | set(tolerance.ignore)
    return bool(named & ignored) or _UNCOMPARED_COMMENT.search(_text(cell.get("source"))) is not None


def _text(value: Any) -> str:
    """nbformat writes text as one string, or as a list of lines."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _outputs(cell: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What a cell brought, by stream, by media type, and by what an error says."""
    found: dict[str, list[Any]] = defaultdict(list)
    streams: dict[str, str] = {}
    for output in cell.get("outputs") or []:
        if not isinstance(output, dict):
            raise CannotCompare("an output of a cell is no object")
        kind = output.get("output_type")
        if kind == "stream":
            name = str(output.get("name"))
            streams[name] = streams.get(name, "") + _text(output.get("text"))
        elif kind == "error":
            found["error"].append(f"{output.get('ename')}: {_text(output.get('evalue'))}")
        elif isinstance(data := output.get("data"), dict):
            for media_type, content in data.items():
                if media_type not in _UNCOMPARED_DATA:
                    found[media_type].append(content)
    return {**{name: [_shown(text)] for name, text in streams.items()}, **found}


def _shown(text: str) -> str:
    """What a terminal would show in the end: a progress bar is only its last state."""
    kept: list[str] = []
    for sign in text:
        if sign != "\b":
            kept.append(sign)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return _OVERWRITTEN.sub("", "".join(kept))


def _compare_outputs(
    tally: Tally, expected: Sequence[Any], found: Sequence[Any], tolerance: Tolerance, *, key: str, where: str
) -> None:
    if len(expected) != len(found):
        told = [count(len(side), "output") if side else "nothing" for side in (expected, found)]
        tally.reshape(f"{where}, {key}", *told)
        return
    for mine, other in zip(expected, found, strict=True):
        if mine == other:
            continue
        if key in _PICTURES:
            _compare_picture(tally, mine, other, tolerance, where=f"{where}, {key}, ")
        elif isinstance(mine, dict | list) and isinstance(other, dict | list) and not key.startswith("text/"):
            compare_values(tally, mine, other, tolerance, ignored=Ignored(()), where=f"{where}, {key}, ")
        else:
            _compare_text(tally, _plain(mine), _plain(other), tolerance, where=f"{where}, {key}")


def _plain(value: Any) -> str:
    return _ADDRESS.sub("0x…", _COLOUR.sub("", _text(value)))


def _compare_picture(tally: Tally, mine: Any, other: Any, tolerance: Tolerance, *, where: str) -> None:
    from swath.compare import picture

    try:
        sides = [base64.b64decode(_text(one), validate=False) for one in (mine, other)]
    except (binascii.Error, ValueError) as error:
        raise CannotCompare(f"{where}is no picture: {error}") from error
    first, second = (picture.read(side, where.rstrip(", ")) for side in sides)
    picture.compare_arrays(tally, first, second, tolerance, where=where)


def _compare_text(tally: Tally, mine: str, other: str, tolerance: Tolerance, *, where: str) -> None:
    if mine == other:
        return
    tally.exact = False
    if tolerance.rtol or tolerance.atol:
        numbers = [_NUMBER.findall(text) for text in (mine, other)]
        alike = _NUMBER.sub("#", mine) == _NUMBER.sub("#", other) and len(numbers[0]) <= _MOST_NUMBERS
        if alike and len(numbers[0]) == len(numbers[1]):
            found = [apart_scalars(float(a), float(b), tolerance) for a, b in zip(*numbers, strict=True)]
            for distance, _ in found:
                tally.saw(distance)
            if not any(beyond for _, beyond in found):
                return
    tally.differing += 1
    tally.add(where, *_first_apart(mine, other))


def _first_apart(mine: str, other: str) -> tuple[str, str]:
    """The first line in which two texts differ, of each."""
    lines = mine.splitlines(), other.splitlines()
    for first, second in zip(*lines, strict=False):
        if first != second:
            return first, second
    shorter = min(map(len, lines))
    first, second = (side[shorter] if len(side) > shorter else "nothing more" for side in lines)
    return (first, second) if first != second else (repr(mine[-40:]), repr(other[-40:]))
