"""One quota, five ways: the fake, the services over each database, and HTTP to a real application over each."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import make_url
from swath_quota import services
from swath_quota.api.app import make_app
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.client import FakeQuotaClient, HttpQuotaClient, QuotaClient
from swath_quota.domain.meters import MeterStore
from swath_quota.domain.ports import Books
from swath_quota.domain.quote_ports import QuoteStore
from swath_quota.services import Desk
from swath_quota.store.engine import connect
from swath_quota.store.memory import MemoryBooks
from swath_quota.store.migrate import migrate
from swath_quota.store.quote_memory import MemoryQuotes
from swath_quota.store.quotes import SqlQuotes
from swath_quota.store.sql import SqlBooks
from swath_quota.store.usage_memory import MemoryMeters
from swath_quota.store.usage_sql import SqlMeters
from swath_service.actor import Actor, ActorKind, Scope

OPERATOR = Actor(name="quota", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))


@dataclass
class Clock:
    """A time that tests move."""

    now: datetime = datetime(2026, 5, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@dataclass
class Identities:
    """Tokens and who they are."""

    actors: dict[str, Actor] = field(default_factory=lambda: {"token-of-the-test": OPERATOR})

    async def actor_for(self, token: str) -> Actor | None:
        return self.actors.get(token)


@dataclass
class Rig:
    """A client, and what the test may do behind its back."""

    client: QuotaClient
    desk: Desk
    clock: Clock

    def sweep_meters(self) -> int:
        return services.sweep_meters(OPERATOR, self.desk)

    def sweep(self) -> int:
        return services.sweep(OPERATOR, self.desk)

    def audit(self) -> services.AuditReport:
        return services.audit(OPERATOR, self.desk)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """`app` behind a real server on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()
        assert not thread.is_alive()


@pytest.fixture
def serve() -> object:
    """`served`, for tests with an application of their own."""
    return served


@cache
def _newest_sqlite() -> bytes:
    """An empty database as the migrations make it."""
    with tempfile.TemporaryDirectory(prefix="swath-newest-") as folder:
        path = Path(folder) / "quota.sqlite"
        engine = connect(f"sqlite:///{path}")
        migrate(engine)
        engine.dispose()
        return path.read_bytes()


@contextmanager
def sql_books(url: str, *, begun: bool = False) -> Iterator[SqlBooks]:
    """The books at `url`, at the newest schema; where `begun`, a SQLite file is copied with it instead of migrated."""
    place = make_url(url)
    if begun and place.get_backend_name() == "sqlite" and place.database:
        Path(place.database).write_bytes(_newest_sqlite())
    engine = connect(url)
    try:
        migrate(engine)
        yield SqlBooks(engine)
    finally:
        engine.dispose()


def _database_url(kind: str, *, request: pytest.FixtureRequest, folder: Path) -> str:
    if kind == "postgresql":
        return str(request.getfixturevalue("postgres_database"))
    return f"sqlite:///{folder / 'quota.sqlite'}"


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Books]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryBooks()
        return
    with sql_books(_database_url(request.param, request=request, folder=tmp_path), begun=True) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    return _database_url(request.param, request=request, folder=tmp_path)


@pytest.fixture
def open_books() -> object:
    """`sql_books`, for tests that open the same database more than once."""
    return sql_books


@pytest.fixture(
    params=[
        "fake",
        "services-sqlite",
        "services-postgresql",
        pytest.param("http-sqlite", marks=pytest.mark.integration),
        pytest.param("http-postgresql", marks=pytest.mark.integration),
    ]
)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A quota of each kind; whatever a test did to it, its books are sound afterwards."""
    how, _, kind = request.param.partition("-")
    clock = Clock()
    with ExitStack() as stack:
        books: Books = MemoryBooks()
        meters: MeterStore = MemoryMeters()
        if kind:
            url = _database_url(kind, request=request, folder=tmp_path)
            sql = stack.enter_context(sql_books(url, begun=True))
            books, meters = sql, SqlMeters(sql.engine)
        quotes: QuoteStore = SqlQuotes(books.engine) if isinstance(books, SqlBooks) else MemoryQuotes()
        desk = Desk(books=books, tiers=load_tiers(), prices=load_prices(), clock=clock, meters=meters, quotes=quotes)
        client: QuotaClient
        if how == "http":
            prefix = "/services/quota/"
            url = stack.enter_context(served(make_app(desk=desk, identity=Identities(), prefix=prefix)))
            client = stack.enter_context(HttpQuotaClient(url + prefix, "token-of-the-test"))
        else:
            client = FakeQuotaClient(books=books, meters=meters, clock=clock, quotes=quotes)
        made = Rig(client=client, desk=desk, clock=clock)
        yield made
        assert made.audit().breaches == ()
