"""A loop goes on after a step that failed, wakes when it is told to, and ends when it is stopped."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest
from swath_service.loops import Loop

#: Longer than any test waits: a step that comes within it did not come by itself.
NEVER = 3600.0
PATIENCE = 20.0


class Steps:
    """Does what it is told, step by step, and tells of each."""

    def __init__(self) -> None:
        self.taken: SimpleQueue[str] = SimpleQueue()
        self.answers: SimpleQueue[float | Exception | None] = SimpleQueue()

    def __call__(self) -> float | None:
        self.taken.put(threading.current_thread().name)
        answer = self.answers.get(timeout=PATIENCE)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def next(self, answer: float | Exception | None = None) -> str:
        """Let the next step come and answer so; the name of its thread."""
        self.answers.put(answer)
        return self.taken.get(timeout=PATIENCE)


@pytest.fixture
def steps() -> Steps:
    """What a loop does."""
    return Steps()


@pytest.fixture
def loop(steps: Steps) -> Iterator[Loop]:
    """A loop that does nothing by itself after its first step."""
    made = Loop("tests", steps, every_seconds=NEVER)
    yield made
    made.stop(within_seconds=PATIENCE)


def alive() -> bool:
    """Whether the loop's thread is there."""
    return any(thread.name == "tests" for thread in threading.enumerate())


def test_a_step_comes_at_once_then_when_woken_and_sooner_where_there_is_more(loop: Loop, steps: Steps) -> None:
    loop.start()
    assert steps.next() == "tests"
    loop.wake()
    steps.next(0.0)
    steps.next()
    assert steps.taken.empty()


def test_who_wakes_it_during_a_step_is_heard_after_it(loop: Loop, steps: Steps) -> None:
    loop.start()
    steps.taken.get(timeout=PATIENCE)
    loop.wake()
    steps.answers.put(None)
    steps.next()


def test_a_failing_step_is_logged_with_an_id_and_ends_nothing(steps: Steps, caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop("tests", steps, every_seconds=0.01)
    with caplog.at_level(logging.ERROR, logger="swath_service.loops"):
        loop.start()
        steps.next(OSError("away"))
        steps.next(OSError("still away"))
        steps.next()
        loop.stop(within_seconds=0)
        steps.answers.put(None)
        loop.stop()
    told = [record for record in caplog.records if record.exc_info]
    assert [str(record.exc_info[1]) for record in told if record.exc_info] == ["away", "still away"]
    assert len({found[0] for record in told if (found := re.search(r"error [0-9a-f]{16}", record.getMessage()))}) == 2


def test_a_failing_step_is_not_spun_by_wakes_and_its_pause_ends_when_stopped(loop: Loop, steps: Steps) -> None:
    waits: list[float | None] = []
    paused = threading.Event()
    wait = loop._ending.wait

    def noted(timeout: float | None = None) -> bool:
        waits.append(timeout)
        paused.set()
        return wait(0.0 if len(waits) < 4 else timeout)

    loop._ending.wait = noted  # type: ignore[method-assign]
    loop.start()
    for _ in range(4):
        paused.clear()
        loop.wake()
        steps.next(OSError("away"))
        assert paused.wait(PATIENCE)
    loop.stop()
    assert waits == [1.0, 2.0, 4.0, 8.0]
    assert not alive()


def test_it_ends_when_stopped_and_may_be_started_anew(loop: Loop, steps: Steps) -> None:
    loop.stop()
    loop.start()
    steps.taken.get(timeout=PATIENCE)
    with pytest.raises(RuntimeError, match="runs already"):
        loop.start()
    loop.stop(within_seconds=0)
    assert loop.ending
    assert alive()
    steps.answers.put(0.0)
    loop.stop()
    assert not alive()
    assert steps.taken.empty()
    loop.start()
    assert not loop.ending
    steps.next()
