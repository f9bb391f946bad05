"""Filling the archive with its first data: again and again with the same result, and going on where it was cut off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from swath_archive.domain.errors import BadFile, SourceUnavailable
from swath_archive.sources import Batch
from swath_archive.store.catalogue import Catalogue

Step = Callable[[str, str], None]
"""Called with the collection and the item that was just stored or found."""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """One collection after filling."""

    collection: str
    title: str
    simulated: bool
    stored: int
    found: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A collection that could not be filled, and why."""

    collection: str
    message: str
    mend: str
    extra: bool


@dataclass(kw_only=True)
class Report:
    """What filling did."""

    collections: list[Filled] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    digest: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything is there that has to be."""
        return bool(self.collections) and all(failure.extra for failure in self.failures)


def fill(root: Path, batches: Iterable[Batch], *, step: Step | None = None) -> Report:
    """Store every item that is not there already, and publish each collection as soon as it is whole.

    Idempotent: an item with the same recipe whose files have their sizes is left alone, its source not even read.
    A source that cannot be had is named in the report and does not keep the others out.
    """
    began = time.monotonic()
    catalogue = Catalogue(root)
    report = Report()
    with catalogue.writing():
        for batch in batches:
            try:
                report.collections.append(_fill_one(catalogue, batch, step=step))
            except (SourceUnavailable, BadFile) as error:
                failure = Failure(collection=batch.spec.id, message=error.message, mend=error.mend, extra=batch.extra)
                report.failures.append(failure)
        report.digest = catalogue.publish()
    report.seconds = time.monotonic() - began
    return report


def _fill_one(catalogue: Catalogue, batch: Batch, *, step: Step | None) -> Filled:
    stored = found = 0
    for pending in batch.items:
        if catalogue.holds(batch.spec, pending):
            found += 1
        else:
            catalogue.store_item(batch.spec, pending)
            stored += 1
        if step:
            step(batch.spec.id, pending.item_id)
    catalogue.publish(batch.spec)
    return Filled(
        collection=batch.spec.id,
        title=batch.spec.title,
        simulated=batch.spec.simulated,
        stored=stored,
        found=found,
    )
