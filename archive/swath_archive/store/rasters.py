"""Reading a raster file that somebody brings."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from swath_archive.domain.additions import Contents
from swath_archive.domain.errors import BadFile
from swath_archive.domain.scenes import Grid, Pixels
from swath_archive.domain.times import parse_time

_TIFF_TIME = re.compile(r"^(\d{4}):(\d{2}):(\d{2})( \d{2}:\d{2}:\d{2})$")


def examine(path: Path) -> Contents:
    """What the file says of itself.

    Raises
    ------
    BadFile
        There is no such file, or GDAL's GeoTIFF driver cannot read it.
    """
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

    if not path.is_file():
        raise BadFile(code="no-such-file", message=f"there is no file {path.name}", mend="check the path")
    try:
        # Only this driver: others follow references out of the file to the network or to other files.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver="GTiff") as source:
                return _contents(source)
    except RasterioIOError as error:
        raise BadFile(
            code="not-a-geotiff",
            message=f"{path.name} cannot be read as a GeoTIFF",
            mend="convert it: gdal_translate IN out.tif",
        ) from error


def _contents(source: Any) -> Contents:
    transform = source.transform
    grid = (
        Grid(crs=_crs(source.crs), transform=tuple(transform)[:6], height=source.height, width=source.width)
        if source.crs
        else None
    )
    return Contents(
        grid=grid,
        north_up=bool(transform.b == 0 and transform.d == 0 and transform.a > 0 and transform.e < 0),
        data_types=tuple(source.dtypes),
        nodata=tuple(source.nodatavals),
        scales=tuple(source.scales),
        offsets=tuple(source.offsets),
        descriptions=tuple(source.descriptions),
        units=tuple(source.units),
        at=_taken_at(source.tags()),
    )


def _crs(crs: Any) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def _taken_at(tags: dict[str, str]) -> datetime | None:
    for name in ("ACQUISITION_DATETIME", "TIFFTAG_DATETIME"):
        text = tags.get(name, "").strip()
        # TIFF writes colons in dates and knows no zone; producers of satellite data mean UTC.
        if tiff := _TIFF_TIME.match(text):
            text = f"{'-'.join(tiff.groups()[:3])}T{tiff.group(4).strip()}Z"
        try:
            if text:
                return parse_time(text).astimezone(UTC)
        except ValueError:
            continue
    return None


def read_bands(path: Path, names: tuple[str, ...]) -> dict[str, Pixels]:
    """Every band of the file, by name."""
    import rasterio

    with rasterio.open(path, driver="GTiff") as source:
        return {name: source.read(index) for index, name in enumerate(names, 1)}
