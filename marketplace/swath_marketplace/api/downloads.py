"""How files that users made are handed out: never as a page of ours."""

from __future__ import annotations

from pathlib import Path

from swath.contract.filenames import filename
from swath_service.kept_files import KeptFile

from swath_marketplace.domain.runs import OutputFile


def filename_of(output: OutputFile) -> str:
    """A name for the file on the caller's disk; browsers do better with an ending of some kind."""
    named = filename(output.name, output.media_type)
    return named if "." in named else f"{named}.bin"


def headers_of(output: OutputFile) -> dict[str, str]:
    """Headers with which a browser saves the file, and, should it show it all the same, lets nothing in it act."""
    return {
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private",
        "ETag": f'"{output.sha256}"',
    }


def download_of(output: OutputFile, path: Path) -> KeptFile:
    """The answer with the bytes of an output: its sha256 is its entity tag, and parts of it may be asked for."""
    return KeptFile(
        path,
        tag=output.sha256,
        media_type=output.media_type,
        filename=filename_of(output),
        headers=headers_of(output),
    )
