"""Tables: CSV and Parquet, also one against the other. Rows are compared in their order."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy
import pandas

from swath.compare.columns import compare_column
from swath.compare.files import Job
from swath.compare.frames import read
from swath.compare.tally import Tally
from swath.compare.wording import count
from swath.contract.comparison import Comparison, Tolerance

#: Rows that are there on one side alone, and are told one by one.
_MAX_ROWS_TOLD = 10


def compare(job: Job) -> Comparison:
    """Compare two tables; a Parquet file with geometries is compared as a vector.

    A missing row or column is out of any tolerance; so is another order of the rows. The order of columns does not
    count, nor does the type that a column is kept in, as long as numbers stay numbers.
    """
    if _has_geometry(job.found) or _has_geometry(job.expected):
        from swath.compare import vector

        return vector.compare(job)
    expected, found = read(job.expected, "the expected file"), read(job.found, "the found file")
    tally = Tally("table", compared="cells", units="rows")
    wrong = compare_frames(tally, expected, found, job.tolerance)
    if wrong is not None:
        tally.units, tally.units_differing = len(wrong), int(wrong.sum())
    return tally.comparison(job.tolerance, where=rows_sentence(wrong) if wrong is not None else "")


def _has_geometry(path: Path) -> bool:
    from swath.compare.frames import is_geoparquet

    return is_geoparquet(path)


def compare_frames(
    tally: Tally, expected: Any, found: Any, tolerance: Tolerance, *, where: str = "row {row}, column {column}"
) -> Any:
    """Add what differs between two frames.

    Parameters
    ----------
    where
        How a cell is named; has ``{row}`` (0-based) and ``{column}``.

    Returns
    -------
    numpy.ndarray or None
        For each row whether something in it is too far apart; ``None`` when the rows cannot be laid side by side.
    """
    expected, found = (_without(frame, tolerance.ignore) for frame in (expected, found))
    for name in _only(expected, found):
        tally.reshape(f"column {name}", "there", None)
    for name in _only(found, expected):
        tally.reshape(f"column {name}", None, "there")
    shared = [name for name in expected.columns if name in found.columns]
    if [name for name in found.columns if name in expected.columns] != shared:
        tally.note("the columns come in another order", exact=True)
    if len(expected) != len(found):
        tally.reshape("rows", f"{len(expected):,}", f"{len(found):,}")
        tell_rows(tally, *(row_hashes(frame, shared) for frame in (expected, found)), what="row")
        return None
    wrong = numpy.zeros(len(expected), dtype=bool)
    typed = all(frame.attrs.get("typed", True) for frame in (expected, found))
    for name in shared:
        wrong |= compare_column(tally, expected[name], found[name], tolerance, name=str(name), where=where, typed=typed)
    if wrong.any() and _reordered(expected, found, shared):
        tally.reshaped, tally.shape = True, "the same rows in another order"
    return wrong


def rows_sentence(wrong: Any, what: str = "row") -> str:
    """Which rows differ, for the message."""
    rows = numpy.flatnonzero(wrong)
    if not rows.size:
        return ""
    named = ", ".join(str(row) for row in rows[:10])
    more = f" and {rows.size - 10:,} more" if rows.size > 10 else ""
    return f"they lie in {what if rows.size == 1 else what + 's'} {named}{more}"


def _without(frame: Any, ignore: Iterable[str]) -> Any:
    return frame.drop(columns=[name for name in frame.columns if str(name) in set(ignore)])


def _only(one: Any, other: Any) -> list[str]:
    return [str(name) for name in one.columns if name not in other.columns]


def row_hashes(frame: Any, columns: list[Any]) -> Any:
    """A number for each row, by its content; rows of the same content have the same."""
    hashes = numpy.zeros(len(frame), dtype="uint64")
    for name in columns:
        column = frame[name]
        if column.dtype.kind in "biuf" or pandas.api.types.is_numeric_dtype(column.dtype):
            column = column.astype("float64")
        elif column.dtype.kind == "O":
            column = column.map(repr)
        hashes = hashes * numpy.uint64(1_000_003) + pandas.util.hash_array(column.to_numpy())
    return hashes


def tell_rows(tally: Tally, expected: Any, found: Any, *, what: str) -> None:
    """Name rows whose content is on one side alone, given the hashes of all."""
    told = 0
    for mine, other, side in ((expected, found, 0), (found, expected, 1)):
        left = pandas.Series(other).value_counts().to_dict()
        for row, content in enumerate(mine.tolist()):
            if left.get(content, 0) > 0:
                left[content] -= 1
            elif told < _MAX_ROWS_TOLD:
                told += 1
                tally.add(f"{what} {row}", *(("there", None) if side == 0 else (None, "there")))
            else:
                break
    tally.note(f"{count(len(found), what)} instead of {len(expected):,}")


def _reordered(expected: Any, found: Any, columns: list[Any]) -> bool:
    mine, other = row_hashes(expected, columns), row_hashes(found, columns)
    mine.sort()
    other.sort()
    return bool((mine == other).all())
