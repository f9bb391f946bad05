"""A marketplace in this process, on a free port, with a hub that lets everybody in: what pages need, and no more.

The origin is shared, as in a real Swath: below ``/user/eve/`` somebody's Lab server says whatever the test wants.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from swath_marketplace.testing import PREFIX, World
from swath_service.oauth import BrowserSessions, OAuthSettings


@dataclass
class PagesStack:
    """Where it is, and who signs in next."""

    world: World
    url: str
    who: str = "ada"
    evil: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What ``/user/eve/<path>`` answers: media type and content."""
    asked: list[str] = field(default_factory=list)
    """Paths below ``/user/`` that were asked for."""

    def at(self, path: str) -> str:
        """The address of `path` below the service."""
        return f"{self.url}{PREFIX}{path}"


@contextmanager
def serving(world: World) -> Iterator[PagesStack]:
    """Serve `world` until the end of the block."""
    app: FastAPI = world.app()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        stack = PagesStack(world=world, url=f"http://127.0.0.1:{listening.getsockname()[1]}")
        _install_hub(app, stack)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
        thread.start()
        _wait(lambda: server.started)
        try:
            yield stack
        finally:
            server.should_exit = True
            thread.join(15)


def _wait(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + 15
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.01)


def _install_hub(app: FastAPI, stack: PagesStack) -> None:
    @app.get("/hub/api/oauth2/authorize")
    async def authorize(state: str) -> Response:
        return RedirectResponse(f"{PREFIX}oauth_callback?code={stack.who}&state={state}", status_code=302)

    @app.get("/user/eve/{path:path}")
    async def somebody(path: str, request: Request) -> Response:
        stack.asked.append(str(request.url))
        kind, content = stack.evil.get(path, ("text/html", "<p>a Lab server"))
        if kind == "text/html":
            return HTMLResponse(content)
        return Response(content, media_type=kind, headers={"Service-Worker-Allowed": "/"})

    def token(request: httpx.Request) -> httpx.Response:
        code = dict(pair.split("=", 1) for pair in request.content.decode().split("&"))["code"]
        return httpx.Response(200, json={"access_token": code})

    settings = OAuthSettings(
        name="marketplace",
        prefix=PREFIX,
        client_id="service-marketplace",
        authorize_url="/hub/api/oauth2/authorize",
        token_url="http://hub/token",
        callback=f"{PREFIX}oauth_callback",
        secret="word-of-the-service",
    )
    BrowserSessions(settings, transport=httpx.MockTransport(token)).install(app)
