"""What users made, shown in a frame: under a name that nobody can guess, for a while, with nothing in it able to act.

A page with scripts has no origin (`swath_service.page_keys`), so a frame in it sends no cookie: a ticket stands for one
file that its person may see.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fastapi.responses import FileResponse

from swath_service.errors import NotFound
from swath_service.kept import Kept

TICKET_SECONDS = 600
#: No script, ever: neither by the frame's own sandbox nor by this one; nothing is loaded from anywhere.
HEADERS = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; form-action 'none';"
        " base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class _Shown:
    path: Path
    media_type: str
    name: str


class Tickets:
    """Names of files that are shown, kept in this process; a restart asks for new ones."""

    def __init__(self) -> None:
        self._shown: Kept[_Shown] = Kept(TICKET_SECONDS)

    def issue(self, base: str, path: Path, *, media_type: str, name: str) -> str:
        """The address under which `path` is shown for a while, to whoever has it."""
        ticket = self._shown.add(_Shown(path, media_type, name))
        return f"{base}/content/{ticket}/{quote(name, safe='')}"

    def answer(self, ticket: str, name: str) -> FileResponse:
        """The file of `ticket`.

        Raises
        ------
        NotFound
            It is too old, made up, or another file's.
        """
        shown = self._shown.get(ticket)
        if shown is None or shown.name != name or not shown.path.is_file():
            raise NotFound(code="no-such-ticket", message="this view is over", mend="load the page again")
        return FileResponse(
            shown.path,
            media_type=shown.media_type,
            filename=shown.name,
            content_disposition_type="inline",
            headers=HEADERS,
        )
