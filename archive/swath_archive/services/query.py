"""Asking the archive: every question names who asks, and each needs the scope to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from swath_service.actor import Actor, Scope
from swath_service.errors import NotFound

from swath_archive.domain.search import Place, Search
from swath_archive.store.documents import Document
from swath_archive.store.index import Index


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of the items that fit a search."""

    items: list[Document]
    following: Place | None
    """Where the next page starts; ``None`` on the last."""
    matched: int | None
    """How many fit in all, where that is cheap to know."""


@dataclass(frozen=True, kw_only=True)
class AssetFile:
    """A file of the archive, to be sent."""

    path: Path
    media_type: str
    sha256: str | None


class Archive:
    """The archive as its API shows it; read-only.

    Parameters
    ----------
    index
        What is searched.
    root
        Folder of the catalogue, where assets lie.
    """

    def __init__(self, *, index: Index, root: Path) -> None:
        self._index = index
        self._root = root.resolve()

    def answers(self) -> bool:
        """Whether the index can be asked; anybody may know that."""
        return self._index.answers()

    def collections(self, actor: Actor) -> list[Document]:
        """Every collection, by id."""
        actor.require(Scope.READ)
        return self._index.collections()

    def collection(self, actor: Actor, collection_id: str) -> Document:
        """One collection.

        Raises
        ------
        NotFound
        """
        actor.require(Scope.READ)
        document = self._index.collection(collection_id)
        if document is None:
            raise _missing("collection", collection_id)
        return document

    def item(self, actor: Actor, collection_id: str, item_id: str) -> Document:
        """One item.

        Raises
        ------
        NotFound
        """
        self.collection(actor, collection_id)
        document = self._index.item(collection_id, item_id)
        if document is None:
            raise _missing("item", item_id)
        return document

    def search(self, actor: Actor, search: Search) -> Page:
        """A page of the items that fit, newest first."""
        actor.require(Scope.READ)
        items, following = self._index.search(search)
        return Page(items=items, following=following, matched=self._index.count(search))

    def asset(self, actor: Actor, collection_id: str, item_id: str, *, name: str) -> AssetFile:
        """The file `name` of an item. Only what the item's document lists can be had, whatever lies beside it.

        Raises
        ------
        NotFound
        """
        item = self.item(actor, collection_id, item_id)
        asset = next((one for one in item["assets"].values() if one["href"] == f"./{name}"), None)
        path = (self._root / collection_id / item_id / name).resolve()
        if asset is None or not path.is_relative_to(self._root) or not path.is_file():
            raise _missing("asset", name)
        checksum = str(asset.get("file:checksum", ""))
        return AssetFile(
            path=path,
            media_type=asset.get("type", "application/octet-stream"),
            sha256=checksum[4:] if checksum.startswith("1220") else None,
        )


def _missing(kind: str, name: str) -> NotFound:
    return NotFound(
        code=f"no-such-{kind}", message=f"there is no {kind} {name[:120]!r}", mend="GET collections lists all"
    )
