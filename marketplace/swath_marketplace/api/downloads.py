"""How files that users made are handed out: never as a page of ours."""

from __future__ import annotations

from typing import Protocol

from swath_marketplace.domain.runs import OutputFile

_ENDINGS = {
    "application/x-ipynb+json": ".ipynb",
    "application/geo+json": ".geojson",
    "application/json": ".json",
    "application/vnd.apache.parquet": ".parquet",
    "application/x-parquet": ".parquet",
    "image/png": ".png",
    "image/tiff": ".tif",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
}


class Named(Protocol):
    """An output, as it is kept or as a receipt states it."""

    @property
    def name(self) -> str: ...

    @property
    def media_type(self) -> str: ...


def filename_of(output: Named) -> str:
    """A name for the file on the caller's disk."""
    kind = output.media_type.partition(";")[0].strip().lower()
    return output.name + _ENDINGS.get(kind, ".bin")


def headers_of(output: OutputFile) -> dict[str, str]:
    """Headers with which a browser saves the file, and, should it show it all the same, lets nothing in it act.

    The content never changes, so its sha256 is its entity tag, and a broken download can be gone on with.
    """
    return {
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private",
        "ETag": f'"{output.sha256}"',
    }
