"""A result's file as the Python object that fits its media type. The packages for that are imported when needed."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from swath.client.errors import Invalid, MissingPackage
from swath.contract.filenames import base_type


def open_file(path: Path, media_type: str, **options: Any) -> Any:
    """The object that a file stands for.

    A GeoTIFF becomes a lazy ``xarray.DataArray`` with its nodata masked, CSV and Parquet a DataFrame (a GeoDataFrame
    if they carry geometries), GeoJSON a GeoDataFrame, JSON and notebooks their value, pictures something that a
    notebook shows, text and HTML a string.

    Raises
    ------
    MissingPackage
        Naming what to install.
    Invalid
        Nothing here opens this type.
    """
    kind = base_type(media_type)
    opener = _OPENERS.get(kind) or (_text if kind.startswith("text/") else None)
    if opener is None:
        raise Invalid(
            f"nothing here opens {kind or 'a file without a type'}",
            code="no-opener",
            mend="use .download(path) and open the file yourself, or .bytes()",
        )
    return opener(path, **options)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingPackage(
            f"this needs {name}, which is not installed", code="missing-package", mend=f"pip install {name}"
        ) from error


def _raster(path: Path, **options: Any) -> Any:
    return _package("rioxarray").open_rasterio(path, **{"masked": True, **options})


def _cube(path: Path, **options: Any) -> Any:
    return _package("xarray").open_dataset(path, **options)


def _csv(path: Path, **options: Any) -> Any:
    return _package("pandas").read_csv(path, **options)


def _parquet(path: Path, **options: Any) -> Any:
    schema = _package("pyarrow.parquet").read_schema(path)
    package = "geopandas" if b"geo" in (schema.metadata or {}) else "pandas"
    return _package(package).read_parquet(path, **options)


def _geojson(path: Path, **options: Any) -> Any:
    return _package("geopandas").read_file(path, **options)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _picture(path: Path, **options: Any) -> Any:
    return _package("IPython.display").Image(data=path.read_bytes(), **options)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


_OPENERS: dict[str, Callable[..., Any]] = {
    "image/tiff": _raster,
    "application/netcdf": _cube,
    "application/x-netcdf": _cube,
    "text/csv": _csv,
    "application/vnd.apache.parquet": _parquet,
    "application/geo+json": _geojson,
    "application/json": _json,
    "application/x-ipynb+json": _json,
    "image/png": _picture,
    "image/jpeg": _picture,
}
