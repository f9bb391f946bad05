"""The folder in which the gateway leaves a cluster's notices; its scheduler sees it read-only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from swath_hub.dask import scheduler_notices
from swath_hub.dask.accounts import Notice
from swath_hub.state import write_whole

#: Where the scheduler sees it.
TOLD = "/run/swath"


def prepare(folder: Path) -> None:
    """Make `folder` with what the scheduler runs to show notices; ours, as users could lay links in one of theirs."""
    folder.mkdir(exist_ok=True, mode=0o755)
    folder.chmod(0o755)
    shutil.copyfile(scheduler_notices.__file__, folder / "notices.py")
    (folder / "notices.py").chmod(0o644)


def write(folder: Path, notices: Sequence[Notice]) -> None:
    """Replace what is told; a no-op for a cluster that has no such folder (it started before there was one)."""
    if folder.is_dir():
        lines = (json.dumps({"text": notice.text, "at": notice.at}) + "\n" for notice in notices)
        write_whole(folder / scheduler_notices.LINES.name, "".join(lines), mode=0o644)


def preload() -> list[str]:
    """Arguments of ``dask scheduler``."""
    return ["--preload", f"{TOLD}/notices.py"]
