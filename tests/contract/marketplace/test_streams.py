"""The events of a run: replayed from every id, live and afterwards; and ``Prefer`` on the request for a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from swath_marketplace.api import stream
from swath_marketplace.api.preferences import Preferences
from swath_marketplace.executors.fake import process_end, write_report
from swath_marketplace.testing import PREFIX, World, notebook, user

Event = tuple[str, str, dict[str, Any]]
BOB = {"Authorization": "Bearer bob"}
ASKED = {"algorithm": "ada/double", "parameters": {"n": 3}}


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'marketplace.sqlite'}"


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    world.registry.publish(user("ada"), notebook())
    transport = httpx.ASGITransport(world.app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://test{PREFIX}", headers=BOB) as client:
        yield client


def events_of(text: str) -> list[Event]:
    found = []
    for block in text.replace("\r\n", "\n").strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in fields:
            found.append((fields["event"], fields["id"], json.loads(fields["data"])))
    return found


LINES = [
    {"type": "start", "total_cells": 2},
    {"type": "cell-start", "cell": 0},
    {"type": "log", "stream": "stdout", "text": "one\u2028two\n"},
    {"type": "progress", "fraction": 0.25, "message": "a quarter"},
    {"type": "log", "stream": "stderr", "text": "ö" * 300},
    {"type": "progress", "fraction": 0.75},
    {"type": "output", "name": "double"},
    {"type": "end", "name": "finished"},
]


def log(folder: Any, upto: int) -> None:
    at = "2026-01-01T00:00:00Z"
    lines = [json.dumps({"seq": seq, "at": at, **line}) + "\n" for seq, line in enumerate(LINES[:upto])]
    beside = folder.out / "events.new"
    beside.write_text("".join(lines), encoding="utf-8")
    # At once: a reader sees lines that are whole, as the runner writes them.
    beside.replace(folder.out / "events.jsonl")


async def whole(http: httpx.AsyncClient, run_id: str, **given: Any) -> list[Event]:
    return events_of((await http.get(f"runs/{run_id}/events", **given)).text)


@pytest.mark.parametrize("killed", [False, True])
async def test_a_replayed_event_is_not_doubled(http: httpx.AsyncClient, world: World, killed: bool) -> None:
    """From each id on, by header or by query, comes what follows it, once: with what came before it is the whole."""

    def script(_: Any, folder: Any) -> Any:
        log(folder, 5 if killed else len(LINES))
        if killed:
            return process_end(exit_code=137)
        write_report(folder, outputs={"double": b"6"})
        return process_end()

    world.fake.script = script
    run_id = (await http.post("runs", json=ASKED)).json()["id"]
    world.look_until(run_id)
    told = await whole(http, run_id)
    ids = [event_id for _, event_id, _ in told]
    assert len(set(ids)) == len(ids)
    kinds = [kind for kind, _, _ in told]
    assert (kinds.count("end"), kinds[-2:]) == (1, ["end", "status"])
    assert told[-1][2]["status"] == ("error" if killed else "finished")
    for place, event_id in enumerate(ids):
        by_header = await whole(http, run_id, headers={"Last-Event-ID": event_id, **BOB}, params={"after": ids[0]})
        by_query = await whole(http, run_id, params={"after": event_id})
        assert told[: place + 1] + by_header == told, event_id
        assert by_query == by_header


async def test_what_was_seen_live_and_what_is_replayed_make_the_whole(
    http: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that is cut off after any event of a run that goes on, and comes back after its end."""
    monkeypatch.setattr(stream, "_QUICK_SECONDS", 0.01)
    folders: list[Any] = []

    def script(_: Any, folder: Any) -> Any:
        folders.append(folder)
        write_report(folder, outputs={"double": b"6"})
        return process_end()

    world.fake.script, world.fake.hold_back = script, True
    run_id = (await http.post("runs", json=ASKED)).json()["id"]
    services = world.made.context
    live: list[Event] = []

    async def read() -> None:
        async for one in stream.follow(services, run_id, start=stream.Place()):
            live.append((str(one.event), str(one.id), json.loads(one.data or "")))

    reader = asyncio.create_task(read())
    for lines in range(len(LINES) + 1):
        world.made.reconciler.look()
        for folder in folders:
            log(folder, lines)
        await asyncio.sleep(0.03)
    world.fake.let_end(run_id)
    await asyncio.to_thread(world.look_until, run_id)
    await asyncio.wait_for(reader, 10)
    assert {kind for kind, _, _ in live} == {"status"} | {str(line["type"]) for line in LINES}
    after = await whole(http, run_id)
    for place, (_, event_id, _) in enumerate(live):
        rest = await whole(http, run_id, params={"after": event_id})
        seen = [(kind, data.get("seq"), data.get("status")) for kind, _, data in live[: place + 1] + rest]
        assert sorted(seen, key=str) == sorted(
            [(kind, data.get("seq"), data.get("status")) for kind, _, data in after], key=str
        ), event_id


async def test_a_run_that_never_ran_ends_its_stream_the_same_way(http: httpx.AsyncClient, world: World) -> None:
    run_id = (await http.post("runs", json=ASKED)).json()["id"]
    await http.delete(f"runs/{run_id}")
    world.look_until(run_id)
    told = await whole(http, run_id)
    assert [data.get("status") or data.get("name") for _, _, data in told][-2:] == ["canceled", "canceled"]
    assert (await whole(http, run_id, params={"after": told[-1][1]})) == []
    assert (await whole(http, run_id, params={"after": told[-2][1]})) == told[-1:]


@pytest.mark.parametrize(
    ("lines", "respond_async", "wait"),
    [
        ([], False, None),
        (["respond-async"], True, None),
        (["wait=5"], False, 5),
        (["Respond-Async, WAIT=7; foo=bar"], True, 7),
        (["wait=99"], False, 60),
        (["wait=3, wait=9"], False, 3),
        (["handling=lenient", "wait = 4"], False, 4),
        (["wait=-1"], False, None),
        (["wait=1e9, wait"], False, None),
        (["wait=" + "9" * 5000], False, None),
        (["wait=٣"], False, None),
        (['respond-async="x"'], False, None),
        ([",,;;==,"], False, None),
    ],
)
def test_preferences_are_read_as_the_standard_says(lines: list[str], respond_async: bool, wait: float | None) -> None:
    read = Preferences.parse(lines, most=60)
    assert (read.respond_async, read.wait) == (respond_async, wait)


async def test_who_prefers_not_to_wait_is_told_where_to_look(http: httpx.AsyncClient, world: World) -> None:
    answer = await http.post("runs", json=ASKED, headers={"Prefer": "respond-async", "Idempotency-Key": "k"})
    run = answer.json()
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    assert answer.headers["location"] == f"{PREFIX}runs/{run['id']}"
    assert int(answer.headers["retry-after"]) > 0
    world.look_until(run["id"])
    again = await http.post("runs", json=ASKED, headers={"Prefer": "respond-async", "Idempotency-Key": "k"})
    assert (again.status_code, again.json()["status"]) == (200, "finished")
    plain = await http.post("runs", json=ASKED)
    assert (plain.status_code, "preference-applied" in plain.headers) == (201, False)


async def test_who_waits_gets_the_end_when_it_comes_in_time(http: httpx.AsyncClient, world: World) -> None:
    world.made.reconciler.start()
    try:
        answer = await http.post("runs", json=ASKED, headers={"Prefer": "wait=20"})
        assert (answer.status_code, answer.json()["status"]) == (201, "finished")
        assert answer.headers["preference-applied"] == "wait=20"
        world.fake.hold_back = True
        slow = await http.post("runs", json=ASKED, headers={"Prefer": "respond-async, wait=0"})
        assert (slow.status_code, slow.headers["preference-applied"]) == (202, "respond-async, wait=0")
        assert slow.json()["status"] in ("queued", "running")
    finally:
        world.made.reconciler.stop()


async def test_who_goes_away_while_waiting_changes_nothing(http: httpx.AsyncClient, world: World) -> None:
    going = asyncio.create_task(http.post("runs", json=ASKED, headers={"Prefer": "wait=30", "Idempotency-Key": "k"}))
    while not (found := (await http.get("runs")).json()["runs"]):
        await asyncio.sleep(0.02)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    world.look_until(found[0]["id"])
    answer = await http.post("runs", json=ASKED, headers={"Prefer": "wait=30", "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (200, found[0]["id"], "finished")
