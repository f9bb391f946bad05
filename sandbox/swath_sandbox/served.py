"""Reading what a warden recorded of the files that its command opened; `watch` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

#: As in `watch`, which is not imported for it.
_NAME = "served.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedFile:
    """A file as it was when it was opened."""

    path: str
    """Below the watched folder."""
    device: int
    inode: int
    bytes: int
    modified_ns: int
    changed_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """What was opened of a watched folder."""

    files: tuple[ServedFile, ...]
    """In the order of their first opening; a file that became another while it was read stands there twice."""
    watched: bool
    complete: bool
    """Whether nothing can be missing."""
    truncated: bool = False
    """Whether there were more files than are recorded."""
    why: str = ""
    """Why it was not watched, or is not complete."""


def read_served(folder: Path) -> Served:
    """The record in a warden's folder; one that is not there says that nothing was watched."""
    files, watched, ended, lost, truncated, why = [], False, False, False, False, ""
    for line in _lines(folder / _NAME):
        watched = watched or "watching" in line
        ended = ended or "ended" in line
        lost = lost or "lost" in line
        truncated = truncated or "truncated" in line
        why = str(line.get("unwatched") or line.get("why") or why)
        if "path" in line:
            file = _file(line)
            if file is None:
                lost = True
            else:
                files.append(file)
    complete = watched and ended and not lost and not truncated
    if watched and not complete and not why:
        why = "there were too many files" if truncated else "the watcher was ended before the command"
    return Served(
        files=tuple(files),
        watched=watched,
        complete=complete,
        truncated=truncated,
        why=why or ("" if watched else "nothing was watched"),
    )


def _lines(path: Path) -> list[Mapping[str, Any]]:
    try:
        content = path.read_bytes()
    except OSError:
        return []
    found: list[Mapping[str, Any]] = []
    for text in content.splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            # Cut off with its writer.
            line = {"lost": True}
        found.append(line if isinstance(line, dict) else {"lost": True})
    return found


def _file(line: Mapping[str, Any]) -> ServedFile | None:
    try:
        path = str(line["path"])
        numbers = {name: int(line[name]) for name in ("device", "inode", "bytes", "modified_ns", "changed_ns")}
    except (KeyError, TypeError, ValueError):
        return None
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        return None
    return ServedFile(path=path, **numbers)
