"""The files of exports and imports: readable by this service alone, gone when nobody needs them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection
from pathlib import Path

#: An upload that nobody goes on with.
_STALE_SECONDS = 24 * 3600


class AccountFiles:
    """One file for each export and import, named by its id.

    Parameters
    ----------
    root
        ``DATA/marketplace/account``; made when it is not there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def of(self, work_id: str) -> Path:
        """Where the archive of an export or import is, made or not."""
        if not work_id.isalnum():
            raise ValueError("an id is letters and digits")
        return self._root / f"{work_id}.zip"

    def partial(self, work_id: str) -> Path:
        """Where it is while it is being written."""
        return self.of(work_id).with_suffix(".partial")

    def free_bytes(self) -> int:
        """How much more there is room for; a tenth of the disk stays free."""
        usage = shutil.disk_usage(self._root)
        return max(0, usage.free - usage.total // 10)

    def remove(self, work_id: str) -> None:
        """Remove whatever is there of it."""
        self.of(work_id).unlink(missing_ok=True)
        self.partial(work_id).unlink(missing_ok=True)

    def sweep(self, kept: Collection[str]) -> None:
        """Remove files of what is not among `kept`; one that changed within a day may be an upload under way."""
        for path in self._root.iterdir():
            stale = path.stat().st_mtime < time.time() - _STALE_SECONDS
            if path.stem not in kept and stale:
                path.unlink(missing_ok=True)
