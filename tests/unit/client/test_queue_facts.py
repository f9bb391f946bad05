"""What is said of a run that waits, and of one that was asked to save."""

from __future__ import annotations

from typing import Any

import pytest
from swath.client.follow import Event
from swath.client.progress import Watched
from swath.client.run import Run


def facts(**data: Any) -> dict[str, str]:
    run = Run(None, {"id": "a1", "algorithm": "ada/double", "version": "1.0.0", **data})  # type: ignore[arg-type]
    return dict(run.facts())


@pytest.mark.parametrize(
    ("queue", "text"),
    [
        ({"runs_before": 0, "wait_seconds": 0}, "next, about 0.0 s if nobody comes before it"),
        ({"runs_before": 1, "wait_seconds": 185}, "1 run before it, about 3 min 05 s if nobody comes before it"),
        ({"runs_before": 12, "wait_seconds": None}, "12 runs before it"),
    ],
)
def test_a_waiting_run_says_how_many_come_before_it(queue: dict[str, Any], text: str) -> None:
    assert facts(status="queued", queue=queue)["in the queue"] == text


@pytest.mark.parametrize("queue", [None, {}, {"runs_before": "many"}])
def test_what_is_not_told_is_not_made_up(queue: Any) -> None:
    assert "in the queue" not in facts(status="queued", queue=queue)
    assert "in the queue" not in facts(status="running", queue={"runs_before": 1, "wait_seconds": 1})


def test_a_run_that_was_asked_to_save_says_so() -> None:
    asked = {"code": "budget-reached", "message": "its budget is nearly used"}
    assert facts(status="running", checkpoint=asked)["asked to save"] == "its budget is nearly used"
    assert "asked to save" not in facts(status="finished", checkpoint=asked)


def test_a_bar_shows_the_request() -> None:
    shown: list[str] = []

    class Display:
        def show(self, *, status: str, fraction: float, note: str) -> None:
            shown.append(f"{status} {note}")

        def close(self) -> None:
            pass

    with Watched(Display()) as watched:
        watched.take(Event(type="checkpoint-requested", data={"message": "its budget is nearly used"}))
    assert shown[-1] == "running its budget is nearly used"
