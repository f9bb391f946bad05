"""What the kernel writes for the runner to read while it runs: progress and outputs, a line each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

_LINE_BYTES = 65_536
_POLL_SECONDS = 0.1


class Tail:
    """Follows a JSON-lines file that may not be there yet.

    The file's author is the notebook: what is no line of JSON holding an object, or is too long, is skipped.

    Parameters
    ----------
    path
        The file to follow.
    on_line
        Called with each object.
    """

    def __init__(self, path: Path, *, on_line: Callable[[Mapping[str, Any]], None]) -> None:
        self._path = path
        self._on_line = on_line
        self._file: BinaryIO | None = None
        self._rest = b""

    def drain(self) -> None:
        """Read what has come since the last time."""
        if self._file is None:
            if not self._path.is_file() or self._path.is_symlink():
                return
            self._file = self._path.open("rb")
        *lines, self._rest = (self._rest + self._file.read(1 << 20)).split(b"\n")
        if len(self._rest) > _LINE_BYTES:
            self._rest = b""
        for line in lines:
            value = _parse(line)
            if value is not None:
                self._on_line(value)

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None


async def follow(*tails: Tail) -> None:
    """Drain `tails` again and again until cancelled."""
    while True:
        for tail in tails:
            tail.drain()
        await asyncio.sleep(_POLL_SECONDS)


def _parse(line: bytes) -> Mapping[str, Any] | None:
    if not line.strip() or len(line) > _LINE_BYTES:
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
