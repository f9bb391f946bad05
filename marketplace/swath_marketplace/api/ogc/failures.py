"""Errors as the standard's exceptions: problem documents with its types, its statuses, and pages for browsers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from swath_service.errors import STATUSES as FAMILIES
from swath_service.errors import Conflict, Invalid, SwathError, Unauthenticated
from swath_service.logs import request_id
from swath_service.oauth import SignInNeeded
from swath_service.pages import wants_html
from swath_service.problems import status_of

from swath_marketplace.api.context import context_of
from swath_marketplace.api.errors import STATUSES
from swath_marketplace.api.ogc import words
from swath_marketplace.api.rendering import render_error

log = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
_TYPES = {
    "no-such-process": words.NO_SUCH_PROCESS,
    "no-such-algorithm": words.NO_SUCH_PROCESS,
    "no-such-version": words.NO_SUCH_PROCESS,
    "bad-reference": words.NO_SUCH_PROCESS,
    "bad-range": words.NO_SUCH_PROCESS,
    "no-such-run": words.NO_SUCH_JOB,
    "result-not-ready": words.RESULT_NOT_READY,
    "duplicated-process": words.DUPLICATED,
    "immutable-process": words.IMMUTABLE,
    "unsupported-media-type": words.UNSUPPORTED,
}


class Failed(Conflict):
    """What the standard has a status of its own for: what is asked does not fit what became of the job."""

    def __init__(self, *, status: int, **told: Any) -> None:
        super().__init__(**told)
        self.status = status


class OgcRoute(APIRoute):
    """A route whose errors are told as the standard tells them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with errors caught; those of signing in are everybody's."""
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except (SignInNeeded, Unauthenticated):
                raise
            except RequestValidationError as error:
                return exception(request, _malformed(error))
            except SwathError as error:
                return exception(request, error)

        return told


def exception(request: Request, error: SwathError) -> Response:
    """`error` as an exception of the standard; as a page, to a browser."""
    status = _status(error)
    log.log(logging.ERROR if status >= 500 else logging.INFO, "%s %s: %s", status, error.code, error.message)
    if wants_html(request) and status < 500:
        page = render_error(request, error, prefix=context_of(request).shapes.base, viewer=None)
        page.status_code = status
        return page
    body = {
        "type": _TYPES.get(error.code, f"urn:swath:problem:{error.code}"),
        "title": error.code.replace("-", " "),
        "status": status,
        "detail": error.message,
        "code": error.code,
        "id": request_id.get(),
        "instance": request.url.path,
        **{name: value for name, value in {"mend": error.mend, "findings": list(error.findings)}.items() if value},
        **error.extra,
    }
    return JSONResponse(body, status_code=status, media_type=_media_type(request), headers=error.headers)


def _status(error: SwathError) -> int:
    if isinstance(error, Failed):
        return error.status
    if error.code in {"bad-reference", "bad-range"}:
        # In this door's addresses these are ids of processes that nobody has.
        return 404
    status = status_of(error, {**FAMILIES, **STATUSES})
    # The standard knows 400 for whatever is wrong with a request.
    return 400 if isinstance(error, Invalid) else status


def _media_type(request: Request) -> str:
    """``application/problem+json``, unless the caller says that it reads plain JSON only."""
    accepted = request.headers.get("accept", "*/*").lower()
    return PROBLEM if PROBLEM in accepted or "*/*" in accepted or "json" not in accepted else "application/json"


def _malformed(error: RequestValidationError) -> Invalid:
    # The rejected value itself is not echoed: it may be a secret sent in the wrong place.
    findings = [
        {"field": str(fault["loc"][-1] if fault["loc"] else "request"), "message": fault["msg"]}
        for fault in error.errors()
    ]
    return Invalid(
        code="malformed-request",
        message="; ".join(f"{found['field']}: {found['message']}" for found in findings),
        mend="see the API definition",
        findings=findings,
    )
