"""What an ended run read of the archive: the warden's record, hashed from outside, merged with the run's own report."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from swath.contract.run import InputRecord
from swath_sandbox.served import Served, ServedFile, read_served

from swath_marketplace.domain.inputs import MOST_INPUTS, Read, Report, merged
from swath_marketplace.domain.runs import Run
from swath_marketplace.run_folder import RunFolder
from swath_marketplace.services.events import writable
from swath_marketplace.store.archive_assets import ArchiveAssets
from swath_marketplace.store.file_hashes import FileHashes, Signature

log = logging.getLogger(__name__)

_INSIDE = "/archive/"
_MOST_TEXT = 300
_RECORD_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """Inputs, and how they are known."""

    inputs: tuple[Mapping[str, Any], ...]
    how: Mapping[str, Any]


class InputObserver:
    """Observes what runs read. May be repeated after a crash, with the same answer while the archive stays as it is.

    Parameters
    ----------
    archive
        The folder that runs see as ``/archive``.
    """

    def __init__(self, *, archive: Path | None, hashes: FileHashes) -> None:
        self._archive = archive
        self._hashes = hashes

    def observe(self, run: Run, folder: RunFolder, reported: Sequence[InputRecord]) -> Observation:
        """What `run` read, once all its processes are gone; `reported` is what stands in its report."""
        served = read_served(folder.warden)
        # Without bubblewrap a run sees the archive where it lies.
        places = [_INSIDE, *([f"{self._archive}/"] if self._archive else [])]
        reports = _reports(folder, reported, places=places)
        assets = ArchiveAssets(self._archive) if self._archive else None
        data: list[_Opened] = []
        documents: list[_Opened] = []
        for file in _each_once(served):
            (documents if assets and assets.is_document(file.path) else data).append(file)
        files = [self._measured(file, assets) for file in data[:MOST_INPUTS]]
        inputs = list(merged(files, reports[: 2 * MOST_INPUTS]))
        # Where nobody looked, or others read on the run's behalf, what it reports is all there is.
        if not served.watched or run.resources.dask:
            inputs = [self._filled(one) for one in inputs]
        how: dict[str, Any] = {
            "by": "fanotify" if served.watched else "report",
            "complete": served.complete and not run.resources.dask,
            "truncated": served.truncated or len(data) > MOST_INPUTS or len(inputs) >= MOST_INPUTS,
        }
        why = "its Dask workers read for themselves" if served.complete and run.resources.dask else served.why
        if why:
            how["why"] = writable(why[:_MOST_TEXT])
        if documents:
            how["catalogue"] = self._catalogue(documents)
        return Observation(inputs=tuple(_writable(one) for one in inputs), how=how)

    def _measured(self, file: _Opened, assets: ArchiveAssets | None) -> Read:
        found = Read(path=file.path, bytes=file.last.bytes, asset=assets.of(file.path) if assets else None)
        measured = self._hash(file.path)
        if measured is None:
            return replace(found, changed=True)
        sha256, signature = measured
        same = not file.several and signature == _signature(file.last)
        return replace(found, bytes=signature.bytes, sha256=sha256, changed=not same)

    def _catalogue(self, documents: Sequence[_Opened]) -> Mapping[str, Any]:
        """The documents of the catalogue that were read, as one: they say what the files mean."""
        digest, changed = hashlib.sha256(), False
        for file in sorted((self._measured(file, None) for file in documents), key=lambda file: file.path):
            digest.update(f"{file.path}\0{file.sha256}\n".encode("utf-8", "surrogateescape"))
            changed = changed or file.changed
        told = {"documents": len(documents), "sha256": digest.hexdigest()}
        return {**told, "changed": True} if changed else told

    def _filled(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """What was only reported, with the hash of the file that is there, if one is."""
        if told.get("sha256") or not told.get("path"):
            return told
        measured = self._hash(told["path"])
        return {**told, "sha256": measured[0], "bytes": measured[1].bytes} if measured else told

    def _hash(self, path: str) -> tuple[str, Signature] | None:
        if self._archive is None:
            return None
        root = os.path.realpath(self._archive)
        place = os.path.realpath(os.path.join(root, path))
        if not place.startswith(root + os.sep):
            return None
        try:
            return self._hashes.of(Path(place))
        except (OSError, ValueError) as error:
            log.warning("an input cannot be read any more: %s", error)
            return None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Opened:
    path: str
    last: ServedFile
    several: bool
    """Whether the path was different files at different times."""


def _each_once(served: Served) -> Sequence[_Opened]:
    found: dict[str, _Opened] = {}
    for file in served.files:
        found[file.path] = _Opened(path=file.path, last=file, several=file.path in found)
    return list(found.values())


def _signature(file: ServedFile) -> Signature:
    return Signature(
        device=file.device,
        inode=file.inode,
        bytes=file.bytes,
        modified_ns=file.modified_ns,
        changed_ns=file.changed_ns,
    )


def _reports(folder: RunFolder, reported: Sequence[InputRecord], *, places: Sequence[str]) -> Sequence[Report]:
    """The run's own record, which names paths; where there is none, what stands in its report."""
    content = folder.read_out("inputs.jsonl", max_bytes=_RECORD_BYTES)
    found = []
    for line in (content or b"").splitlines()[: 2 * MOST_INPUTS]:
        try:
            data = json.loads(line)
            found.append(_report(InputRecord.from_dict(data), href=data.get("href"), places=places))
        except (ValueError, RecursionError):
            continue
    return found or [_report(record, href=None, places=()) for record in reported]


def _report(record: InputRecord, *, href: object, places: Sequence[str]) -> Report:
    path = None
    for place in places:
        if isinstance(href, str) and href.startswith(place) and "\0" not in href:
            below = PurePosixPath(href[len(place) :])
            path = None if ".." in below.parts or not below.parts else str(below)
    return Report(
        collection=record.collection[:_MOST_TEXT],
        item=record.item[:_MOST_TEXT],
        asset=record.asset[:_MOST_TEXT],
        path=path[: 4 * _MOST_TEXT] if path else None,
    )


def _writable(told: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: writable(value) if isinstance(value, str) else value for name, value in told.items()}
