"""The door: two files, and what their comparison found."""

from __future__ import annotations

import importlib
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from swath.client.errors import MissingPackage
from swath.compare.kinds import kind_of, media_type_of
from swath.compare.limits import CannotCompare
from swath.compare.wording import clean
from swath.contract.comparison import EXACT, Comparison, Tolerance, Verdict
from swath.contract.media import Kind, told_as

_BLOCK_BYTES = 1 << 20
_COMPARERS = {
    Kind.RASTER: "raster",
    Kind.TABLE: "table",
    Kind.VECTOR: "vector",
    Kind.JSON: "documents",
    Kind.TEXT: "text",
    Kind.PICTURE: "picture",
    Kind.NOTEBOOK: "notebook",
    Kind.ARCHIVE: "archives",
    Kind.BYTES: "octets",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Two files of one kind, as a comparer takes them."""

    expected: Path
    found: Path
    tolerance: Tolerance
    pictures: Path | None = None
    """Folder for a PNG of the difference; ``None``: none is drawn."""
    name: str = "difference"
    """Of that PNG, without its suffix."""


def compare_files(
    expected: Path,
    found: Path,
    *,
    media_type: str = "",
    tolerance: Tolerance = EXACT,
    pictures: Path | None = None,
    name: str = "difference",
) -> Comparison:
    """Compare `found` with the reference `expected`.

    Parameters
    ----------
    media_type
        Of `found`, as its run recorded it; empty: what its suffix speaks of.
    tolerance
        How far they may be apart.
    pictures
        Folder in which a PNG of the difference is written, where there is one and it can be drawn; made if need be.
    name
        Of that PNG, without its suffix.

    Returns
    -------
    Comparison
        A file that is missing, corrupt, too large or of another kind is answered with `Verdict.INCOMPARABLE`.

    Raises
    ------
    MissingPackage
        A library that reads this kind is not installed here.
    """
    try:
        for path, which in ((expected, "the expected file"), (found, "the found file")):
            _check(path, which)
        kind = kind_of(media_type or media_type_of(found), found)
        if _same_bytes(expected, found):
            return Comparison(verdict=Verdict.IDENTICAL, kind=told_as(kind), message="the same bytes")
    except (CannotCompare, OSError) as error:
        return incomparable("bytes", _reason(error))
    return _compare(kind, Job(expected=expected, found=found, tolerance=tolerance, pictures=pictures, name=name))


def incomparable(kind: str, reason: str) -> Comparison:
    """The answer where nothing can be said."""
    return Comparison(verdict=Verdict.INCOMPARABLE, kind=kind, message=clean(reason, longest=500))


def comparer_of(kind: Kind) -> Callable[[Job], Comparison]:
    """The function that compares two files of `kind`; its libraries are imported with it.

    Raises
    ------
    MissingPackage
    """
    try:
        compare: Callable[[Job], Comparison] = importlib.import_module(f"swath.compare.{_COMPARERS[kind]}").compare
    except ModuleNotFoundError as error:
        raise MissingPackage(
            f"comparing a {kind.value} needs the package {error.name}",
            code="missing-package",
            mend="pip install 'swath[kernel]'",
        ) from error
    return compare


def _compare(kind: Kind, job: Job) -> Comparison:
    compare = comparer_of(kind)
    try:
        return compare(job)
    except MissingPackage:
        raise
    except (MemoryError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else "larger than the memory here"
        return incomparable(told_as(kind), f"a file is {what}")
    except Exception as error:
        # Readers of strangers' files fail with errors of many types; whichever it is, nothing is known of the content.
        return incomparable(told_as(kind), _reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, CannotCompare):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"a file cannot be read: {error.strerror}"
    if isinstance(error.__cause__, Exception):
        # Libraries that say "see the previous exception".
        error = error.__cause__
    first = (str(error).strip().splitlines() or [""])[0]
    if first and type(error).__module__.startswith("rasterio"):
        # GDAL's own words; the names of its errors say nothing.
        return f"a file cannot be read: {first}"
    return f"a file cannot be read: {type(error).__name__}: {first}" if first else f"a file cannot be read: {error!r}"


def _check(path: Path, which: str) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise CannotCompare(f"{which} is missing") from None
    if not stat.S_ISREG(found.st_mode):
        raise CannotCompare(f"{which} is no plain file")


def _same_bytes(expected: Path, found: Path) -> bool:
    if expected.stat().st_size != found.stat().st_size:
        return False
    with expected.open("rb") as first, found.open("rb") as second:
        while block := first.read(_BLOCK_BYTES):
            if block != second.read(_BLOCK_BYTES):
                return False
    return True
