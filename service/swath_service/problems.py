"""Errors as ``application/problem+json`` (RFC 9457), each with an id that the log carries too."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from swath_service.errors import STATUSES, SwathError
from swath_service.logs import request_id
from swath_service.pages import wants_html

log = logging.getLogger(__name__)

#: Draws the page of an error with its status.
ErrorPage = Callable[[Request, SwathError, int], Response]

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def status_of(error: SwathError, statuses: Mapping[type[SwathError], int]) -> int:
    """Status of the nearest ancestor of `error` in the table."""
    for kind in type(error).__mro__:
        if kind in statuses:
            return statuses[kind]
    return 500


def problem(
    *, status: int, code: str, title: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
) -> JSONResponse:
    """A problem document; empty members are left out."""
    body = {
        "type": f"urn:swath:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "id": request_id.get(),
        **{name: value for name, value in members.items() if value},
    }
    told = dict(headers or {})
    if status == 401:
        told["WWW-Authenticate"] = 'Bearer realm="swath"'
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=told)


def _methods(request: Request) -> list[str]:
    """What may be done at an address: each method is a route of its own, and the first one knows but itself."""
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    return [
        method
        for method, scope in scopes.items()
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    ]


def show_pages(app: FastAPI, page: ErrorPage) -> None:
    """Have a browser that goes to an address be told what is wrong by `page`; programs are told as ever."""
    app.state.error_page = page


def _shown(request: Request, told: JSONResponse, *, mend: str = "") -> Response:
    """`told` as the service's page, where it has one and a browser asked for a page."""
    page: ErrorPage | None = getattr(request.app.state, "error_page", None)
    if page is None or request.method != "GET" or not wants_html(request) or told.status_code == 401:
        return told
    body = json.loads(bytes(told.body))
    error = SwathError(code=body["code"], message=_plain(body["detail"]), mend=body.get("mend", mend))
    answer = page(request, error, told.status_code)
    for name in ("Retry-After", "Allow"):
        if name in told.headers:
            answer.headers[name] = told.headers[name]
    return answer


def _plain(detail: str) -> str:
    """What a framework says, as people say it."""
    return "there is nothing at this address" if detail == "Not Found" else re.sub(r"\b(query|path)\.", "", detail)


def install(app: FastAPI, statuses: Mapping[type[SwathError], int]) -> None:
    """Make every error of `app` a problem document; `statuses` extends `swath_service.errors.STATUSES`."""
    table = {**STATUSES, **statuses}

    @app.exception_handler(SwathError)
    async def _told(request: Request, error: SwathError) -> Response:
        status = status_of(error, table)
        log.log(logging.ERROR if status >= 500 else logging.INFO, "%s %s: %s", status, error.code, error.message)
        told = problem(
            status=status,
            code=error.code,
            title=error.code.replace("-", " "),
            detail=error.message,
            mend=error.mend,
            findings=list(error.findings),
            headers=error.headers,
            **error.extra,
        )
        return _shown(request, told)

    @app.exception_handler(RequestValidationError)
    async def _malformed(request: Request, error: RequestValidationError) -> Response:
        # The rejected value itself is not echoed: it may be a secret sent in the wrong place.
        findings = [
            {"field": ".".join(str(part) for part in fault["loc"] if part != "body") or "body", "message": fault["msg"]}
            for fault in error.errors()
        ]
        told = problem(
            status=422,
            code="malformed-request",
            title="malformed request",
            detail="; ".join(f"{finding['field']}: {finding['message']}" for finding in findings),
            findings=findings,
        )
        return _shown(request, told, mend="change it in the address, or leave it out")

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = {400: "malformed-body", 404: "no-such-address", 405: "method-not-allowed"}.get(
            error.status_code, "http-error"
        )
        headers = {name: value for name, value in (error.headers or {}).items() if name.lower() != "www-authenticate"}
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_methods(request))
        title, detail = code.replace("-", " "), str(error.detail)
        told = problem(status=error.status_code, code=code, title=title, detail=detail, headers=headers)
        mend = "look at the address, or begin at the first page" if error.status_code == 404 else ""
        return _shown(request, told, mend=mend)

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> Response:
        log.exception("unforeseen %s", type(error).__name__)
        told = problem(
            status=500,
            code="internal-error",
            title="internal error",
            detail="something went wrong on our side; the operator finds it in the log under this id",
        )
        return _shown(request, told, mend="try it again; if it stays, tell the operator the id below")
