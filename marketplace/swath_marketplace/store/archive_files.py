"""Whether what a run read is still in the archive next door, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from swath_marketplace.domain.origins import OriginInput

#: What reads a file's sha256; raises `OSError`.
Hashes = Callable[[Path], str]


class FileState(StrEnum):
    """What became of a file."""

    SAME = "same"
    REPLACED = "replaced"
    GONE = "gone"
    UNKNOWN = "unknown"
    """It is not known where it was, or what was in it, or the archive is not on this machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveFiles:
    """The archive's folder, read only.

    Parameters
    ----------
    root
        ``None``: the archive is elsewhere, and nothing is known of it here.
    """

    root: Path | None
    hashes: Hashes

    def state(self, read: OriginInput) -> FileState:
        """What became of a file that a run read.

        Raises
        ------
        OSError
            It is there and cannot be read: nothing is known, and it is to be asked again.
        """
        if self.root is None or not self.root.is_dir() or not read.path:
            return FileState.UNKNOWN
        path = PurePosixPath(read.path)
        if path.is_absolute() or ".." in path.parts or "\0" in read.path:
            return FileState.UNKNOWN
        if read.sha256 is None:
            # Nobody saw it: a notebook may claim a file that never was.
            return FileState.UNKNOWN
        file = self.root / path
        if not file.is_file():
            return FileState.GONE
        return FileState.SAME if self.hashes(file) == read.sha256 else FileState.REPLACED
