"""Results as the standard hands them out: as they are, in parts, by their addresses, or in one document."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi.responses import JSONResponse, Response, StreamingResponse
from swath.contract.interface import GIVEN_OUTPUTS

from swath_marketplace.api.downloads import download_of
from swath_marketplace.api.ogc.failures import Failed
from swath_marketplace.api.ogc.telling import Teller, link
from swath_marketplace.domain.executions import Execution, ResponseForm, Transmission, WantedOutput
from swath_marketplace.domain.runs import OutputFile, Run

#: Beyond this many bytes an output stands in a document as its address: JSON has to be held in memory, on both sides.
MOST_INLINE_BYTES = 16 << 20
_PIECE = 1 << 16
_JSON = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json")
_NOSNIFF = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Brought:
    """One output that is handed out."""

    output: OutputFile
    path: Path
    href: str
    transmission: Transmission

    @property
    def by_value(self) -> bool:
        """Whether it comes itself."""
        return self.transmission is Transmission.VALUE


def wanted_of(run: Run, execution: Execution) -> Sequence[WantedOutput]:
    """What is to be handed out of a finished run: what was asked for, else all but what every run leaves."""
    if execution.outputs:
        return execution.outputs
    return [WantedOutput(name=output.name) for output in run.outputs if output.name not in GIVEN_OUTPUTS]


def answer(brought: Sequence[Brought], execution: Execution) -> Response:
    """The results in the form that the execute request asked for (table 11 of the standard)."""
    if execution.response is ResponseForm.DOCUMENT:
        return JSONResponse(document(brought), headers={"X-Content-Type-Options": "nosniff"})
    if not any(one.by_value for one in brought):
        response = Response(status_code=204)
        for one in brought:
            response.headers.append(
                "Link", link_header(one.href, "item", type=one.output.media_type, title=one.output.name)
            )
        return response
    if len(brought) == 1:
        only = brought[0]
        return download_of(only.output, only.path)
    boundary = f"swath-{secrets.token_hex(16)}"
    media_type = f'multipart/related; boundary="{boundary}"; type="{_base(brought[0].output.media_type)}"'
    return StreamingResponse(_parts(brought, boundary), headers={**_NOSNIFF, "Content-Type": media_type})


def link_header(href: str, rel: str, *, type: str | None = None, title: str | None = None) -> str:
    """A ``Link`` header (RFC 8288); names of outputs need no escaping."""
    told = f"<{href}>; rel={rel}"
    return told + (f'; type="{type}"' if type else "") + (f'; title="{title}"' if title else "")


def document(brought: Sequence[Brought], *, most_inline_bytes: int = MOST_INLINE_BYTES) -> dict[str, Any]:
    """The results document: each output by its name, larger ones as their addresses."""
    return {one.output.name: _inline(one, most_inline_bytes) for one in brought}


def failure(run: Run) -> Failed:
    """What is said when the results of a failed run are asked for."""
    if run.refusal is not None:
        return Failed(status=402, code=run.refusal.code, message=run.refusal.message, mend="see your wallet")
    error = run.error
    code = error.code if error else "failed"
    # Whose fault it is: a limit that the caller set or met is told as such, all else is the process's.
    status = {"budget-reached": 402, "credits-exhausted": 402, "time-limit": 504}.get(code, 500)
    where = {"cell": error.cell} if error and error.cell is not None else {}
    message = error.message if error else "the run failed"
    return Failed(status=status, code=code, message=message, mend="see the log of the run", extra=where)


def gone(run_id: str, teller: Teller) -> Failed:
    """What is said of the results of a dismissed run."""
    return Failed(
        status=410,
        code="job-dismissed",
        message="this job was dismissed",
        mend="execute the process again; the run itself is still there",
        extra={"links": [link(f"{teller.origin}{teller.base}/runs/{run_id}", "related")]},
    )


def _inline(one: Brought, most_bytes: int) -> Any:
    media_type = one.output.media_type
    if not one.by_value or one.output.bytes > most_bytes or not one.path.is_file():
        return link(one.href, "item", type=media_type, title=one.output.name)
    content = one.path.read_bytes()
    base = _base(media_type)
    if _JSON.fullmatch(base):
        try:
            # Wrapped whatever it is: an object of its own might look like one of the standard's (7.11.2.3).
            return {"value": json.loads(content), "mediaType": media_type}
        except (ValueError, RecursionError):
            pass
    if base.startswith("text/"):
        try:
            return {"value": content.decode(), "mediaType": media_type}
        except UnicodeDecodeError:
            pass
    return {"value": base64.b64encode(content).decode(), "encoding": "base64", "mediaType": media_type}


def _parts(brought: Sequence[Brought], boundary: str) -> Iterator[bytes]:
    for one in brought:
        head = [f"--{boundary}", f"Content-ID: {one.output.name}"]
        if one.by_value:
            head += [f"Content-Type: {one.output.media_type}", f"Content-Length: {one.output.bytes}"]
        else:
            head += [f"Content-Type: {one.output.media_type}", f"Content-Location: {one.href}"]
        yield ("\r\n".join(head) + "\r\n\r\n").encode()
        if one.by_value:
            with one.path.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _base(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()
