"""Small files of a person's own: read by nobody else, and never there by half."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_private_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` to `path`, for its owner alone; its folder is made when it is not there.

    Raises
    ------
    OSError
        What stood there before stands there still.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes it 0600 from the start; the rename leaves no moment with half a file.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
