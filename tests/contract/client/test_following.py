"""A run is followed to its end over every kind of broken connection, and each event is told once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import swath
from swath.client.errors import NotFound, RunCanceled, RunFailed, Unreachable, WaitTimeout
from swath.client.follow import Follower
from swath.client.session import connection


def _texts(run: Any) -> str:
    return "".join(run.logs(follow=True))


def test_waits_to_the_end_and_knows_the_cost(signed_in: Any) -> None:
    run = swath.run("ada/ndvi@^1", count=2)
    assert run.status == "created"
    assert run.cost is None
    run.wait(progress=False)
    assert (run.status, run.cost, run.progress) == ("finished", 1.5, 1.0)


@pytest.mark.parametrize("cuts", [[0], [1], [1, 1, 1], [2, 0, 1], [3]])
def test_tells_each_event_once_however_often_the_connection_breaks(signed_in: Any, cuts: list[int]) -> None:
    signed_in.run("r1")
    signed_in.cuts = list(cuts)
    assert _texts(swath.get_run("r1")) == "one\ntwo\nthree\n"
    assert len(signed_in.last_ids) == len(cuts) + 1


def test_asks_for_what_came_after_the_last_event_seen(signed_in: Any) -> None:
    signed_in.run("r1")
    signed_in.cuts = [2]
    assert _texts(swath.get_run("r1")) == "one\ntwo\nthree\n"
    assert signed_in.last_ids == [None, "1"]


@pytest.mark.parametrize("tells_status", [True, False])
def test_what_happened_while_the_connection_was_broken_is_told_though_the_run_is_over(
    signed_in: Any, tells_status: bool
) -> None:
    signed_in.run("r1")
    signed_in.cuts = [1]
    signed_in.tells_status = tells_status
    told = []
    for event in swath.get_run("r1").events():
        told.append(event)
        signed_in.end("r1")
    assert [event.data["text"] for event in told if event.type == "log"] == ["one\n", "two\n", "three\n"]
    assert (told[-1].type, told[-1].data["status"]) == ("status", "finished")


def test_line_separators_within_the_text_do_not_break_an_event(signed_in: Any) -> None:
    text = "a\u2028b\x85c\x1ed\n"
    signed_in.events["r1"] = [{"seq": 0, "type": "log", "text": text}]
    signed_in.run("r1")
    assert _texts(swath.get_run("r1")) == text


@pytest.mark.parametrize(("status", "kind"), [(404, "text/event-stream"), (500, "text/plain"), (200, "text/html")])
def test_polls_where_there_is_no_event_stream(signed_in: Any, status: int, kind: str) -> None:
    signed_in.run("r1")
    signed_in.stream_status, signed_in.stream_type = status, kind
    run = swath.get_run("r1")
    assert _texts(run) == "one\ntwo\nthree\n"
    assert run.status == "finished"
    assert len(signed_in.last_ids) == 1


def test_polls_when_every_stream_breaks_at_once(signed_in: Any) -> None:
    signed_in.run("r1")
    signed_in.cuts = [0] * 50
    events = Follower(connection(), "r1", sleep=lambda _: None).events()
    seen = []
    for event in events:
        seen.append(event)
        if event.type == "log":
            signed_in.end("r1")
    assert "".join(str(event.data["text"]) for event in seen if event.type == "log") == "one\ntwo\nthree\n"
    assert seen[-1].data["status"] == "finished"
    assert len(signed_in.last_ids) == 3


def test_a_silent_stream_does_not_hide_the_end(signed_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swath.client.follow._SILENCE", 0.2)
    signed_in.run("r1")
    signed_in.stall = True
    assert swath.get_run("r1").wait(timeout=30, progress=False).status == "finished"


@pytest.mark.parametrize(("status", "times"), [(503, 6), (404, 3)])
def test_waits_out_a_server_that_is_away(signed_in: Any, status: int, times: int) -> None:
    """Also where the proxy stands already and the service behind it does not: it answers 404 then."""
    signed_in.run("r1")
    run = swath.get_run("r1")
    signed_in.cuts = [1]
    signed_in.busy_status = status
    path = "GET /services/marketplace/runs/r1"
    signed_in.busy = {path: times, f"{path}/events": 0}
    texts = []
    for event in run.events():
        if event.type == "log":
            texts.append(event.data["text"])
            if len(texts) == 1:
                signed_in.busy[f"{path}/events"] = 1
    assert "".join(texts) == "one\ntwo\nthree\n"
    assert run.status == "finished"
    assert set(signed_in.busy.values()) == {0}


def test_gives_up_when_the_server_stays_away_for_longer_than_the_patience(signed_in: Any) -> None:
    signed_in.run("r1")
    signed_in.cuts = [1]
    signed_in.busy["GET /services/marketplace/runs/r1"] = 10**6
    with pytest.raises(Unreachable, match="the run r1 goes on"):
        list(Follower(connection(), "r1", patience=0.5).events())


def test_a_timeout_leaves_the_run_going(signed_in: Any) -> None:
    signed_in.run("r1")
    signed_in.outcome = {"status": "running"}
    signed_in.stall = True
    run = swath.get_run("r1")
    with pytest.raises(WaitTimeout, match="goes on") as caught:
        run.wait(timeout=0.5, progress=False)
    assert isinstance(caught.value, TimeoutError)
    assert "swath.get_run('r1')" in caught.value.mend
    assert not any(asked.startswith("DELETE") for asked in signed_in.asked)


def test_an_interrupt_leaves_the_run_going_and_says_how_to_come_back(
    signed_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in.run("r1")

    class Interrupting:
        def show(self, *, status: str, fraction: float, note: str) -> None:
            if any("events" in asked for asked in signed_in.asked):
                raise KeyboardInterrupt

        def close(self) -> None:
            pass

    with pytest.raises(KeyboardInterrupt):
        swath.get_run("r1").wait(progress=Interrupting())
    assert "swath.get_run('r1').wait()" in capsys.readouterr().err
    assert not any(asked.startswith("DELETE") for asked in signed_in.asked)


def test_a_failed_run_raises_with_cell_message_and_traceback(signed_in: Any) -> None:
    signed_in.run("r1")
    error = {"code": "cell-failed", "cell": 3, "message": "division by zero", "traceback": "\x1b[31mZeroDiv\x1b[0m"}
    signed_in.outcome = {"status": "error", "error": error}
    run = swath.get_run("r1")
    with pytest.raises(RunFailed) as caught:
        run.wait(progress=False)
    assert (caught.value.run_id, caught.value.cell, caught.value.code) == ("r1", 3, "cell-failed")
    assert "cell 4" in str(caught.value)
    assert "division by zero" in str(caught.value)
    assert "ZeroDiv" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert run.wait(raise_on_error=False).error.cell == 3


def test_a_refused_run_raises_the_refusal(signed_in: Any) -> None:
    signed_in.run("r1")
    refusal = {"code": "too-few-credits", "message": "too few credits", "retry_at": "2026-02-01T00:00:00Z"}
    signed_in.outcome = {"status": "error", "error": None, "refusal": refusal}
    with pytest.raises(swath.SwathError, match="too few credits") as caught:
        swath.get_run("r1").wait(progress=False)
    assert caught.value.code == "too-few-credits"


def test_a_canceled_run_says_so(signed_in: Any) -> None:
    signed_in.run("r1")
    run = swath.get_run("r1").cancel()
    assert run.status == "canceled"
    with pytest.raises(RunCanceled):
        run.wait(progress=False)


def test_a_run_of_somebody_else_is_not_found(signed_in: Any) -> None:
    with pytest.raises(NotFound, match="no such run"):
        swath.get_run("nope")


def test_two_may_follow_one_run_at_once(signed_in: Any) -> None:
    signed_in.run("r1")
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(_texts(swath.get_run("r1")))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert texts == ["one\ntwo\nthree\n"] * 4
