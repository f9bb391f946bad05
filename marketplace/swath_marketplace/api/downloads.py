"""How files that users made are handed out: never as a page of ours."""

from __future__ import annotations

from swath.contract.filenames import filename

from swath_marketplace.domain.runs import OutputFile


def filename_of(output: OutputFile) -> str:
    """A name for the file on the caller's disk; browsers do better with an ending of some kind."""
    named = filename(output.name, output.media_type)
    return named if "." in named else f"{named}.bin"


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
