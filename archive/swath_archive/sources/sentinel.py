"""Real Sentinel-1 and Sentinel-2 series from a folder of netCDF files; each file there becomes its collections."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from swath_archive.domain.collections import CollectionSpec
from swath_archive.domain.scenes import Extra, Pending, Pixels, Scene
from swath_archive.sources import Batch, netcdf, specs


@dataclass(frozen=True, kw_only=True)
class _Series:
    """One collection out of one netCDF file."""

    file: str
    spec: CollectionSpec
    variables: dict[str, str]
    """Band of the collection -> variable of the file."""
    convert: Callable[[str, Pixels], Pixels]
    monthly: bool = False
    first_only: bool = False
    """The same values stand under each date (terrain)."""
    outline: str | None = None
    """A GeoJSON file that goes with the first item."""


def _as_stored(band: str, pixels: Pixels) -> Pixels:
    import numpy as np

    return pixels.astype(np.uint8) if band == "SCL" else pixels


def _power(_: str, pixels: Pixels) -> Pixels:
    """Sigma nought as linear power from openeo-gfmap's 16-bit numbers: ``10 * log10(power) = 20 * log10(n) - 83``."""
    import numpy as np

    numbers = pixels.astype(np.float64)
    power: Pixels = np.where((pixels == 0) | (pixels == 65535), np.nan, numbers**2 * 10.0**-8.3).astype(np.float32)
    return power


def _from_float(band: str, pixels: Pixels) -> Pixels:
    """Whole numbers that the file carries as floats with NaN outside the field."""
    import numpy as np

    none, kind = (0, np.uint8) if band == "SCL" else (65535, np.uint16)
    stored: Pixels = np.where(np.isnan(pixels), none, np.rint(pixels)).astype(kind)
    return stored


def _named(prefix: str, names: Sequence[str]) -> dict[str, str]:
    return {name: f"{prefix}{name}" for name in names}


_MONTHLY = "s2_s1_dem_meteo_belgium_2020_2021.nc"
SERIES = (
    _Series(
        file="s2_l2a_belgium_202304.nc",
        spec=specs.SENTINEL_2_BELGIUM,
        variables=_named("S2-L2A-", ("B01", "B04", "B08", "B11", "SCL")),
        convert=_as_stored,
    ),
    _Series(
        file="s1_grd_belgium_202304.nc",
        spec=specs.SENTINEL_1_BELGIUM,
        variables=_named("S1-SIGMA0-", ("VV", "VH")),
        convert=_power,
    ),
    _Series(
        file="s2_field_spain_2019.nc",
        spec=specs.SENTINEL_2_SPAIN,
        variables=_named("", ("B04", "B08", "SCL")),
        convert=_from_float,
        outline="s2_field_spain_2019.geojson",
    ),
    _Series(
        file=_MONTHLY,
        spec=specs.SENTINEL_2_COMPOSITES,
        variables=_named("S2-L2A-", ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")),
        convert=_as_stored,
        monthly=True,
    ),
    _Series(
        file=_MONTHLY,
        spec=specs.SENTINEL_1_COMPOSITES,
        variables=_named("S1-SIGMA0-", ("VV", "VH")),
        convert=_power,
        monthly=True,
    ),
    _Series(
        file=_MONTHLY,
        spec=specs.TERRAIN_BELGIUM,
        variables={"elevation": "elevation", "slope": "slope"},
        convert=_as_stored,
        first_only=True,
    ),
    _Series(
        file=_MONTHLY,
        spec=specs.AGERA5_BELGIUM,
        variables={"precipitation": "AGERA5-PRECIP", "temperature": "AGERA5-TMEAN"},
        convert=_as_stored,
        monthly=True,
    ),
)


def batches(folder: Path) -> Iterator[Batch]:
    """A batch for each known file in `folder`; nothing for a folder that holds none of them.

    Raises
    ------
    BadFile
        A known file is there and cannot be read.
    """
    for series in SERIES:
        path = folder / series.file
        if path.is_file():
            yield Batch(spec=series.spec, items=tuple(_items(series, path)))
    parcels = folder / specs.PARCELS_FILE
    if parcels.is_file():
        from swath_archive.sources import parcels as vector

        yield vector.batch(parcels)


def _items(series: _Series, path: Path) -> Iterator[Pending]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for index, at in enumerate(netcdf.days(path, next(iter(series.variables.values())))):
        yield Pending(
            item_id=series.spec.id if series.first_only else f"{series.spec.id}-{at:%Y%m%d}",
            at=at,
            start_at=at if series.monthly else None,
            end_at=_month_end(at) if series.monthly else None,
            source=f"{series.file}#{index}",
            source_sha256=digest,
            read=partial(_read, series, path, index=index),
            extras=_outline(series, path) if index == 0 else (),
            # openEO's netCDF keeps the day and loses the hour.
            properties={"swath:time_precision": "month" if series.monthly else "day"},
        )
        if series.first_only:
            return


def _read(series: _Series, path: Path, *, index: int) -> Scene:
    grid, found = netcdf.read(path, list(series.variables.values()), index=index)
    return Scene(
        grid=grid,
        pixels={band: series.convert(band, found[variable]) for band, variable in series.variables.items()},
    )


def _outline(series: _Series, path: Path) -> tuple[Extra, ...]:
    if series.outline is None or not (path.parent / series.outline).is_file():
        return ()
    content = (path.parent / series.outline).read_bytes()
    return (
        Extra(name="outline.geojson", content=content, media_type="application/geo+json", title="Outline of the field"),
    )


def _month_end(at: datetime) -> datetime:
    following = (at.replace(day=1) + timedelta(days=32)).replace(day=1)
    return following - timedelta(seconds=1)
