"""What goes into a sandbox that compares, and how what came out of it is read: nothing of it is believed unchecked."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from swath.contract.comparison import MAX_DIFFERENCES, Comparison, Difference, Sides
from swath.contract.fields import ContractError
from swath.contract.media import Kind, told_as
from swath_sandbox.errors import UnsafeFile
from swath_sandbox.files import read_small

from swath_marketplace.executors.comparer import Pair

_ANSWER = "answer.json"
_PICTURES = "pictures"
_ANSWER_BYTES = 8 << 20
_PICTURE_BYTES = 8 << 20
_PNG = b"\x89PNG\r\n\x1a\n"
_KINDS = frozenset(map(told_as, Kind))
#: Of address space, above what the group may have of memory: libraries are mapped that are never read.
_MAPPED_BYTES = 1 << 30


def write_job(
    folder: Path, pairs: Sequence[Pair], *, inside: Path, memory_bytes: int, seconds: float, drawn: bool
) -> None:
    """Copy the files of `pairs` into `folder`, readable for the sandbox's uid, and write ``job.json`` beside them.

    Parameters
    ----------
    inside
        Where the sandbox sees the folder above `folder`.
    drawn
        Whether pictures are wanted.
    """
    told = []
    for number, pair in enumerate(pairs):
        paths = {}
        for side, source in (("expected", pair.expected), ("found", pair.found)):
            # Their own names say nothing that counts, and may be anything.
            target = folder / f"{number}-{side}"
            shutil.copyfile(source, target)
            target.chmod(0o644)
            paths[side] = str(inside / folder.name / target.name)
        told.append({"name": pair.name, **paths, "media_type": pair.media_type, "tolerance": pair.tolerance.as_dict()})
    job = {
        "pairs": told,
        "pictures": str(inside / "out" / _PICTURES) if drawn else None,
        "limits": {"memory_bytes": memory_bytes + _MAPPED_BYTES, "seconds": seconds},
    }
    (folder / "job.json").write_text(json.dumps(job))
    (folder / "job.json").chmod(0o644)


def read_answer(folder: Path) -> Mapping[str, Comparison]:
    """The comparisons by name, as far as they are of the form that the library writes."""
    try:
        answer = json.loads(read_small(folder, _ANSWER, max_bytes=_ANSWER_BYTES))
        members = answer["comparisons"]
        items = list(members.items())
    except (OSError, UnsafeFile, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    found = {}
    for name, data in items:
        try:
            found[str(name)] = _checked(Comparison.from_dict(data))
        except (ContractError, OverflowError):
            continue
    return found


def _checked(one: Comparison) -> Comparison:
    if one.kind not in _KINDS or one.differing > 1 << 60 or one.compared > 1 << 60:
        raise ContractError("comparison: not one of the library's")
    if one.largest is not None and not (math.isfinite(one.largest) and one.largest >= 0):
        raise ContractError("comparison.largest: expected a finite number")
    return replace(
        one,
        message=_plain(one.message, 2_000),
        differences=tuple(_plain_difference(each) for each in one.differences[:MAX_DIFFERENCES]),
        sides=_checked_sides(one.sides) if one.sides else None,
    )


def _checked_sides(one: Sides) -> Sides:
    numbers = (one.low, one.high, one.span, one.mean)
    if not all(math.isfinite(number) for number in numbers if number is not None) or one.raised + one.lowered > 1 << 60:
        raise ContractError("comparison.sides: expected finite numbers")
    return replace(one, band=_plain(one.band, 100), unit=_plain(one.unit, 50))


def _plain_difference(one: Difference) -> Difference:
    distance = one.distance if one.distance is not None and math.isfinite(one.distance) else None
    return Difference(
        where=_plain(one.where, 300),
        expected=_plain(one.expected, 300),
        found=_plain(one.found, 300),
        distance=distance,
    )


def _plain(text: str, longest: int) -> str:
    return "".join(sign if sign.isprintable() else "�" for sign in text[:longest])


def bring_picture(one: Comparison, name: str, *, source: Path, target: Path | None) -> Comparison:
    """Copy the pictures of a comparison from `source` to `target`; without one it has none."""
    wanted = f"{name}.png"
    brought = one.picture == wanted and _brought(wanted, source, target)
    sides = one.sides if one.sides and _brought(f"{name}.sides.png", source, target) else None
    return replace(one, picture=wanted if brought else None, sides=sides)


def _brought(wanted: str, source: Path, target: Path | None) -> bool:
    if target is None:
        return False
    try:
        content = read_small(source, f"{_PICTURES}/{wanted}", max_bytes=_PICTURE_BYTES)
    except (OSError, UnsafeFile):
        return False
    if not content.startswith(_PNG):
        return False
    target.mkdir(parents=True, exist_ok=True)
    (target / wanted).write_bytes(content)
    return True
