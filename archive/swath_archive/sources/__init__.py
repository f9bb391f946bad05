"""Where the archive's first data come from: files of a folder, and one package of the registry."""

from __future__ import annotations

from dataclasses import dataclass

from swath_archive.domain.collections import CollectionSpec
from swath_archive.domain.scenes import Pending


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A collection and the items that one source has for it."""

    spec: CollectionSpec
    items: tuple[Pending, ...]
    extra: bool = False
    """Whether the archive is good without it, so that its failing is told and is no failure of the whole."""
