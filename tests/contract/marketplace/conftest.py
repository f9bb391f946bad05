"""A marketplace over each kind of database, with a fake executor and a fake quota service."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.store.database import Database
from swath_marketplace.testing import PREFIX, World, begin_migrated, make_world, write_environment
from swath_service.oauth import BrowserSessions, OAuthSettings


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'marketplace.sqlite'}"
    url = request.getfixturevalue("postgres_database")
    assert isinstance(url, str)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The tables in it."""
    database = Database(begin_migrated(database_url))
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_environment(tmp_path, python=sys.executable)
    return tmp_path


@pytest.fixture
def world(data: Path, database_url: str) -> Iterator[World]:
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    made = make_world(data, database_url=database_url, executor=executor, slots_cpus=4, slots_memory_mb=8192)
    yield made
    made.made.database.dispose()


@pytest.fixture
async def bobs_browser(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Bob's browser, signed in; `Authorization` headers stand for programs."""
    app = world.app()
    settings = OAuthSettings(
        name="marketplace",
        prefix=PREFIX,
        client_id="service-marketplace",
        authorize_url="/hub/api/oauth2/authorize",
        token_url="http://hub/token",
        callback=f"{PREFIX}oauth_callback",
        secret="word-of-the-service",
    )
    hub = httpx.MockTransport(lambda request: httpx.Response(200, json={"access_token": "bob"}))
    BrowserSessions(settings, transport=hub).install(app)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://swath{PREFIX}") as client:
        to_hub = await client.get("oauth_login")
        state = httpx.URL(to_hub.headers["location"]).params["state"]
        await client.get("oauth_callback", params={"code": "x", "state": state})
        yield client
