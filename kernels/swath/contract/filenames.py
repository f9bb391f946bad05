"""The names that results get as files, wherever they are saved: one rule for client, service and crates."""

from __future__ import annotations

ENDINGS = {
    "image/tiff": ".tif",
    "text/csv": ".csv",
    "application/vnd.apache.parquet": ".parquet",
    "application/x-parquet": ".parquet",
    "application/geo+json": ".geojson",
    "application/json": ".json",
    "application/x-ipynb+json": ".ipynb",
    "application/netcdf": ".nc",
    "application/x-netcdf": ".nc",
    "application/zip": ".zip",
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/svg+xml": ".svg",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/markdown": ".md",
}


def base_type(media_type: str) -> str:
    """A media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()


def ending(media_type: str) -> str:
    """The usual ending of a file of that type; empty for an unknown one."""
    return ENDINGS.get(base_type(media_type), "")


def filename(name: str, media_type: str) -> str:
    """The name of a result's file, without any folder in it."""
    stem = "".join(char if char.isalnum() or char in "-_." else "_" for char in name).lstrip(".") or "result"
    return stem + ending(media_type)
