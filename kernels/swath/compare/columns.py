"""One column of two tables, of whatever type each keeps it in."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy
import pandas

from swath.compare.documents import compare_values
from swath.compare.jsonpaths import Ignored
from swath.compare.numeric import apart
from swath.compare.tally import Tally
from swath.contract.comparison import MAX_DIFFERENCES, Tolerance

_NOTHING_IGNORED = Ignored(())
#: Of the values in a column of objects. Parquet's dates and decimals come as such.
_KINDS = {str: "text", datetime.date: "moment", datetime.datetime: "moment", decimal.Decimal: "number"}


def compare_column(
    tally: Tally, expected: Any, found: Any, tolerance: Tolerance, *, name: str, where: str, typed: bool
) -> Any:
    """Add what differs between two columns of one length, and return in which rows.

    Parameters
    ----------
    typed
        Whether both files say of which type a column is, so that another one is worth a word.
    """
    kinds = _kind(expected), _kind(found)
    missing = expected.isna().to_numpy(dtype=bool), found.isna().to_numpy(dtype=bool)
    there = ~missing[0] & ~missing[1]
    lost = missing[0] ^ missing[1]
    tally.compared += len(expected)
    if "empty" in kinds:
        distance, unequal = numpy.full(len(expected), numpy.nan), numpy.zeros(len(expected), dtype=bool)
        beyond = unequal
    elif kinds == ("number", "number"):
        if typed:
            _note_type(tally, expected, found, name)
        distance, unequal, beyond = _numbers(expected, found, there, tolerance)
    elif set(kinds) == {"text", "moment"} or kinds == ("moment", "moment"):
        distance, unequal, beyond = _moments(expected, found, there, kinds)
    elif kinds[0] != kinds[1]:
        tally.reshape(f"column {name}", f"of {kinds[0]}", f"of {kinds[1]}")
        tally.differing += len(expected)
        return numpy.ones(len(expected), dtype=bool)
    elif kinds[0] == "object":
        distance, unequal, beyond = _objects(expected, found, there, tolerance)
    else:
        distance, unequal, beyond = _texts(expected, found, there)
    distance = numpy.where(there, distance, numpy.nan)
    if kinds[0] in ("number", "object") and (measured := distance[unequal & numpy.isfinite(distance)]).size:
        tally.saw(float(measured.max()))
    tally.exact = tally.exact and not (unequal | lost).any()
    _tell(tally, expected, found, name=name, where=where, distance=distance, beyond=beyond | lost)
    return beyond | lost


def _kind(column: Any) -> str:
    types = pandas.api.types
    if len(column) and column.isna().all():
        return "empty"
    if types.is_bool_dtype(column.dtype):
        return "truth"
    if types.is_numeric_dtype(column.dtype):
        return "number"
    if types.is_datetime64_any_dtype(column.dtype):
        return "moment"
    if types.is_timedelta64_dtype(column.dtype):
        return "duration"
    if isinstance(column.dtype, pandas.CategoricalDtype):
        return _kind(column.astype(column.cat.categories.dtype))
    values = column[column.notna()]
    if not len(values):
        return "empty"
    kinds = {_KINDS.get(type(value), "object") for value in values}
    return kinds.pop() if len(kinds) == 1 else "object"


def _note_type(tally: Tally, expected: Any, found: Any, name: str) -> None:
    names = [str(column.dtype).lower() for column in (expected, found)]
    if names[0] != names[1]:
        # An integer column becomes one of floats as soon as a value is missing: how it is kept, not what it says.
        tally.note(f"column {name} is kept as {names[1]} instead of {names[0]}")


def _plain(column: Any, there: Any) -> Any:
    """The numbers as a numpy array; zero where nothing is."""
    if isinstance(column.dtype, pandas.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if column.dtype.kind in "iufc" and isinstance(column.dtype, numpy.dtype):
        values = column.to_numpy()
        return numpy.where(there, values, numpy.zeros((), values.dtype))
    if column.dtype.kind in "iu":
        return column.fillna(0).to_numpy(dtype=column.dtype.numpy_dtype)
    return column.to_numpy(dtype="float64", na_value=0)


def _numbers(expected: Any, found: Any, there: Any, tolerance: Tolerance) -> tuple[Any, Any, Any]:
    two = apart(_plain(expected, there), _plain(found, there), tolerance)
    return two.distance, two.unequal & there, two.beyond & there


def _moments(expected: Any, found: Any, there: Any, kinds: tuple[str, str]) -> tuple[Any, Any, Any]:
    """Moments in any notation and zone; text that is no moment differs from one."""
    sides = []
    for column, kind in zip((expected, found), kinds, strict=True):
        moments = pandas.to_datetime(column, utc=True, errors="coerce", format="ISO8601" if kind == "text" else None)
        sides.append(moments)
    known = sides[0].notna().to_numpy() & sides[1].notna().to_numpy()
    seconds = (sides[1] - sides[0]).dt.total_seconds().abs().to_numpy(dtype="float64", na_value=numpy.nan)
    unequal = there & ~(known & (seconds == 0))
    return numpy.where(known, seconds, numpy.nan), unequal, unequal


def _texts(expected: Any, found: Any, there: Any) -> tuple[Any, Any, Any]:
    mine, other = (column.astype(object).to_numpy() for column in (expected, found))
    unequal = there.copy()
    unequal[there] = mine[there] != other[there]
    nowhere = numpy.full(len(unequal), numpy.nan)
    if not unequal.any():
        return nowhere, unequal, unequal
    # The same moment may be written in two ways: 2026-01-01 and 2026-01-01T00:00:00Z.
    for row in numpy.flatnonzero(unequal):
        unequal[row] = not _one_moment(mine[row], other[row])
    return nowhere, unequal, unequal


def _one_moment(mine: Any, other: Any) -> bool:
    if not (isinstance(mine, str) and isinstance(other, str) and mine[:4].isdigit() and other[:4].isdigit()):
        return False
    try:
        first, second = (pandas.Timestamp(text) for text in (mine, other) if len(text) >= 10)
    except ValueError:
        return False
    first, second = (one.tz_localize("UTC") if one.tzinfo is None else one for one in (first, second))
    return bool(first == second)


def _objects(expected: Any, found: Any, there: Any, tolerance: Tolerance) -> tuple[Any, Any, Any]:
    """Lists, structures, mixtures of types: each cell as if it were JSON."""
    distance = numpy.full(len(there), numpy.nan)
    unequal, beyond = numpy.zeros(len(there), dtype=bool), numpy.zeros(len(there), dtype=bool)
    mine, other = expected.to_numpy(), found.to_numpy()
    for row in numpy.flatnonzero(there):
        inner = Tally("json", compared="values")
        compare_values(inner, _jsonlike(mine[row]), _jsonlike(other[row]), tolerance, ignored=_NOTHING_IGNORED)
        unequal[row], beyond[row] = not inner.exact, inner.differing > 0
        distance[row] = numpy.nan if inner.largest is None else inner.largest
    return distance, unequal, beyond


def _jsonlike(value: Any) -> Any:
    if isinstance(value, numpy.ndarray):
        return [_jsonlike(one) for one in value.tolist()]
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dict):
        return {str(key): _jsonlike(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonlike(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _tell(tally: Tally, expected: Any, found: Any, *, name: str, where: str, distance: Any, beyond: Any) -> None:
    rows = numpy.flatnonzero(beyond)
    tally.differing += rows.size
    measured = rows[numpy.isfinite(distance[rows])]
    furthest = measured[numpy.argsort(-distance[measured], kind="stable")][:MAX_DIFFERENCES]
    odd = rows[~numpy.isfinite(distance[rows])][:MAX_DIFFERENCES]
    for row in (*furthest, *odd):
        mine, other = (_told(column.iloc[row]) for column in (expected, found))
        far = float(distance[row]) if numpy.isfinite(distance[row]) else None
        tally.add(where.format(row=row, column=name), mine, other, far)


def _told(value: Any) -> Any:
    if isinstance(value, numpy.ndarray | list | dict | tuple):
        return str(_jsonlike(value))
    if pandas.isna(value):
        return "nothing"
    return value.item() if isinstance(value, numpy.generic) and not isinstance(value, numpy.datetime64) else value
