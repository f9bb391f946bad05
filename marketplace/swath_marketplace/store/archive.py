"""What the archive next door has, read from its static STAC catalogue."""

from __future__ import annotations

import json
import logging
from pathlib import Path

log = logging.getLogger(__name__)
_LARGEST = 16 << 20


class ArchiveUnreadable(Exception):
    """The catalogue is there and cannot be read; it may be in the middle of a change."""


class ArchiveShelf:
    """The collections of an archive folder.

    Parameters
    ----------
    root
        Folder with ``catalog.json``; where it is missing there is no archive, and so no collection.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def collections(self) -> frozenset[str]:
        """Ids of every collection, as the folders of the catalogue's children are called.

        Raises
        ------
        ArchiveUnreadable
        """
        path = self._root / "catalog.json"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise ArchiveUnreadable(str(error)) from error
        try:
            links = json.loads(content[:_LARGEST])["links"]
            return frozenset(Path(link["href"]).parent.name for link in links if link["rel"] == "child")
        except (ValueError, TypeError, KeyError) as error:
            raise ArchiveUnreadable(f"catalog.json cannot be read: {error}") from error
