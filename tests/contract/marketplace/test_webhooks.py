"""Webhooks from end to end: a run, its outbox, a real receiver on loopback, and what users see of it."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from swath_marketplace.domain.hooks import PATIENCE, pause_after
from swath_marketplace.domain.runs import Stage
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.hook_testing import LOOPBACK, Received, Receiver, receiving
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.store.breaks import NoticeStore
from swath_marketplace.testing import PREFIX, World, make_world, notebook, user, write_environment


class Clock:
    """Tells the time, moved forward at will."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What is SQL in it is tried on both kinds of database elsewhere."""
    return f"sqlite:///{tmp_path / 'marketplace.sqlite'}"


def a_world(data: Path, database_url: str, clock: Clock, **settings: Any) -> World:
    executor = FakeExecutor(RunFolders(data / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    return make_world(
        data,
        database_url=database_url,
        executor=executor,
        clock=clock,
        slots_cpus=4,
        slots_memory_mb=8192,
        SWATH_URL="https://swath.example.org:8000/",
        **{**LOOPBACK, **settings},
    )


@pytest.fixture
def world(tmp_path: Path, database_url: str, clock: Clock) -> Iterator[World]:
    write_environment(tmp_path, python=sys.executable)
    made = a_world(tmp_path, database_url, clock)
    made.registry.publish(user("ada"), notebook())
    yield made
    made.made.database.dispose()


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://test{PREFIX}", headers={"Authorization": "Bearer bob"}
    ) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


BOB = user("bob")


def deliver(world: World) -> None:
    while world.made.hooks.deliverer.look():
        pass


def run_once(world: World, **request: Any) -> str:
    run, _ = world.runs.create(BOB, RunRequest(algorithm="ada/double@^1", parameters={"n": 3}, **request))
    world.look_until(run.id)
    return str(run.id)


def types(receiver: Receiver) -> list[str]:
    return [json.loads(got.body)["type"] for got in receiver.received]


async def add(http: httpx.AsyncClient, url: str, *events: str, **body: Any) -> dict[str, Any]:
    answer = await http.post("webhooks", json={"url": url, **({"events": events} if events else {}), **body})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_run_is_told_of_signed_and_in_order(http: httpx.AsyncClient, world: World, receiver: Receiver) -> None:
    told = await add(http, receiver.url, "run.start", "run.output", "run.end")
    assert told["secret"].startswith("whsec_")
    run_id = run_once(world)
    deliver(world)
    assert types(receiver) == ["run.start", "run.output", "run.end"]
    for got in receiver.received:
        read = Verifier(told["secret"]).verify(got.body, got.headers)
        link = f"https://swath.example.org:8000{PREFIX}runs/{run_id}"
        assert (read["data"]["run"]["id"], read["data"]["run"]["link"]) == (run_id, link)
        with pytest.raises(WebhookVerificationError):
            Verifier(told["secret"]).verify(got.body + b" ", got.headers)
    output, end = (json.loads(got.body)["data"] for got in receiver.received[1:])
    assert (output["output"]["name"], end["run"]["status"]) == ("double", "finished")
    assert "parameters" not in end["run"]
    page = (await http.get(f"webhooks/{told['id']}/deliveries")).json()
    assert page["total"] == 3
    assert {(one["status"], one["attempts"], one["answer"]) for one in page["deliveries"]} == {("delivered", 1, 204)}
    assert "secret" not in (await http.get(f"webhooks/{told['id']}")).json()
    assert "whsec_" not in (await http.get("webhooks")).text


async def test_who_listens_for_what(http: httpx.AsyncClient, world: World, receiver: Receiver) -> None:
    await add(http, receiver.url + "/errors", "run.end.error")
    await add(http, receiver.url + "/ends", "run.end.finished", algorithm="ada/double")
    assert (await http.post("webhooks", json={"url": receiver.url, "algorithm": "ada/other"})).status_code == 404
    first = run_once(world)
    assert (await http.post("webhooks", json={"url": receiver.url, "run": first})).json()["code"] == "run-over"
    run, _ = world.runs.create(user("ada"), RunRequest(algorithm="ada/double", parameters={"n": 1}))
    world.look_until(run.id)
    deliver(world)
    # The end of bob's run alone: ada's is hers.
    assert [got.path for got in receiver.received] == ["/hook/ends"]
    unknown = await http.post("webhooks", json={"url": receiver.url, "events": ["run.end", "run.begin"]})
    assert (unknown.status_code, unknown.json()["findings"][0]["field"]) == (422, "events.1")


async def test_a_webhook_to_a_private_address_is_refused(
    tmp_path: Path, database_url: str, clock: Clock, http: httpx.AsyncClient, world: World, receiver: Receiver
) -> None:
    """At its creation, at each change, with a run; and at the delivery, when the operator allows it no more."""
    webhook = await add(http, receiver.url)
    strict = a_world(tmp_path, database_url, clock, outgoing_networks="", outgoing_http=False)
    transport = httpx.ASGITransport(strict.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://test{PREFIX}", headers={"Authorization": "Bearer bob"}
    ) as closed:
        for url in (
            receiver.url,
            "https://127.0.0.1/",
            "https://localhost:8000/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[::ffff:10.0.0.1]/",
            "https://user:pw@example.org/",
        ):
            refused = await closed.post("webhooks", json={"url": url})
            assert (refused.status_code, refused.json()["code"]) == (422, "address-refused"), url
            assert (await closed.patch(f"webhooks/{webhook['id']}", json={"url": url})).status_code == 422
            body = {"algorithm": "ada/double", "parameters": {"n": 3}, "webhook": {"url": url}}
            refused = await closed.post("runs", json=body)
            assert (refused.status_code, refused.json()["code"]) == (422, "address-refused"), url
    assert (await http.get("runs")).json()["total"] == 0
    run_once(strict)
    assert strict.made.hooks.deliverer.look() == 1
    assert receiver.received == []
    (start, _) = (await http.get(f"webhooks/{webhook['id']}/deliveries")).json()["deliveries"][::-1]
    assert (start["status"], start["attempts"], start["answer"]) == ("waiting", 1, None)
    assert "not sent to" in start["error"]
    strict.made.database.dispose()


async def test_failures_are_tried_again_later_under_the_same_id(
    http: httpx.AsyncClient, world: World, receiver: Receiver, clock: Clock
) -> None:
    told = await add(http, receiver.url, "run.end")
    answers = iter([(500, {}), (302, {"Location": receiver.url}), (503, {"Retry-After": "600"}), (200, {})])
    receiver.answer = lambda got: next(answers)
    run_once(world)
    seen = []
    for ahead, more in ((0, 1), (1, 0), (7, 1), (60, 1), (400, 0), (800, 1), (9999, 0)):
        clock.ahead = timedelta(seconds=ahead)
        before = len(receiver.received)
        deliver(world)
        seen.append((ahead, len(receiver.received) - before == more))
    assert all(ok for _, ok in seen), seen
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1
    assert len({got.body for got in receiver.received}) == 1
    (delivery,) = (await http.get(f"webhooks/{told['id']}/deliveries")).json()["deliveries"]
    whole = (await http.get(f"webhooks/{told['id']}/deliveries/{delivery['id']}")).json()
    assert [one["answer"] for one in whole["tries"]] == [500, 302, 503, 200]
    assert "no redirect is followed" in whole["tries"][1]["error"]
    assert whole["id"] == receiver.received[0].headers["webhook-id"]
    assert (await http.get(f"webhooks/{told['id']}")).json()["failing_since"] is None


def test_tries_spread_over_three_days() -> None:
    for spread in (0.0, 0.5, 1.0):
        seconds, tries = 0.0, 0
        while seconds < PATIENCE.total_seconds():
            tries += 1
            seconds += pause_after(tries, spread=spread)
        assert 13 <= tries <= 20
    assert pause_after(1, spread=0.5) == 5
    assert pause_after(1, spread=0.5, retry_after=1e9) == 3600
    assert pause_after(10_000, spread=1.0) < 10 * 3600


async def test_one_that_takes_nothing_for_days_is_switched_off_with_a_notice(
    http: httpx.AsyncClient, world: World, receiver: Receiver, clock: Clock
) -> None:
    told = await add(http, receiver.url, "run.end", "notice")
    receiver.answer = lambda got: (500, {})
    run_once(world)
    for hours in range(0, 96, 9):
        clock.ahead = timedelta(hours=hours)
        deliver(world)
    found = (await http.get(f"webhooks/{told['id']}")).json()
    assert (found["active"], "took nothing since" in found["disabled_why"]) == (False, True)
    (notice,), _ = NoticeStore(world.made.database).list("bob", limit=5, offset=0)
    assert (notice.kind.value, notice.link) == ("webhook-disabled", f"webhooks/{told['id']}")
    before = len(receiver.received)
    run_once(world)
    deliver(world)
    assert len(receiver.received) == before
    assert (await http.post(f"webhooks/{told['id']}/test")).status_code == 409
    (delivery,) = (await http.get(f"webhooks/{told['id']}/deliveries")).json()["deliveries"]
    receiver.answer = lambda got: (204, {})
    assert (await http.patch(f"webhooks/{told['id']}", json={"active": True})).json()["active"]
    path = f"webhooks/{told['id']}/deliveries/{delivery['id']}"
    assert (await http.post(f"{path}/redeliver")).status_code == 202
    deliver(world)
    assert (await http.get(path)).json()["status"] == "delivered"
    assert receiver.received[-1].headers["webhook-id"] == delivery["id"]


async def test_one_that_is_gone_for_good_is_switched_off_at_once(
    http: httpx.AsyncClient, world: World, receiver: Receiver
) -> None:
    told = await add(http, receiver.url, "run.end")
    receiver.answer = lambda got: (410, {})
    run_once(world)
    deliver(world)
    assert not (await http.get(f"webhooks/{told['id']}")).json()["active"]


async def test_a_rotation_lets_both_secrets_hold_for_a_while(
    http: httpx.AsyncClient, world: World, receiver: Receiver, clock: Clock
) -> None:
    told = await add(http, receiver.url)
    rotated = (await http.post(f"webhooks/{told['id']}/rotate", json={"overlap_hours": 2})).json()
    old, new = told["secret"], rotated["secret"]
    assert old != new
    assert (await http.post(f"webhooks/{told['id']}/test")).status_code == 202
    deliver(world)
    (got,) = receiver.received
    for secret in (old, new):
        assert Verifier(secret).verify(got.body, got.headers)["type"] == "ping"
    clock.ahead = timedelta(hours=3)
    await http.post(f"webhooks/{told['id']}/test")
    deliver(world)
    signatures = receiver.received[-1].headers["webhook-signature"].split()
    assert len(signatures) == 1


async def test_a_webhook_is_its_owners(http: httpx.AsyncClient, world: World, receiver: Receiver) -> None:
    told = await add(http, receiver.url)
    path = f"webhooks/{told['id']}"
    for who, status in (("ada", 404), ("robot", 404), ("root", 200)):
        head = {"Authorization": f"Bearer {who}"}
        assert (await http.get(path, headers=head)).status_code == status
        assert (await http.get(f"{path}/deliveries", headers=head)).status_code == status
        assert (await http.post(f"{path}/rotate", headers=head)).status_code == (403 if who == "root" else 404)
    assert (await http.post("webhooks", json={"url": receiver.url}, headers={"Authorization": "Bearer robot"})).json()[
        "code"
    ] == "users-only"
    assert (await http.delete(path)).status_code == 204
    assert (await http.get(path)).status_code == 404
    run_once(world)
    deliver(world)
    assert receiver.received == []
    for _ in range(20):
        await add(http, receiver.url)
    assert (await http.post("webhooks", json={"url": receiver.url})).json()["code"] == "too-many-webhooks"


async def test_a_run_may_come_with_a_webhook_of_its_own(
    http: httpx.AsyncClient, world: World, receiver: Receiver
) -> None:
    body = {"algorithm": "ada/double", "parameters": {"n": 3}, "webhook": {"url": receiver.url, "events": ["run.end"]}}
    made = await http.post("runs", json=body, headers={"Idempotency-Key": "k"})
    again = await http.post("runs", json=body, headers={"Idempotency-Key": "k"})
    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["webhook"] == again.json()["webhook"]
    world.look_until(made.json()["id"])
    run_once(world)
    deliver(world)
    (got,) = receiver.received
    read = Verifier(made.json()["webhook"]["secret"]).verify(got.body, got.headers)
    assert read["data"]["run"]["id"] == made.json()["id"]
    assert (await http.get("webhooks")).json() == {"webhooks": []}


async def test_a_notice_is_told_too(http: httpx.AsyncClient, world: World, receiver: Receiver) -> None:
    await add(http, receiver.url + "/gone", "run.end")
    await add(http, receiver.url + "/notices", "notice")
    receiver.answer = lambda got: (410 if got.path.endswith("gone") else 200, {})
    run_once(world)
    deliver(world)
    (notice,) = (json.loads(got.body) for got in receiver.received if got.path.endswith("notices"))
    assert (notice["type"], notice["data"]["notice"]["kind"]) == ("notice", "webhook-disabled")


async def test_progress_is_told_in_tenths_and_not_for_long(
    http: httpx.AsyncClient, world: World, receiver: Receiver, clock: Clock
) -> None:
    from dataclasses import replace

    from swath_marketplace.domain.hook_messages import of_run

    await add(http, receiver.url, "run.progress")
    run = replace(world.run(run_once(world)), stage=Stage.RUNNING, outcome=None, settlement=None, progress=0.0)
    told = []
    for percent in range(100):
        after = replace(run, progress=percent / 100)
        told += of_run(run, after, now=clock())
        run = after
    assert [message.data["run"]["progress"] for message in told] == [one / 10 for one in range(1, 10)]
    assert told[0].patience == timedelta(minutes=5)


async def test_a_slow_receiver_keeps_nobody_else_waiting(
    http: httpx.AsyncClient, world: World, receiver: Receiver
) -> None:
    going, seen = threading.Event(), threading.Event()

    def answer(got: Received) -> tuple[int, dict[str, str]]:
        if got.path.endswith("slow"):
            going.wait(10)
        else:
            seen.set()
        return 200, {}

    receiver.answer = answer
    await add(http, receiver.url + "/slow", "run.start", "run.end")
    await add(http, receiver.url + "/quick", "run.start", "run.end")
    run_once(world)
    world.made.hooks.deliverer.start()
    try:
        assert seen.wait(10)
        assert [got.path for got in receiver.received].count("/hook/slow") <= 1
    finally:
        going.set()
        world.made.hooks.deliverer.stop()
