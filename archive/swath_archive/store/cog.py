"""Cloud-optimised GeoTIFFs: one band, tiled, with overviews, and everything a reader must know in the file itself."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from swath_archive.domain.bands import Band
from swath_archive.domain.scenes import Grid, Pixels

MEDIA_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"
_BLOCK = 256
#: Everybody may read the archive: sandboxes run under other users than whoever fills it, whatever his umask.
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A file in the archive."""

    path: Path
    size: int
    sha256: str


def write_cog(path: Path, pixels: Pixels, *, band: Band, grid: Grid, tags: dict[str, str]) -> Stored:
    """Write one band; the file appears whole or not at all.

    Parameters
    ----------
    pixels
        Rows and columns, already of `band.data_type`: a silent cast is how 16-bit values wrap, so none is made.

    Raises
    ------
    ValueError
        The array's type or shape is not the band's or the grid's.
    """
    import rasterio
    from rasterio.crs import CRS
    from rasterio.transform import Affine

    if str(pixels.dtype) != band.data_type:
        raise ValueError(f"{path.name}: pixels are {pixels.dtype}, the band is {band.data_type}")
    if pixels.shape != (grid.height, grid.width):
        raise ValueError(f"{path.name}: pixels are {pixels.shape}, the grid is {(grid.height, grid.width)}")
    partial = beside(path)
    profile = {
        "driver": "COG",
        "height": grid.height,
        "width": grid.width,
        "count": 1,
        "dtype": band.data_type,
        "crs": CRS.from_user_input(grid.crs),
        "transform": Affine(*grid.transform),
        "nodata": band.nodata,
        "compress": "DEFLATE",
        "predictor": "YES",
        "blocksize": _BLOCK,
        # Averaged classes are classes that are not there.
        "overview_resampling": "mode" if band.categorical else "average",
    }
    try:
        with rasterio.open(partial, "w", **profile) as target:
            target.write(pixels, 1)
            target.set_band_description(1, band.name)
            if not band.categorical:
                target.scales, target.offsets = (band.scale,), (band.offset,)
            target.units = (band.unit or "",)
            target.update_tags(**tags)
        put(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return describe(path)


def write_file(path: Path, content: bytes) -> Stored:
    """Write bytes; the file appears whole or not at all."""
    partial = beside(path)
    try:
        partial.write_bytes(content)
        put(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return describe(path)


def make_folder(path: Path) -> None:
    """A folder that everybody may enter, and those above it that are missing."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        folder.chmod(_FOLDER_MODE)


def beside(path: Path) -> Path:
    """Where a file is written before it is whole."""
    make_folder(path.parent)
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def put(partial: Path, path: Path) -> None:
    """Let a whole file take its place."""
    partial.chmod(_FILE_MODE)
    os.replace(partial, path)


def sweep(folder: Path) -> None:
    """Remove what a writer that was killed left in `folder`; nobody else may be writing there."""
    for left in folder.glob(".*.partial*"):
        left.unlink(missing_ok=True)


def describe(path: Path) -> Stored:
    """Size and digest of a file that is there."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Stored(path=path, size=path.stat().st_size, sha256=digest)
