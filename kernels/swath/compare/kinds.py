"""What kind of content a file holds: by the media type that its run recorded, checked against its first bytes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from swath.contract.media import Kind, named_kind


class Format(StrEnum):
    """What the first bytes of a file say."""

    TIFF = "TIFF"
    NETCDF = "netCDF"
    PARQUET = "Parquet"
    SQLITE = "SQLite"
    PNG = "PNG"
    JPEG = "JPEG"
    ZIP = "zip"
    GZIP = "gzip"
    OTHER = "text or something else"


_BY_FORMAT = {
    Format.TIFF: Kind.RASTER,
    Format.NETCDF: Kind.RASTER,
    Format.PARQUET: Kind.TABLE,
    Format.SQLITE: Kind.VECTOR,
    Format.PNG: Kind.PICTURE,
    Format.JPEG: Kind.PICTURE,
    Format.ZIP: Kind.ARCHIVE,
    Format.GZIP: Kind.ARCHIVE,
}
_BEGINNINGS = {
    b"II*\0": Format.TIFF,
    b"MM\0*": Format.TIFF,
    b"II+\0": Format.TIFF,
    b"MM\0+": Format.TIFF,
    b"CDF\x01": Format.NETCDF,
    b"CDF\x02": Format.NETCDF,
    b"CDF\x05": Format.NETCDF,
    b"\x89HDF\r\n\x1a\n": Format.NETCDF,
    b"PAR1": Format.PARQUET,
    b"SQLite format 3\0": Format.SQLITE,
    b"\x89PNG\r\n\x1a\n": Format.PNG,
    b"\xff\xd8\xff": Format.JPEG,
    b"PK\x03\x04": Format.ZIP,
    b"PK\x05\x06": Format.ZIP,
    b"\x1f\x8b": Format.GZIP,
}


def format_of(path: Path) -> Format:
    """What the first bytes say; `Format.OTHER` for text, and for what has no mark of its own."""
    with path.open("rb") as file:
        head = file.read(16)
    return next((form for mark, form in _BEGINNINGS.items() if head.startswith(mark)), Format.OTHER)


def kind_of(media_type: str, path: Path) -> Kind:
    """The kind that `media_type` names; where it names none, what the file's first bytes say."""
    return named_kind(media_type) or _BY_FORMAT.get(format_of(path), Kind.BYTES)


_SUFFIXES = {
    ".tif": "image/tiff; application=geotiff",
    ".tiff": "image/tiff; application=geotiff",
    ".nc": "application/x-netcdf",
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".geojson": "application/geo+json",
    ".gpkg": "application/geopackage+sqlite3",
    ".json": "application/json",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".ipynb": "application/x-ipynb+json",
    ".zip": "application/zip",
    ".gz": "application/gzip",
    ".svg": "image/svg+xml",
    ".xml": "application/xml",
    ".html": "text/html",
    ".htm": "text/html",
    ".md": "text/markdown",
    ".txt": "text/plain",
    ".log": "text/plain",
}


def media_type_of(path: Path) -> str:
    """The media type that a file's name speaks of, for files that no run recorded."""
    return _SUFFIXES.get(path.suffix.lower(), "application/octet-stream")
