"""Adding somebody's file: what must be said of it, and whether it fits the collection that is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from swath_archive.domain.bands import Band
from swath_archive.domain.scenes import Grid

ITEM_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$")
_BAND_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")
_TYPES = frozenset(
    {"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"},
)

Fault = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Addition:
    """What is asked for with a file; ``None`` means: as the file says."""

    path: Path
    collection: str
    at: datetime | None = None
    item_id: str | None = None
    bands: tuple[str, ...] | None = None
    nodata: float | None = None
    no_nodata: bool = False
    """Every pixel holds a value, and the caller says so."""
    title: str | None = None
    licence: str | None = None
    provenance: str | None = None
    replace: bool = False


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a raster file says of itself."""

    grid: Grid | None
    """``None`` without a CRS."""
    north_up: bool
    data_types: tuple[str, ...]
    nodata: tuple[float | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    descriptions: tuple[str | None, ...]
    units: tuple[str | None, ...]
    at: datetime | None
    """From ``TIFFTAG_DATETIME`` or ``ACQUISITION_DATETIME``."""


def band_names(contents: Contents, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Names for the file's bands: those asked for, else the file's own descriptions."""
    return tuple(wanted) if wanted is not None else tuple(one or "" for one in contents.descriptions)


def faults(addition: Addition, contents: Contents) -> Iterator[Fault]:
    """Everything that keeps this file out, whatever the collection."""
    if contents.grid is None:
        yield _fault("crs", "the file has no coordinate reference system", mend="gdal_edit.py -a_srs EPSG:… FILE")
    elif not contents.north_up:
        yield _fault("transform", "the grid is rotated, not north-up, or missing", mend="gdalwarp FILE straight.tif")
    names = band_names(contents, addition.bands)
    count = len(contents.data_types)
    if len(names) != count:
        yield _fault("bands", f"the file has {count} bands, {len(names)} names are given", mend="--bands NAME,NAME,…")
    for index, name in enumerate(names, 1):
        if not name:
            yield _fault("bands", f"band {index} has no description to take its name from", mend="--bands NAME,NAME,…")
        elif not _BAND_NAME.match(name):
            yield _fault(
                "bands", f"{name!r} is no name for a band", mend="letters, digits, - and _; --bands gives others"
            )
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        yield _fault("bands", f"named twice: {', '.join(doubled)}", mend="--bands NAME,NAME,…")
    wrong = sorted(set(contents.data_types) - _TYPES)
    if wrong:
        yield _fault("data_type", f"{', '.join(wrong)} is not stored here", mend=f"one of {', '.join(sorted(_TYPES))}")
    if addition.nodata is None and not addition.no_nodata and None in contents.nodata:
        yield _fault(
            "nodata",
            "the file does not say which number stands for no data",
            mend="--nodata VALUE, or --nodata none if every pixel holds a value",
        )
    if addition.at is None and contents.at is None:
        yield _fault("datetime", "the file does not say when it was taken", mend="--datetime 2023-04-05T10:46:00Z")
    if addition.item_id is not None and not ITEM_ID.match(addition.item_id):
        yield _fault("item", f"{addition.item_id!r} is no id", mend="letters, digits, '.', '-' and '_'")


def bands_of(addition: Addition, contents: Contents) -> tuple[Band, ...]:
    """The file's bands as the archive would describe them; `faults` found none."""
    names = band_names(contents, addition.bands)
    found = []
    for index, name in enumerate(names):
        nodata = (
            None if addition.no_nodata else addition.nodata if addition.nodata is not None else contents.nodata[index]
        )
        found.append(
            Band(
                name=name,
                data_type=contents.data_types[index],
                description=name,
                nodata=nodata,
                scale=contents.scales[index],
                offset=contents.offsets[index],
                unit=contents.units[index] or None,
            )
        )
    return tuple(found)


def misfits(bands: Sequence[Band], known: Mapping[str, Band]) -> Iterator[Fault]:
    """How `bands` differ from those of the collection they are to join: a band means one thing throughout."""
    for band in bands:
        old = known.get(band.name)
        if old is None:
            yield _fault(
                "bands", f"the collection has no band {band.name}", mend=f"its bands: {', '.join(known) or 'none'}"
            )
            continue
        if band.data_type != old.data_type:
            yield _fault(
                "data_type", f"{band.name} is {band.data_type}, in the collection {old.data_type}", mend="convert it"
            )
        if _number(band.nodata) != _number(old.nodata):
            yield _fault(
                "nodata",
                f"{band.name} has no data as {_number(band.nodata)}, in the collection {_number(old.nodata)}",
                mend="gdal_edit.py -a_nodata, or gdalwarp -dstnodata, or --nodata if the file's own word is wrong",
            )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _fault(field: str, message: str, *, mend: str) -> Fault:
    return {"field": field, "message": message, "mend": mend}
