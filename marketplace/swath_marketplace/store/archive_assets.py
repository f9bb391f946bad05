"""Which asset of the archive's static catalogue a file is.

An item's document stands beside its files, most often under the name of their folder: so a file's own folder is looked
at and nothing else, whatever the size of the archive.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swath_marketplace.domain.inputs import Asset

_DOCUMENT_BYTES = 8 << 20
_MOST_DOCUMENTS = 200
_KINDS = frozenset({"Catalog", "Collection", "Feature"})


class ArchiveAssets:
    """The catalogue under `root`, as it is now; folders that were looked at are remembered by this object.

    Parameters
    ----------
    root
        The archive's folder on this machine.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, Mapping[str, Asset]] = {}

    def of(self, path: str) -> Asset | None:
        """The asset that the file at `path` (below the root) is; ``None`` for a file of no item."""
        folder = posixpath.dirname(path)
        if folder not in self._folders:
            self._folders[folder] = self._look(folder)
        return self._folders[folder].get(path)

    def is_document(self, path: str) -> bool:
        """Whether the file is a document of the catalogue itself: what says where data are, and not data."""
        return path.endswith(".json") and self.of(path) is None and self._read(path) is not None

    def _look(self, folder: str) -> Mapping[str, Asset]:
        place = self._root / folder
        usual = place / f"{place.name}.json"
        try:
            documents = [usual] if usual.is_file() else sorted(place.glob("*.json"))[:_MOST_DOCUMENTS]
        except OSError:
            return {}
        found: dict[str, Asset] = {}
        for document in documents:
            item = self._read(posixpath.join(folder, document.name))
            if item is None or item.get("type") != "Feature" or not isinstance(item.get("assets"), dict):
                continue
            for name, asset in item["assets"].items():
                href = asset.get("href") if isinstance(asset, dict) else None
                if not isinstance(href, str) or "://" in href:
                    continue
                path = posixpath.normpath(posixpath.join(folder, href))
                where = Asset(collection=str(item.get("collection", "")), item=str(item.get("id", "")), asset=str(name))
                found.setdefault(path, where)
        return found

    def _read(self, path: str) -> Mapping[str, Any] | None:
        try:
            with (self._root / path).open("rb") as stream:
                document = json.loads(stream.read(_DOCUMENT_BYTES))
        except (OSError, ValueError, RecursionError):
            return None
        known = isinstance(document, dict) and "stac_version" in document and document.get("type") in _KINDS
        return document if known else None
