"""Time series in netCDF as openEO back ends write them, read through GDAL's own driver."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from swath_archive.domain.errors import BadFile
from swath_archive.domain.scenes import Grid, Pixels

_EPOCH = re.compile(r"^days since (\d{4})-(\d{2})-(\d{2})")


def _address(path: Path, variable: str) -> str:
    return f"netcdf:{path}:{variable}"


def _unreadable(path: Path, why: str) -> BadFile:
    return BadFile(code="netcdf-unreadable", message=f"{path.name}: {why}", mend="fetch the file again")


def days(path: Path, variable: str) -> tuple[datetime, ...]:
    """The days of a variable's ``t`` axis, midnight UTC: openEO writes no clock time.

    Raises
    ------
    BadFile
        The file is no netCDF with that variable and an axis in days.
    """
    import rasterio
    from rasterio.errors import RasterioIOError

    try:
        with rasterio.open(_address(path, variable)) as source:
            tags = source.tags()
    except RasterioIOError as error:
        raise _unreadable(path, f"no variable {variable} can be read") from error
    epoch = _EPOCH.match(tags.get("t#units", ""))
    values = tags.get("NETCDF_DIM_t_VALUES", "").strip("{}")
    if epoch is None or not values:
        raise _unreadable(path, "its t axis is not in days")
    zero = datetime(*(int(part) for part in epoch.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
    return tuple(zero + timedelta(days=float(value)) for value in values.split(","))


def read(path: Path, variables: Sequence[str], *, index: int) -> tuple[Grid, dict[str, Pixels]]:
    """The `index`-th date (from 0) of several variables, which lie on one grid.

    Raises
    ------
    BadFile
        A variable is missing or the file has no CRS.
    """
    import rasterio
    from rasterio.errors import RasterioIOError

    grid: Grid | None = None
    pixels: dict[str, Pixels] = {}
    for variable in variables:
        try:
            with rasterio.open(_address(path, variable)) as source:
                if source.crs is None:
                    raise _unreadable(path, f"{variable} has no CRS")
                here = Grid(
                    crs=source.crs.to_string(),
                    transform=tuple(source.transform)[:6],
                    height=source.height,
                    width=source.width,
                )
                pixels[variable] = source.read(index + 1)
        except RasterioIOError as error:
            raise _unreadable(path, f"no variable {variable} can be read") from error
        if grid is not None and grid != here:
            raise _unreadable(path, f"{variable} lies on another grid")
        grid = here
    assert grid is not None, "at least one variable is asked for"
    return grid, pixels
