"""The static STAC catalogue on disk: the one truth of what the archive holds.

``ROOT/catalog.json``, ``ROOT/<collection>/collection.json``, ``ROOT/<collection>/<item>/<item>.json`` and the item's
files beside it. Each file appears whole or not at all, an item's document after its files, and ``catalog.json`` last,
with the digest of all documents: who has seen that digest has seen the whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swath_archive.domain.collections import CollectionSpec
from swath_archive.domain.errors import ArchiveBroken
from swath_archive.domain.scenes import Pending
from swath_archive.store.cog import Stored, make_folder, sweep, write_cog, write_file
from swath_archive.store.documents import (
    Document,
    catalogue_document,
    collection_document,
    item_document,
    relinked,
)
from swath_archive.store.validation import validate


class Catalogue:
    """The catalogue under `root`.

    Reading needs no lock. Whoever writes holds `writing()`, so that two of them take turns.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer, in this process and others; waits for its turn."""
        make_folder(self.root)
        with (self.root / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def collection(self, collection_id: str) -> Document | None:
        """The collection's document, or ``None``."""
        return self._read(self.root / collection_id / "collection.json")

    def collections(self) -> list[Document]:
        """Every collection that the root links to, by id."""
        root = self._read(self.root / "catalog.json")
        if root is None:
            return []
        found = []
        for link in _links(root):
            if link["rel"] == "child":
                document = self._read(self.root / link["href"])
                if document is None:
                    raise _broken(f"the catalogue links to {link['href']}, which is not there")
                found.append(document)
        return found

    def item(self, collection_id: str, item_id: str) -> Document | None:
        """The item's document, or ``None``."""
        return self._read(self.root / collection_id / item_id / f"{item_id}.json")

    def items(self, collection_id: str) -> list[Document]:
        """Every item of the collection that is wholly stored, by id."""
        folder = self.root / collection_id
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
        return [item for name in names if (item := self.item(collection_id, name)) is not None]

    def holds(self, spec: CollectionSpec, pending: Pending) -> bool:
        """Whether exactly this item is stored, its files having the sizes that they had."""
        item = self.item(spec.id, pending.item_id)
        if item is None or item["properties"].get("swath:recipe") != pending.recipe:
            return False
        folder = self.root / spec.id / pending.item_id
        return all(_size(folder / asset["href"]) == asset["file:size"] for asset in item["assets"].values())

    def store_item(self, spec: CollectionSpec, pending: Pending) -> Document:
        """Write an item's files, then its document; an older item of that id is replaced.

        Raises
        ------
        BadMetadata
            The document would not be valid STAC; the item is not listed then.
        """
        scene = pending.read()
        folder = self.root / spec.id / pending.item_id
        sweep(folder)
        stored: dict[str, Stored] = {}
        if scene is not None:
            bands = {band.name: band for band in spec.bands}
            tags = {"SWATH_COLLECTION": spec.id, "SWATH_ITEM": pending.item_id}
            if spec.simulated:
                tags["SWATH_SIMULATED"] = "yes"
            for name, pixels in scene.pixels.items():
                stored[name] = write_cog(folder / f"{name}.tif", pixels, band=bands[name], grid=scene.grid, tags=tags)
        for extra in pending.extras:
            stored[extra.name] = write_file(folder / extra.name, extra.content)
        document = item_document(spec, pending, grid=scene.grid if scene else None, stored=stored)
        validate(document)
        self._write(folder / f"{pending.item_id}.json", document)
        return document

    def publish(self, spec: CollectionSpec | None = None) -> str:
        """Write collection documents and the root so that they list what is stored; gives the root's new digest.

        Parameters
        ----------
        spec
            A collection that is new or may have changed; the others keep what their documents say.
        """
        known = {document["id"]: document for document in self.collections()}
        if spec is not None:
            known[spec.id] = collection_document(spec, items=())
        listed, parts = [], []
        for collection_id in sorted(known):
            items = self.items(collection_id)
            document = relinked(known[collection_id], items=items)
            validate(document)
            self._write(self.root / collection_id / "collection.json", document)
            listed.append(document)
            parts += [_digest(document), *(_digest(item) for item in items)]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        root = catalogue_document(listed, digest=digest)
        validate(root)
        self._write(self.root / "catalog.json", root)
        return digest

    def digest(self) -> str | None:
        """The root's digest as last published; ``None`` where there is no catalogue."""
        root = self._read(self.root / "catalog.json")
        return None if root is None else str(root.get("swath:digest"))

    def _read(self, path: Path) -> Document | None:
        try:
            document: Document = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            return None
        except ValueError as error:
            raise _broken(f"{path.relative_to(self.root)} is not JSON") from error
        if not isinstance(document, dict):
            raise _broken(f"{path.relative_to(self.root)} is not a JSON object")
        return document

    def _write(self, path: Path, document: Document) -> None:
        content = json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"
        if path.is_file() and path.read_bytes() == content:
            # An unchanged file keeps its time: the index and readers' caches see nothing new.
            return
        write_file(path, content)


def _broken(message: str) -> ArchiveBroken:
    return ArchiveBroken(
        code="archive-broken", message=message, mend="run `swath archive init` again, or restore what was there"
    )


def _links(root: Document) -> list[dict[str, str]]:
    links = root.get("links")
    if not isinstance(links, list) or not all(
        isinstance(link, dict) and isinstance(link.get("rel"), str) and isinstance(link.get("href"), str)
        for link in links
    ):
        raise _broken("catalog.json is not a STAC catalogue: its links are missing or malformed")
    return links


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _digest(document: Document) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
