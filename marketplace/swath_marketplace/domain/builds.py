"""Builds of environments that stand on disk, and which of them nobody needs any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """One build of an environment, for one lock."""

    name: str
    lock_sha256: str
    folder: Path
    built_at: float
    """Seconds of the wall clock."""
    current: bool
    """Whether new versions stand on it."""


def removable(
    builds: Sequence[Build], *, needed: Collection[tuple[str, str]], used: Collection[Path], keep: int
) -> Sequence[Build]:
    """The builds that can go, oldest first.

    Parameters
    ----------
    needed
        Name and lock of each build that a version which can be called, or a run that is not over, stands on.
    used
        Folders that a process has before it.
    keep
        So many of each environment stay beside those, the newest: for runs that may be asked for again.
    """
    left: list[Build] = []
    for name in sorted({build.name for build in builds}):
        free = [
            build
            for build in builds
            if build.name == name
            and not build.current
            and (build.name, build.lock_sha256) not in needed
            and build.folder not in used
        ]
        free.sort(key=lambda build: build.built_at)
        left += free[: max(0, len(free) - keep)]
    return left
