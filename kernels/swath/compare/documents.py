"""JSON: values by their paths; the order of members, spaces and how a number is written do not count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swath.compare.files import Job
from swath.compare.jsonpaths import Ignored, Step, written
from swath.compare.limits import MAX_DOCUMENT_BYTES, CannotCompare, check_size
from swath.compare.numeric import apart_scalars
from swath.compare.tally import Tally, without_share
from swath.contract.comparison import Comparison, Tolerance

_MISSING = object()


def compare(job: Job) -> Comparison:
    """Compare two JSON documents; a value that is missing, or of another type, is out of any tolerance."""
    ignored = Ignored(job.tolerance.ignore)
    tally = Tally("json", compared="values")
    expected, found = read(job.expected, "the expected file"), read(job.found, "the found file")
    compare_values(tally, expected, found, job.tolerance, ignored=ignored)
    return tally.comparison(without_share(job.tolerance))


def read(path: Path, which: str) -> Any:
    """The value that a file holds.

    Raises
    ------
    CannotCompare
        It is too large, nested too deeply, no JSON, or gives a member twice.
    """
    check_size(path.stat().st_size, MAX_DOCUMENT_BYTES, which)
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_members)
    except RecursionError as error:
        raise CannotCompare(f"{which} is nested too deeply") from error
    except ValueError as error:
        raise CannotCompare(f"{which} is no JSON: {error}") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        # Which of the two counts is for each reader to decide, so nobody can say what it means.
        raise ValueError("an object has a member twice")
    return members


def compare_values(
    tally: Tally,
    expected: Any,
    found: Any,
    tolerance: Tolerance,
    *,
    ignored: Ignored,
    place: tuple[Step, ...] = (),
    where: str = "",
) -> None:
    """Add what differs between two parsed values; without recursion, however deep they are.

    Parameters
    ----------
    place
        Of the two values in their document.
    where
        Put before each path.
    """
    # Iterators, so that of an array of millions one pair is held at a time.
    left: list[Iterator[tuple[tuple[Step, ...], Any, Any]]] = [iter([(place, expected, found)])]
    while left:
        pair = next(left[-1], None)
        if pair is None:
            left.pop()
            continue
        at, mine, other = pair
        if ignored and at in ignored:
            continue
        if isinstance(mine, dict) and isinstance(other, dict):
            left.append(_members_of(at, mine, other))
        elif isinstance(mine, list) and isinstance(other, list):
            if len(mine) != len(other):
                tally.compared += 1
                tally.differing += 1
                tally.add(where + written(at), f"{len(mine)} items", f"{len(other)} items")
            left.append(_items_of(at, mine, other))
        else:
            _compare_leaf(tally, mine, other, tolerance, where=where, at=at)


def _members_of(
    at: tuple[Step, ...], mine: dict[str, Any], other: dict[str, Any]
) -> Iterator[tuple[tuple[Step, ...], Any, Any]]:
    for name, value in mine.items():
        yield (*at, name), value, other.get(name, _MISSING)
    for name, value in other.items():
        if name not in mine:
            yield (*at, name), _MISSING, value


def _items_of(at: tuple[Step, ...], mine: list[Any], other: list[Any]) -> Iterator[tuple[tuple[Step, ...], Any, Any]]:
    for step, (one, two) in enumerate(zip(mine, other, strict=False)):
        yield (*at, step), one, two


def _compare_leaf(
    tally: Tally, mine: Any, other: Any, tolerance: Tolerance, *, where: str, at: tuple[Step, ...]
) -> None:
    tally.compared += 1
    if _is_number(mine) and _is_number(other):
        distance, beyond = apart_scalars(mine, other, tolerance)
        if distance != 0 or beyond:
            tally.exact = False
            tally.saw(distance)
    else:
        distance, beyond = None, type(mine) is not type(other) or mine != other
    if beyond:
        tally.differing += 1
        tally.add(where + written(at), _told(mine), _told(other), distance)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _told(value: Any) -> Any:
    if value is _MISSING:
        return "nothing"
    if isinstance(value, dict | list):
        return f"an object of {len(value)}" if isinstance(value, dict) else f"an array of {len(value)}"
    if isinstance(value, int) and abs(value) > 10**30:
        return "an integer of more than 30 digits"
    return json.dumps(value, ensure_ascii=False)
