"""Messages to listeners in SQL, on each kind of database: written with what they tell of, leased, ended, forgotten."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook as Verifier
from swath_marketplace.domain.hooks import Callback, DeliveryStage, Topic
from swath_marketplace.executors.fake import FakeExecutor, finishing
from swath_marketplace.hook_testing import LOOPBACK, Receiver, receiving
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.runs import RunRequest
from swath_marketplace.services.webhooks import WebhookRequest
from swath_marketplace.store.deliveries import DeliveryStore
from swath_marketplace.store.hook_tables import deliveries
from swath_marketplace.store.rounds import RoundStore
from swath_marketplace.testing import World, make_world, notebook, user, write_environment


class Clock:
    """Tells the time, moved forward at will."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(tmp_path: Path, database_url: str, clock: Clock) -> Iterator[World]:
    write_environment(tmp_path, python=sys.executable)
    executor = FakeExecutor(RunFolders(tmp_path / "marketplace" / "runs"), script=finishing(outputs={"double": b"6"}))
    made = make_world(
        tmp_path,
        database_url=database_url,
        executor=executor,
        clock=clock,
        slots_cpus=4,
        slots_memory_mb=8192,
        **LOOPBACK,
    )
    made.registry.publish(user("ada"), notebook())
    yield made
    made.made.database.dispose()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def deliver(world: World) -> None:
    while world.made.hooks.deliverer.look():
        pass


def run_once(world: World, **request: Any) -> str:
    run, _ = world.runs.create(user("bob"), RunRequest(algorithm="ada/double", parameters={"n": 3}, **request))
    world.look_until(run.id)
    return str(run.id)


def test_a_message_is_there_with_what_it_tells_of_or_not_at_all(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhooks = world.made.context.webhooks
    webhook, secret = webhooks.add(user("bob"), WebhookRequest(url=receiver.url, topics=(Topic.RUN_END,)))
    run, _ = world.runs.create(user("bob"), RunRequest(algorithm="ada/double", parameters={"n": 3}))

    class Cut(Exception):
        """The process, cut off within the transaction of a run's end."""

    from swath_marketplace.store import runs as module

    real = module.outbox.tell

    def broken(connection: sa.Connection, messages: Any) -> int:
        told = real(connection, messages)
        if told:
            raise Cut
        return told

    monkeypatch.setattr(module.outbox, "tell", broken)
    for _ in range(20):
        world.made.reconciler.look()
    assert not world.run(run.id).terminal
    with world.made.database.read() as connection:
        assert connection.execute(sa.select(deliveries)).all() == []
    monkeypatch.undo()
    world.made.reconciler._trouble.clear()
    world.look_until(run.id)
    deliver(world)
    (got,) = receiver.received
    assert Verifier(secret).verify(got.body, got.headers)["type"] == "run.end"
    (delivery,), _ = webhooks.deliveries(user("bob"), webhook.id, limit=5)
    assert (delivery.stage, delivery.tries) == (DeliveryStage.DELIVERED, 1)


def test_a_callback_of_another_form_is_written_once_and_sent_as_written(
    world: World, receiver: Receiver, clock: Clock
) -> None:
    written: list[str] = []

    def writer(delivery: Any, webhook: Any) -> str:
        written.append(delivery.run_id)
        return json.dumps({"job": delivery.run_id, "number": len(written)})

    world.made.hooks.deliverer.add_writer("other", writer)
    answers = iter([(500, {}), (200, {})])
    receiver.answer = lambda got: next(answers)
    callback = Callback(url=receiver.url, topics=(Topic.RUN_FINISHED,), form="other")
    run_id = run_once(world, callbacks=(callback,))
    deliver(world)
    clock.ahead = timedelta(minutes=1)
    deliver(world)
    assert written == [run_id]
    assert [json.loads(got.body) for got in receiver.received] == [{"job": run_id, "number": 1}] * 2
    assert "webhook-signature" not in receiver.received[0].headers


def test_a_lease_that_was_taken_over_writes_nothing(world: World, clock: Clock) -> None:
    store = DeliveryStore(world.made.database)
    run_once(world, callbacks=(Callback(url="http://127.0.0.1:9/", topics=(Topic.RUN_END,)),))
    now = clock()
    until = now + timedelta(seconds=5)
    ((delivery, webhook),) = store.claim(holder="a:1:1:x", now=now, until=until)
    assert store.claim(holder="b:1:1:x", now=now, until=until) == []
    later = now + timedelta(seconds=10)
    ((same, _),) = store.claim(holder="b:1:1:x", now=later, until=later + timedelta(seconds=5))
    assert same.id == delivery.id
    assert not store.write_body(delivery.id, holder="a:1:1:x", body="{}")
    assert store.get(delivery.id).stage is DeliveryStage.WAITING  # type: ignore[union-attr]
    assert webhook.user == "bob"


def test_what_is_old_is_forgotten(world: World, receiver: Receiver, clock: Clock) -> None:
    run_once(world, callbacks=(Callback(url=receiver.url, topics=(Topic.RUN_END,)),))
    store = DeliveryStore(world.made.database)
    deliver(world)
    assert store.prune(now=clock()) == 0
    assert store.prune(now=clock() + timedelta(days=31)) == 1


def test_of_two_services_one_works_on_rounds(world: World, clock: Clock) -> None:
    store, now = RoundStore(world.made.database), clock()
    until = now + timedelta(seconds=30)
    assert [store.lease(holder, now=now, until=until) for holder in ("a", "b", "a")] == [True, False, True]
