"""One way to make and serve a service's FastAPI application."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from swath_service import problems
from swath_service.errors import SwathError
from swath_service.identity import Identity
from swath_service.logs import configure, new_id, request_id


class RequestId:
    """Gives each request an id, in the log, in problem documents and in the ``X-Request-Id`` header.

    Plain ASGI: Starlette's BaseHTTPMiddleware would run the handler in another context and buffer server-sent events.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Not reset afterwards: uvicorn gives each request a context of its own, and the handler of unforeseen errors,
        # which stands outside this middleware, still needs the id.
        request_id.set(new_id())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id.get()
            await send(message)

        await self._app(scope, receive, send_with_id)


def create_app(
    *,
    title: str,
    version: str,
    prefix: str,
    identity: Identity,
    statuses: Mapping[type[SwathError], int],
    **settings: Any,
) -> FastAPI:
    """A FastAPI application whose documents stand under `prefix` and whose errors are problem documents.

    Routers are to be included with ``prefix=prefix``: the proxy in front passes the whole path on, and FastAPI's
    ``root_path`` beside prefixed routes answers 404.
    """
    base = prefix.rstrip("/")
    app = FastAPI(
        title=title,
        version=version,
        openapi_url=f"{base}/openapi.json",
        docs_url=None,
        redoc_url=None,
        **settings,
    )
    app.state.identity = identity
    app.add_middleware(RequestId)
    problems.install(app, statuses)
    return app


def serve(app: FastAPI, *, service: str, host: str, port: int, log_level: str = "INFO") -> None:
    """Serve `app` until the process is told to end; the log goes to standard error."""
    configure(service, level=log_level)
    logging.getLogger("uvicorn.access").setLevel("WARNING")
    # Open event streams would otherwise hold a shutdown for as long as a caller listens.
    uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=3)
