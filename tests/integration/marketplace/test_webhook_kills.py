"""The marketplace is killed with messages on their way: none is lost, and none comes as two."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from standardwebhooks import Webhook as Verifier
from swath_marketplace.hook_testing import Received, receiving

_SCRIPT = Path(__file__).with_name("mortal_hooks.py")


@contextmanager
def process(what: str, data: Path, url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process and the first line that it says; killed at the end of the block, if not before."""
    command = [sys.executable, str(_SCRIPT), what, str(data), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            yield started, started.stdout.readline().strip()
        finally:
            started.kill()


def until(done: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def test_a_killed_marketplace_loses_no_message_and_doubles_none(tmp_path: Path) -> None:
    arrived = threading.Event()
    killed = threading.Event()

    def answer(_: Received) -> tuple[int, dict[str, str]]:
        arrived.set()
        killed.wait(30)
        return 204, {}

    with receiving() as receiver:
        # Killed between the commit of the run's end and any delivery.
        with process("run", tmp_path, receiver.url) as (_, secret):
            assert secret.startswith("whsec_")
        assert receiver.received == []
        # Killed when the first message has arrived and nobody wrote that down.
        receiver.answer = answer
        with process("deliver", tmp_path, receiver.url) as (_, said):
            assert said == "delivering"
            assert arrived.wait(30)
        killed.set()
        receiver.answer = lambda _: (204, {})
        with process("deliver", tmp_path, receiver.url):
            until(lambda: len(receiver.received) >= 3)
            # Long enough for a fourth to come, were there one.
            time.sleep(1.5)
        ids = [got.headers["webhook-id"] for got in receiver.received]
        assert (len(ids), ids[0]) == (3, ids[1])
        assert receiver.received[0].body == receiver.received[1].body
        # A receiver that drops what it has seen is told of each thing once.
        once = {got.headers["webhook-id"]: got for got in receiver.received}
        assert [json.loads(got.body)["type"] for got in once.values()] == ["run.start", "run.end"]
        for got in receiver.received:
            Verifier(secret).verify(got.body, got.headers)
