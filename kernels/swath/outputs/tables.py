"""Tables, vectors, figures and files: what each is written as, and with what checks."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swath.outputs.place import CSV, GEOJSON, GEOTIFF, JSON, PARQUET, PNG, EmitError, Form
from swath.outputs.values import jsonable

Writer = Callable[[Path], None]

_MEDIA_TYPES = {
    ".csv": CSV.media_type,
    ".geojson": GEOJSON.media_type,
    ".gpkg": "application/geopackage+sqlite3",
    ".gz": "application/gzip",
    ".htm": "text/html",
    ".html": "text/html",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": JSON.media_type,
    ".md": "text/markdown",
    ".nc": "application/x-netcdf",
    ".parquet": PARQUET.media_type,
    ".pdf": "application/pdf",
    ".png": PNG.media_type,
    ".svg": "image/svg+xml",
    ".tif": GEOTIFF.media_type,
    ".tiff": GEOTIFF.media_type,
    ".txt": "text/plain",
    ".xml": "application/xml",
    ".zip": "application/zip",
}
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,10}")


def is_a(value: Any, *names: str) -> bool:
    """Whether a class of `value` is called one of `names` (``package.Class``), without importing that package."""
    return any(f"{kind.__module__.partition('.')[0]}.{kind.__name__}" in names for kind in type(value).__mro__)


def table(frame: Any, form: Form) -> Writer:
    """A pandas (or Dask) DataFrame as CSV or Parquet; an index that means something becomes columns."""
    if callable(getattr(frame, "compute", None)):
        frame = frame.compute()
    if is_a(frame, "pandas.Series"):
        frame = frame.to_frame()
    meaningful = not is_a(frame.index, "pandas.RangeIndex") or frame.index.name is not None
    if form is PARQUET:
        return lambda path: frame.to_parquet(path, index=meaningful)
    return lambda path: frame.to_csv(path, index=meaningful)


def vector(frame: Any, form: Form) -> Writer:
    """A GeoDataFrame as GeoJSON in WGS 84 (RFC 7946), or as GeoParquet in its own reference system."""
    if frame.crs is None:
        raise EmitError(
            "The GeoDataFrame has no coordinate reference system, so nobody could say where on Earth it lies.",
            code="output-crs",
            mend="Set it: frame.set_crs('EPSG:…').",
        )
    if form is PARQUET:
        return lambda path: _to_parquet(frame, path)
    world = frame.to_crs("EPSG:4326")
    meaningful = not is_a(world.index, "pandas.RangeIndex")
    collection = {
        "type": "FeatureCollection",
        "features": list(world.iterfeatures(na="null", drop_id=not meaningful)),
    }
    return text(json.dumps(jsonable(collection), allow_nan=False))


def _to_parquet(frame: Any, path: Path) -> None:
    frame.to_parquet(path)


def figure(value: Any) -> Writer:
    """A matplotlib figure as PNG."""

    def write(path: Path) -> None:
        value.savefig(path, format="png", dpi=max(float(value.dpi), 120.0), bbox_inches="tight")

    return write


def text(content: str) -> Writer:
    """Text as it stands, UTF-8."""

    def write(path: Path) -> None:
        path.write_text(content + "\n", encoding="utf-8")

    return write


def file(source: Path) -> tuple[Form, Writer]:
    """An existing file of the working folder, copied.

    Raises
    ------
    EmitError
        It is not there, is a folder, or lies outside the working folder.
    """
    shown = str(source)[:200]
    found = source.resolve()
    if not found.is_relative_to(Path.cwd().resolve()):
        raise EmitError(
            f"The file {shown!r} lies outside the notebook's folder.",
            code="output-file",
            mend="Write it below the working folder and emit it from there.",
        )
    if found.is_dir():
        raise EmitError(
            f"{shown!r} is a folder.", code="output-file", mend="Pack it: shutil.make_archive(…, 'zip', …)."
        )
    if not found.is_file():
        raise EmitError(f"There is no file {shown!r}.", code="output-file", mend="Write it before you emit it.")
    suffix = found.suffix if _SUFFIX.fullmatch(found.suffix) else ""
    form = Form(suffix=suffix.lower(), media_type=_MEDIA_TYPES.get(suffix.lower(), "application/octet-stream"))
    if form.media_type == GEOTIFF.media_type:
        from swath.outputs.raster import check_file

        check_file(found)
    return form, lambda path: _copy(found, path)


def _copy(source: Path, path: Path) -> None:
    shutil.copyfile(source, path)
