"""The real marketplace on a real socket: its own sandbox, database and runner; hub and quota stand in."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from swath_marketplace.bootstrap import Settings, assemble
from swath_marketplace.testing import PREFIX, FakeIdentity, World, user, write_environment
from swath_quota.client import FakeQuotaClient


@dataclass
class Stack:
    """What a test talks to."""

    url: str
    world: World
    environ: dict[str, str]


class Door:
    """Passes the marketplace its requests and answers the one question that the client asks the hub."""

    def __init__(self, world: World) -> None:
        self._marketplace: ASGIApp = world.app()
        self._identity = world.identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"].startswith(PREFIX):
            await self._marketplace(scope, receive, send)
            return
        headers = dict(scope["headers"])
        actor = await self._identity.actor_for(headers.get(b"authorization", b"").decode().removeprefix("Bearer "))
        if actor is None:
            answer = JSONResponse({"status": 403, "message": "Missing or invalid credentials."}, status_code=403)
        else:
            answer = JSONResponse({"name": actor.name, "kind": "user", "scopes": sorted(actor.scopes), "groups": []})
        await answer(scope, receive, send)


def _serve(app: ASGIApp) -> tuple[str, uvicorn.Server, threading.Thread, socket.socket]:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(64)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/", server, thread, listening


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The marketplace, with `ada`, `bob` and `cyd` known by their names as tokens."""
    data = tmp_path_factory.mktemp("data")
    write_environment(data, python=sys.executable)
    settings = Settings(SWATH_DATA=data, SWATH_MARKETPLACE_DATABASE_URL=None)
    quota = FakeQuotaClient()
    identity = FakeIdentity({name: user(name) for name in ("ada", "bob", "cyd")})
    identity.actors["reader"] = replace(user("bob"), scopes=frozenset({"custom:swath:read"}))
    made = assemble(settings, quota=quota, prefix=PREFIX)
    world = World(settings=settings, quota=quota, made=made, identity=identity)
    url, server, thread, listening = _serve(Door(world))
    environ = {"SWATH_URL": url, "HOME": str(data)}
    try:
        yield Stack(url=url, world=world, environ=environ)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listening.close()
    assert not thread.is_alive()


@pytest.fixture
def as_user(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes this process call as the user of that name."""
    for name in ("JUPYTERHUB_API_TOKEN", "SWATH_RUN_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    def become(name: str) -> None:
        for key, value in {**stack.environ, "SWATH_TOKEN": name}.items():
            monkeypatch.setenv(key, value)

    become("ada")
    return become


@pytest.fixture(scope="session")
def write_notebook(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Writes a notebook that can be published and says where it is."""
    from swath_marketplace.testing import notebook

    def write(*cells: str, **metadata: Any) -> Path:
        path = tmp_path_factory.mktemp("notebooks") / "it.ipynb"
        path.write_text(json.dumps(notebook(*cells, **metadata)))
        return path

    return write
