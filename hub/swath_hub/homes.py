"""Users' homes and the samples in them."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from swath_hub.errors import OperatorError

_SAMPLE_FOLDERS = ("algorithms", "notebooks")
_CAP_BYTES = 200 * 2**20


def prepare(home: Path, *, uid: int | None) -> None:
    """Make `home`, owned by `uid` when we may say so, with the mount points of the sandbox; idempotent.

    The user can put anything there, also links to places that are not his: nothing below `home` is followed.

    Raises
    ------
    OperatorError
        `home` is a link or no folder.
    """
    try:
        home.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise OperatorError(
            code="home-unusable",
            message=f"the home {home.name!r} can't be used: {error.strerror}",
            mend=f"look at {home}: it has to be a folder of the user's own",
        ) from error
    try:
        os.fchmod(descriptor, 0o700)
        if uid is not None:
            os.fchown(descriptor, uid, uid)
        _mount_point(descriptor, "samples", uid=uid)
    finally:
        os.close(descriptor)


def _mount_point(home: int, name: str, *, uid: int | None) -> None:
    """Make sure that `name` in `home` is a real folder; what a user put in its place is moved aside."""
    try:
        found = os.stat(name, dir_fd=home, follow_symlinks=False)
    except FileNotFoundError:
        pass
    else:
        if stat.S_ISDIR(found.st_mode):
            return
        os.rename(name, f"{name}.{os.urandom(4).hex()}", src_dir_fd=home, dst_dir_fd=home)
    os.mkdir(name, mode=0o755, dir_fd=home)
    if uid is not None:
        os.chown(name, uid, uid, dir_fd=home, follow_symlinks=False)


def sample_sources() -> list[Path]:
    """Folders of shipped notebooks: beside the sources in a checkout, or where ``SWATH_SAMPLES`` says."""
    named = os.environ.get("SWATH_SAMPLES")
    base = Path(named) if named else Path(__file__).resolve().parents[2]
    return [base / name for name in _SAMPLE_FOLDERS if (base / name).is_dir()]


def build_samples(target: Path, sources: list[Path]) -> None:
    """Copy the shipped notebooks to `target`, whole or not at all; what was there is replaced."""
    beside = target.with_name(target.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.pyc", ".*")
    for source in sources:
        size = sum(file.stat().st_size for file in source.rglob("*") if file.is_file())
        if size <= _CAP_BYTES:
            shutil.copytree(source, beside / source.name, ignore=ignore)
    for path in (beside, *beside.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        # A server that runs has the old folder mounted and keeps seeing it.
        target.rename(old)
    beside.rename(target)
    shutil.rmtree(old, ignore_errors=True)
