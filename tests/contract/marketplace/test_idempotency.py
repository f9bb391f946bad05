"""One request, one effect, one answer: at every door that makes something, whatever races, on each kind of database."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from starlette.responses import StreamingResponse
from swath_marketplace.domain.errors import KeyInUse, KeyReused
from swath_marketplace.hook_testing import LOOPBACK
from swath_marketplace.services.answers import Answered, Answers, Claim
from swath_marketplace.services.hook_secrets import HookSecrets, SecretsUnfit
from swath_marketplace.store.database import Database
from swath_marketplace.store.hook_tables import idempotency
from swath_marketplace.store.idempotency import IdempotencyStore
from swath_marketplace.testing import PREFIX, World, make_world, notebook, user

URL = "http://127.0.0.1:9/hook"


class Clock:
    """Tells the time, moved forward at will."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def world(data: Path, database_url: str) -> Iterator[World]:
    made = make_world(data, database_url=database_url, **LOOPBACK)
    yield made
    made.made.database.dispose()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://test{PREFIX}", headers={"Authorization": "Bearer ada"}
    ) as client:
        yield client


async def test_of_many_who_come_at_once_with_one_key_one_makes_it(http: httpx.AsyncClient) -> None:
    async def ask() -> httpx.Response:
        while True:
            answer = await http.post("webhooks", json={"url": URL}, headers={"Idempotency-Key": "k"})
            if answer.status_code != 409:
                return answer
            assert (answer.json()["code"], answer.headers["retry-after"]) == ("idempotency-key-in-use", "1")
            await asyncio.sleep(0.02)

    answers = await asyncio.gather(*(ask() for _ in range(12)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len({answer.headers["x-request-id"] for answer in answers}) == 12
    assert len((await http.get("webhooks")).json()["webhooks"]) == 1


async def test_the_rules_of_a_key(http: httpx.AsyncClient, world: World) -> None:
    head = {"Idempotency-Key": "one"}
    made = await http.post("webhooks", json={"url": URL}, headers=head)
    other = await http.post("webhooks", json={"url": URL + "2"}, headers=head)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert other.headers["content-type"] == "application/problem+json"
    # Another's key of the same text is another's, and so is the same text at another door.
    theirs = await http.post("webhooks", json={"url": URL}, headers=head | {"Authorization": "Bearer bob"})
    assert theirs.json()["id"] != made.json()["id"]
    assert (await http.post("algorithms", json={"notebook": notebook()}, headers=head)).status_code == 201
    again = await http.post("algorithms", json={"notebook": notebook()}, headers=head)
    # Without a key it is 200, the same content was there; with it the answer is the first one's.
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    bad = await http.post("webhooks", json={"url": URL}, headers={"Idempotency-Key": "x" * 201})
    assert (bad.status_code, bad.json()["code"]) == (422, "bad-idempotency-key")
    assert (await http.post("webhooks", json={"url": URL}, headers=head | {"Authorization": "x"})).status_code == 401
    # A request that made nothing leaves its key free.
    wrong = await http.post("webhooks", json={"url": "ftp://x/"}, headers={"Idempotency-Key": "two"})
    right = await http.post("webhooks", json={"url": URL}, headers={"Idempotency-Key": "two"})
    assert (wrong.status_code, right.status_code) == (422, 201)
    with world.made.database.read() as connection:
        rows = connection.execute(sa.select(idempotency)).all()
    stored = repr(rows)
    assert len(rows) == 4
    assert made.json()["secret"] not in stored
    assert b"whsec_" not in b"".join(row.answer for row in rows)


async def test_an_answer_too_long_to_be_kept_is_passed_on_as_it_comes(world: World) -> None:
    app = world.app()
    calls: list[int] = []

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * (64 << 10)

    @app.post(f"{PREFIX}long")
    async def long() -> StreamingResponse:
        calls.append(1)
        return StreamingResponse(pieces())

    transport = httpx.ASGITransport(app)
    head = {"Authorization": "Bearer ada", "Idempotency-Key": "k"}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}", headers=head) as client:
        answers = [await client.post("long") for _ in range(2)]
    assert [len(answer.content) for answer in answers] == [40 * (64 << 10)] * 2
    assert len(calls) == 2


@pytest.fixture
def answers(database: Database, tmp_path: Path) -> tuple[Answers, Clock]:
    clock = Clock()
    secrets = HookSecrets(tmp_path / "key")
    return Answers(store=IdempotencyStore(database), secrets=secrets, clock=clock), clock


ADA = user("ada")
SAID = Answered(status=201, headers={"location": "/x"}, body='{"secret": "s"}')


def test_threads_that_race_for_a_claim(answers: tuple[Answers, Clock]) -> None:
    store, _ = answers
    going = threading.Barrier(8)

    def come(_: int) -> object:
        going.wait()
        try:
            return store.claim(ADA, "POST /x", key="k", request=b"{}")
        except KeyInUse as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(come, range(8)))
    (claim,) = (one for one in found if isinstance(one, Claim))
    assert sum(isinstance(one, KeyInUse) for one in found) == 7
    store.keep(claim, SAID)
    assert store.claim(ADA, "POST /x", key="k", request=b"{}") == SAID
    with pytest.raises(KeyReused):
        store.claim(ADA, "POST /x", key="k", request=b"[]")


def test_what_a_process_that_died_had_begun_is_begun_again(answers: tuple[Answers, Clock]) -> None:
    store, clock = answers
    dead = store.claim(ADA, "POST /x", key="k", request=b"{}")
    assert isinstance(dead, Claim)
    clock.ahead = timedelta(seconds=61)
    with pytest.raises(KeyReused):
        store.claim(ADA, "POST /x", key="k", request=b"[]")
    mine = store.claim(ADA, "POST /x", key="k", request=b"{}")
    assert isinstance(mine, Claim)
    # It was not dead but slow: its word comes too late.
    store.keep(dead, Answered(status=200, headers={}, body="late"))
    store.release(dead)
    store.keep(mine, SAID)
    assert store.claim(ADA, "POST /x", key="k", request=b"{}") == SAID
    clock.ahead = timedelta(hours=49)
    assert isinstance(store.claim(ADA, "POST /x", key="k", request=b"[]"), Claim)


def test_the_key_of_secrets_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "webhooks.key"
    with ThreadPoolExecutor(6) as pool:
        made = set(pool.map(lambda _: HookSecrets(path).secret("a", 1), range(6)))
    assert len(made) == 1
    assert [one.name for one in path.parent.iterdir()] == ["webhooks.key"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert HookSecrets(path).secret("a", 2) not in made
    path.chmod(0o640)
    with pytest.raises(SecretsUnfit, match="others may read"):
        HookSecrets(path).secret("a", 1)
