"""Reading tables that strangers wrote: what a file claims is checked before it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swath.compare.kinds import Format, format_of
from swath.compare.limits import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_CSV_BYTES,
    MAX_TABLE_BYTES,
    MIB,
    CannotCompare,
    check_size,
)
from swath.compare.wording import clean

_HEADER_BYTES = 1 << 20


def read(path: Path, which: str) -> Any:
    """The table in a Parquet or CSV file as a pandas frame whose columns have distinct names.

    Integers stay integers where values are missing. What pandas kept as an index is a column.

    Raises
    ------
    CannotCompare
    """
    form = format_of(path)
    if form is Format.PARQUET:
        return _parquet(path, which)
    if form is not Format.OTHER:
        raise CannotCompare(f"{which} is {form.value}, not a table")
    return _csv(path, which)


def is_geoparquet(path: Path) -> bool:
    """Whether a file is Parquet and says where its geometries are."""
    if format_of(path) is not Format.PARQUET:
        return False
    import pyarrow.parquet

    try:
        return b"geo" in (pyarrow.parquet.read_schema(path).metadata or {})
    except (OSError, pyarrow.ArrowException):
        return False


def check_parquet(path: Path, which: str) -> None:
    """Refuse a Parquet file that cannot be read, or would take too much memory.

    Raises
    ------
    CannotCompare
    """
    import pyarrow.parquet

    try:
        meta = pyarrow.parquet.read_metadata(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise CannotCompare(f"{which} cannot be read as Parquet: {clean(str(error))}") from error
    size = sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))
    # Runs of one value cost nothing in the file, so the number of cells counts too.
    if size > MAX_TABLE_BYTES or meta.num_columns > MAX_COLUMNS or meta.num_rows * meta.num_columns > MAX_CELLS:
        raise CannotCompare(
            f"{which} has {meta.num_rows:,} rows of {meta.num_columns:,} columns and takes {size // MIB:,} MiB"
        )


def _parquet(path: Path, which: str) -> Any:
    import pandas
    import pyarrow.parquet

    check_parquet(path, which)
    try:
        # `pre_buffer` and threads would read ahead without bound.
        table = pyarrow.parquet.ParquetFile(path, pre_buffer=False, memory_map=False).read(use_threads=False)
    except MemoryError:
        # Arrow's is one of its own errors as well.
        raise
    except (OSError, pyarrow.ArrowException) as error:
        raise CannotCompare(f"{which} cannot be read as Parquet: {clean(str(error))}") from error
    _check_names(table.column_names, which)
    nullable = {
        getattr(pyarrow, name.lower())(): getattr(pandas, f"{name}Dtype")()
        for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    }
    nullable[pyarrow.bool_()] = pandas.BooleanDtype()
    return table.to_pandas(types_mapper=nullable.get, ignore_metadata=True, use_threads=False)


def _csv(path: Path, which: str) -> Any:
    import pandas

    check_size(path.stat().st_size, MAX_CSV_BYTES, which)
    with path.open("rb") as file:
        head = file.readline(_HEADER_BYTES)
    if len(head) >= _HEADER_BYTES or head.count(b",") >= MAX_COLUMNS:
        raise CannotCompare(f"{which} has more than {MAX_COLUMNS:,} columns, or is no table")
    try:
        # Every digit counts, and only an empty cell is a missing one: "NA" may be Namibia.
        frame = pandas.read_csv(
            path,
            encoding="utf-8-sig",
            float_precision="round_trip",
            keep_default_na=False,
            na_values=_missing(),
            low_memory=False,
            # Integers stay integers beside missing values.
            dtype_backend="numpy_nullable",
        )
    except pandas.errors.EmptyDataError:
        return pandas.DataFrame()
    except (ValueError, OSError) as error:
        raise CannotCompare(f"{which} cannot be read as CSV: {clean(str(error))}") from error
    if frame.size > MAX_CELLS:
        raise CannotCompare(f"{which} has {frame.size:,} cells")
    frame.attrs["typed"] = False
    return frame


def _missing() -> list[str]:
    return ["", "nan", "NaN", "-nan", "-NaN", "NaT", "<NA>"]


def _check_names(names: list[str], which: str) -> None:
    if len(set(names)) < len(names):
        raise CannotCompare(f"{which} has two columns of one name")
