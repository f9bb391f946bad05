"""What a run read of the archive: what was served to it, seen from outside, beside what it reported itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: Of so many inputs a run keeps each by itself.
MOST_INPUTS = 10_000


class Observed(StrEnum):
    """How an input is known."""

    SERVED = "served"
    """The run opened the file: the kernel of the machine said so, and nothing inside the run could keep it from that
    or make it say so."""
    REPORTED = "reported"
    """Only the run says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """Where a file stands in the archive's catalogue."""

    collection: str
    item: str
    asset: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """A file of the archive that was opened, or of which that is told."""

    path: str
    """Below the archive."""
    bytes: int | None = None
    sha256: str | None = None
    """Of its content, read from outside when the run was over; ``None`` when it could not be read."""
    changed: bool = False
    """Whether it may have been another when the run read it: it is not, in every respect, what it was then."""
    asset: Asset | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """An input as the run reported it."""

    collection: str
    item: str
    asset: str
    path: str | None = None
    """Below the archive, where it says one."""


def merged(served: Iterable[Read], reported: Iterable[Report]) -> Sequence[Mapping[str, Any]]:
    """Inputs as a run keeps them, by path: every file that was served, then what was reported and not served.

    What was served is told in the catalogue's words, not in the run's.
    """
    inputs, paths, assets = [], set(), set()
    for file in sorted(served, key=lambda file: file.path):
        paths.add(file.path)
        if file.asset:
            assets.add(file.asset)
        inputs.append(_told(file, Observed.SERVED))
    claimed = set()
    for report in reported:
        asset = Asset(collection=report.collection, item=report.item, asset=report.asset)
        # What bears the name of one file and the path of another is a claim of its own.
        known = asset in assets if report.path is None else report.path in paths
        if not known and (asset, report.path) not in claimed:
            claimed.add((asset, report.path))
    for asset, path in sorted(claimed, key=lambda claim: (claim[1] or "", *_words(claim[0]))):
        told = _told(Read(path=path or "", asset=asset), Observed.REPORTED)
        inputs.append({name: value for name, value in told.items() if value != ""})
    return inputs[:MOST_INPUTS]


def _words(asset: Asset) -> tuple[str, str, str]:
    return asset.collection, asset.item, asset.asset


def _told(file: Read, observed: Observed) -> Mapping[str, Any]:
    told: dict[str, Any] = {"path": file.path, "observed": observed.value}
    if file.asset:
        told |= {"collection": file.asset.collection, "item": file.asset.item, "asset": file.asset.asset}
    if file.path:
        told["href"] = f"/archive/{file.path}"
    if file.bytes is not None:
        told["bytes"] = file.bytes
    if file.sha256 is not None:
        told["sha256"] = file.sha256
    if file.changed:
        told["changed"] = True
    return told
