"""Entries of other platforms: imported by an operator from a folder of records, read by everybody."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from swath.contract.digest import sha256_bytes
from swath_service.actor import Actor, Scope
from swath_service.cursors import Place
from swath_service.errors import NotFound

from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.externals import ExternalEntry, ListedEntry, RecordRefused, read_entry, remarks_of
from swath_marketplace.store.externals import ExternalStore

_MOST_BYTES = 1 << 20
_MOST_RECORDS = 10_000
#: Folders that hold records of services, as APEx lays them out; in a folder without any every file is taken for one.
_RECORDS = "records"


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """What an import came to."""

    new: tuple[str, ...]
    """Keys of entries that were added or changed."""
    same: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    """Path within the folder, and why it is not listed."""
    remarks: tuple[tuple[str, str], ...]
    """Path within the folder, and what is to be said of a record that is listed."""
    gone: tuple[str, ...]
    """Ids of entries that were removed because the folder has them no more."""


class Externals:
    """What other platforms offer."""

    def __init__(self, *, store: ExternalStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def get(self, actor: Actor, source: str, record_id: str) -> ListedEntry:
        """One entry.

        Raises
        ------
        NotFound
        """
        actor.require(Scope.READ)
        found = self._store.get(source, record_id)
        if found is None:
            raise NotFound(
                code="no-such-entry",
                message="there is no external entry of that name",
                mend="see the list of external entries",
            )
        return found

    def list(
        self, actor: Actor, *, limit: int, offset: int = 0, after: Place | None = None
    ) -> tuple[Sequence[ListedEntry], int]:
        """A page of entries, and how many there are."""
        actor.require(Scope.READ)
        return self._store.list(limit=limit, offset=offset, after=after)

    def import_folder(self, source: str, folder: Path, *, prune: bool = False) -> Import:
        """List what the records below `folder` describe. For operators, at the desk: no door leads here.

        Parameters
        ----------
        source
            The catalogue's name here; entries of other sources stay as they are.
        prune
            Whether entries of this source that the folder has no more are removed.
        """
        root = folder.resolve()
        new, same, ids = list[str](), list[str](), set[str]()
        refused: list[tuple[str, str]] = []
        remarks: list[tuple[str, str]] = []
        for path in _records(root):
            try:
                entry, sha256, said = _read(source, root, path)
                if entry.record_id in ids:
                    raise RecordRefused(f"id: another record of this folder is {entry.record_id!r} as well")
            except RecordRefused as error:
                refused.append((str(path.relative_to(root)), str(error)))
                continue
            ids.add(entry.record_id)
            remarks += [(str(path.relative_to(root)), one) for one in said]
            changed = self._store.put(entry, sha256=sha256, at=self._clock())
            (new if changed else same).append(entry.key)
        gone = self._store.drop_others(source, ids) if prune and ids else ()
        return Import(
            new=tuple(new), same=tuple(same), refused=tuple(refused), remarks=tuple(remarks), gone=tuple(gone)
        )


def _records(root: Path) -> Iterator[Path]:
    found = sorted(path for path in root.rglob("*.json") if path.is_file())
    marked = [path for path in found if path.parent.name == _RECORDS]
    yield from (marked or found)[:_MOST_RECORDS]


def _read(source: str, root: Path, path: Path) -> tuple[ExternalEntry, str, tuple[str, ...]]:
    content = _content(root, path)
    if content is None:
        raise RecordRefused(f"the file lies outside the folder, or is larger than {_MOST_BYTES} bytes")
    record = _json(content)
    if record is None:
        raise RecordRefused("the file is no JSON")
    beside = {rel: _linked(root, path, record, rel) for rel in ("provider", "platform")}
    entry = read_entry(source, record, provider=beside["provider"], platform=beside["platform"])
    # Who provides it and where it runs stand in files of their own: a change there is a change of the entry.
    sha256 = sha256_bytes(json.dumps(entry.as_dict(), sort_keys=True).encode())
    return entry, sha256, remarks_of(entry, record)


def _linked(root: Path, path: Path, record: object, rel: str) -> object:
    """The record that a relative link leads to, within the folder; ``None`` where there is none."""
    links = record.get("links") if isinstance(record, dict) else None
    for link in links if isinstance(links, list) else ():
        href = link.get("href") if isinstance(link, dict) and link.get("rel") == rel else None
        if not isinstance(href, str) or ":" in href or "\0" in href or len(href) > 500:
            continue
        content = _content(root, path.parent / href)
        if content is not None:
            return _json(content)
    return None


def _content(root: Path, path: Path) -> bytes | None:
    try:
        real = path.resolve()
        if not real.is_relative_to(root) or not real.is_file() or real.stat().st_size > _MOST_BYTES:
            return None
        return real.read_bytes()
    except (OSError, ValueError):
        return None


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
