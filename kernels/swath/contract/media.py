"""Which kind of content a media type names: by that two results are compared."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Which comparer a file belongs to; the words of `Comparison.kind`, and one for archives."""

    RASTER = "raster"
    TABLE = "table"
    VECTOR = "vector"
    JSON = "json"
    TEXT = "text"
    PICTURE = "picture"
    NOTEBOOK = "notebook"
    ARCHIVE = "archive"
    """Told as ``bytes``: its members are compared by theirs."""
    BYTES = "bytes"


_MEDIA_TYPES = {
    "image/tiff": Kind.RASTER,
    "application/x-netcdf": Kind.RASTER,
    "application/netcdf": Kind.RASTER,
    "text/csv": Kind.TABLE,
    "application/vnd.apache.parquet": Kind.TABLE,
    "application/x-parquet": Kind.TABLE,
    "application/geo+json": Kind.VECTOR,
    "application/geopackage+sqlite3": Kind.VECTOR,
    "application/json": Kind.JSON,
    "image/png": Kind.PICTURE,
    "image/jpeg": Kind.PICTURE,
    "application/x-ipynb+json": Kind.NOTEBOOK,
    "application/zip": Kind.ARCHIVE,
    "application/gzip": Kind.ARCHIVE,
    "image/svg+xml": Kind.TEXT,
    "application/xml": Kind.TEXT,
}


def named_kind(media_type: str) -> Kind | None:
    """The kind that `media_type` names; ``None`` where it names none that is known."""
    base = media_type.partition(";")[0].strip().lower()
    known = _MEDIA_TYPES.get(base)
    if known is None and base.startswith("text/"):
        return Kind.TEXT
    if known is None and base.endswith("+json"):
        return Kind.JSON
    return known


def told_as(kind: Kind) -> str:
    """The word of `Comparison.kind` for a kind."""
    return Kind.BYTES.value if kind is Kind.ARCHIVE else kind.value
