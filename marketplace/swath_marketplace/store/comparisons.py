"""Comparisons that were made, kept by what went into them: results never change, so neither does what was found."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path

from swath.contract.comparison import Comparison, Verdict
from swath.contract.fields import ContractError

_KEY = re.compile(r"[0-9a-f]{64}")
_FOUND = "comparison.json"
_PICTURE = "difference.png"
_SIDES = "sides.png"


class ComparisonCache:
    """A folder for each comparison; losing them costs the time to compare again, and nothing else.

    Parameters
    ----------
    root
        Folder of our own.
    most
        So many are kept; those that were longest not asked for go first.
    incomparable_seconds
        For so long "nothing can be said" is believed: it may have been want of time or memory.
    """

    def __init__(self, root: Path, *, most: int = 2_000, incomparable_seconds: float = 3600) -> None:
        self._root = root
        self._most = most
        self._incomparable_seconds = incomparable_seconds

    def get(self, key: str) -> Comparison | None:
        """What was found under `key`."""
        path = self._folder(key) / _FOUND
        try:
            found = Comparison.from_dict(json.loads(path.read_bytes()))
            made_at = path.stat().st_mtime
            os.utime(path.parent)
        except (OSError, ValueError, ContractError):
            return None
        stale = time.time() - made_at > self._incomparable_seconds
        return None if found.verdict is Verdict.INCOMPARABLE and stale else found

    def put(self, key: str, found: Comparison, *, picture: Path | None = None, sides: Path | None = None) -> None:
        """Keep `found`, and copies of its pictures. Idempotent."""
        folder = self._folder(key)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if picture is not None:
            _place(folder / _PICTURE, picture.read_bytes())
        if sides is not None:
            _place(folder / _SIDES, sides.read_bytes())
        _place(folder / _FOUND, json.dumps(found.as_dict()).encode())
        self._prune()

    def picture(self, key: str) -> Path | None:
        """Where the picture of a comparison is; ``None`` when it has none."""
        path = self._folder(key) / _PICTURE
        return path if path.is_file() else None

    def sides(self, key: str) -> Path | None:
        """Where the picture with both sides is; ``None`` when there is none."""
        path = self._folder(key) / _SIDES
        return path if path.is_file() else None

    def _folder(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError("a comparison's key is a sha256 in hexadecimal")
        return self._root / key

    def _prune(self) -> None:
        folders = [folder for folder in self._root.iterdir() if _KEY.fullmatch(folder.name)]
        if len(folders) <= self._most:
            return
        folders.sort(key=lambda folder: folder.stat().st_mtime)
        for folder in folders[: len(folders) - self._most]:
            shutil.rmtree(folder, ignore_errors=True)


def _place(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)
