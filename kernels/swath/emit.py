"""`swath.emit` and `swath.progress`: what a notebook brings back, and how far it is.

The same call works at the desk and in a run. At the desk (JupyterLab, a script) files go to ``./outputs/`` and replace
those of before; in a run they become the run's results, each name once.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from swath.outputs import show
from swath.outputs.place import COG, CSV, GEOJSON, JSON, PARQUET, PNG, EmitError, Form, check_name, run_folder, store
from swath.outputs.values import jsonable

__all__ = ["EmitError", "emit", "progress"]

#: The formats that can be asked for, by family; the first is what is written when none is.
_FORMATS: dict[str, dict[str, Form]] = {
    "raster": {"cog": COG},
    "table": {"csv": CSV, "parquet": PARQUET},
    "vector": {"geojson": GEOJSON, "parquet": PARQUET},
    "figure": {"png": PNG},
    "value": {"json": JSON},
}
_PROGRESS = "out/progress.jsonl"
_PROGRESS_SECONDS = 0.1
_last_progress: dict[str, Any] = {"at": 0.0, "message": ""}


def emit(
    name: str,
    value: Any,
    *,
    description: str | None = None,
    media_type: str | None = None,
    format: str | None = None,
    crs: Any = None,
    nodata: float | None = None,
) -> Path:
    """Bring `value` back as the output `name`.

    ============================================  =====================================================
    value                                         file
    ============================================  =====================================================
    xarray DataArray, Dataset (y, x[, bands])     Cloud Optimized GeoTIFF, with its reference system
    pandas or Dask DataFrame, Series              CSV, or Parquet with ``format="parquet"``
    GeoDataFrame                                  GeoJSON in WGS 84, or GeoParquet
    matplotlib figure                             PNG
    `pathlib.Path` of a file below the folder     that file, copied
    anything else: numbers, text, lists, models   JSON; NaN and infinities become null
    ============================================  =====================================================

    Text is JSON text: for a file write ``Path("plot.png")``.

    Parameters
    ----------
    name
        Letters, digits, ``_`` and ``-``, starting with a letter.
    description
        One line for whoever finds the file.
    media_type
        Overrides what is recorded for a `Path`; other values know theirs.
    format
        ``"cog"``, ``"csv"``, ``"parquet"``, ``"geojson"``, ``"png"``, ``"json"``, where the value has a choice.
    crs
        Of a raster that carries none, e.g. ``"EPSG:32631"``.
    nodata
        Of a raster; by default what it carries, NaN for floating-point numbers.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    EmitError
        The name or the value cannot be an output, or the run already has one of that name.
    """
    check_name(name)
    text = description or ""
    if media_type is not None and not isinstance(value, PurePath):
        raise EmitError(
            "A media type can be given for a file only; other values know theirs.",
            code="output-format",
            mend="Leave media_type out, or choose with format=….",
        )
    if isinstance(value, PurePath):
        return _emit_file(name, Path(value), format=format, media_type=media_type, description=text)
    if _is_raster(value):
        return _emit_raster(name, value, format=format, crs=crs, nodata=nodata, description=text)
    if crs is not None or nodata is not None:
        raise EmitError("Only a raster has crs and nodata here.", code="output-format", mend="Leave both out.")
    return _emit_other(name, value, format=format, description=text)


def progress(fraction: float, message: str = "") -> None:
    """Tell the run's followers how far the notebook is.

    A notebook that calls this decides its run's progress alone; in others each cell counts the same. At the desk it
    does nothing.

    Parameters
    ----------
    fraction
        Of the whole notebook, 0 to 1.
    message
        What is being done, a few words.
    """
    run = run_folder()
    fraction = float(fraction)
    if run is None or not math.isfinite(fraction):
        return
    now = time.monotonic()
    soon = now - _last_progress["at"] < _PROGRESS_SECONDS
    if soon and fraction < 1 and message == _last_progress["message"]:
        return  # a loop over many small steps must not spend its time on telling
    _last_progress.update(at=now, message=message)
    line = json.dumps({"fraction": min(max(fraction, 0.0), 1.0), "message": str(message)[:500]}) + "\n"
    descriptor = os.open(run / _PROGRESS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def _form(family: str, asked: str | None) -> Form:
    forms = _FORMATS[family]
    if asked is None:
        return next(iter(forms.values()))
    if str(asked).lower() not in forms:
        raise EmitError(
            f"A {family} cannot be written as {str(asked)[:40]!r}.",
            code="output-format",
            mend=f"Choose one of {', '.join(forms)}.",
        )
    return forms[str(asked).lower()]


def _emit_file(name: str, path: Path, *, format: str | None, media_type: str | None, description: str) -> Path:
    from swath.outputs.tables import file

    if format is not None:
        raise EmitError("A file is copied as it is.", code="output-format", mend="Leave format out.")
    form, write = file(path)
    if media_type is not None:
        form = Form(suffix=form.suffix, media_type=media_type)
    return store(name, form, write=write, description=description)


def _emit_raster(
    name: str, value: Any, *, format: str | None, crs: Any, nodata: float | None, description: str
) -> Path:
    from swath.outputs import raster

    form = _form("raster", format)
    ready = raster.read(value, crs=crs, nodata=nodata)
    path = store(
        name, form, write=lambda path: raster.write(ready, path, description=description), description=description
    )
    if show.in_notebook():
        show.picture(raster.preview(ready))
    return path


def _emit_other(name: str, value: Any, *, format: str | None, description: str) -> Path:
    from swath.outputs import tables

    shown: Callable[[], None]
    if tables.is_a(value, "geopandas.GeoDataFrame"):
        form = _form("vector", format)
        write, shown = tables.vector(value, form), lambda: show.table(value)
    elif tables.is_a(value, "pandas.DataFrame", "pandas.Series") or _is_dask_frame(value):
        form = _form("table", format)
        write, shown = tables.table(value, form), lambda: show.table(value)
    elif tables.is_a(value, "matplotlib.Figure"):
        form = _form("figure", format)
        write, shown = tables.figure(value), lambda: show.figure(value)
    else:
        form, content = _form("value", format), _json(value)
        write, shown = tables.text(content), lambda: show.text(name, content)
    path = store(name, form, write=write, description=description)
    if show.in_notebook():
        shown()
    return path


def _json(value: Any) -> str:
    if isinstance(value, str) and 0 < len(value) < 256 and "\n" not in value and Path(value).is_file():
        raise EmitError(
            f"{value!r} is text, and also the name of a file that is there.",
            code="output-value",
            mend=f"For the file write Path({value!r}); for the text put it into a dictionary.",
        )
    if getattr(value, "ndim", 0) >= 2 and type(value).__module__.partition(".")[0] in ("numpy", "dask"):
        raise EmitError(
            "A bare array says neither where it lies nor what its numbers are.",
            code="output-value",
            mend="Emit an xarray.DataArray with coordinates and a reference system, or a table.",
        )
    if isinstance(value, bytes | bytearray | memoryview):
        raise EmitError("Bytes have no form.", code="output-value", mend="Write them to a file and emit its Path.")
    return json.dumps(jsonable(value), allow_nan=False, ensure_ascii=False, indent=1)


def _is_raster(value: Any) -> bool:
    from swath.outputs.tables import is_a

    if not is_a(value, "xarray.DataArray", "xarray.Dataset"):
        return False
    return is_a(value, "xarray.Dataset") or value.ndim > 0


def _is_dask_frame(value: Any) -> bool:
    names = {kind.__name__ for kind in type(value).__mro__}
    return type(value).__module__.partition(".")[0] in ("dask", "dask_expr") and bool({"DataFrame", "Series"} & names)
