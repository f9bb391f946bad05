"""Where builds of an environment stand: a folder for each lock, and a link with the environment's name to one.

Standard library alone, as `build`.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path


class Occupied(Exception):
    """Something that is no environment stands where one is to be; the message says where."""


def place_of(current: Path, lock_sha256: str) -> Path:
    """The folder for the build of a lock.

    A folder that bears the environment's plain name, as they all did once, goes on being used for its own lock.
    """
    if current.is_dir() and not current.is_symlink() and _lock_of(current) == lock_sha256:
        return current
    return _beside(current, lock_sha256)


def point(current: Path, place: Path) -> bool:
    """Let `current` be the environment in `place`; whether it was another before.

    A plain folder in its place is kept beside it under the name of its lock. What runs in it is not disturbed: a
    sandbox holds on to the folder, not to its name.
    """
    if current == place or (current.is_symlink() and os.readlink(current) == place.name):
        return False
    if current.is_dir() and not current.is_symlink():
        _set_aside(current)
    fresh = current.with_name(f".{current.name}.link")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(place.name)
    fresh.replace(current)
    return True


def _beside(current: Path, lock_sha256: str) -> Path:
    return current.with_name(f"{current.name}@{lock_sha256[:12]}")


def _lock_of(folder: Path) -> str | None:
    try:
        described = json.loads((folder / "environment.json").read_text())
    except (OSError, ValueError):
        return None
    lock = described.get("lock_sha256") if isinstance(described, dict) else None
    return lock if isinstance(lock, str) and len(lock) == 64 else None


def _set_aside(current: Path) -> None:
    lock = _lock_of(current)
    if lock is None:
        if not (current / "pyvenv.cfg").is_file():
            raise Occupied(f"{current} is no environment that this program knows; move it away.")
        # Half built: nobody uses it.
        shutil.rmtree(current)
        return
    place = _beside(current, lock)
    if place.exists():
        shutil.rmtree(current)
        return
    current.rename(place)
    _say_where(place, before=current)


def _say_where(place: Path, *, before: Path) -> None:
    """Mend the files that name the folder: an environment finds its packages wherever it stands, scripts do not."""
    specs = place.glob("share/jupyter/kernels/*/kernel.json")
    named = [place / "environment.json", place / ".swath-stamp.json", *specs, *(place / "bin").iterdir()]
    for path in named:
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        mended = content
        for end in ("/", '"'):
            mended = mended.replace(f"{before}{end}".encode(), f"{place}{end}".encode())
        if mended == content or b"\0" in content:
            continue
        # Anew, not in place: the installer links files from its cache.
        fresh = path.with_name(f".{path.name}.partial")
        fresh.write_bytes(mended)
        shutil.copymode(path, fresh)
        fresh.replace(path)
