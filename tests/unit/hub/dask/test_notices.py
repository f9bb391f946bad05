"""What the gateway tells reaches every client of a cluster once."""

from __future__ import annotations

import json
import pickle
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from swath_hub.dask import answers, notices, scheduler_notices
from swath_hub.dask.accounts import Notice


def _texts(messages: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    return {client: [pickle.loads(one["event"][1]["message"]) for one in told] for client, told in messages.items()}


def test_each_client_hears_each_notice_once(tmp_path: Path) -> None:
    folder = tmp_path / "told"
    notices.prepare(folder)
    lines = folder / scheduler_notices.LINES.name
    assert scheduler_notices.read(lines) == []
    told: dict[str, int] = {}
    scheduler = SimpleNamespace(clients={"c1": 1})

    def look() -> dict[str, list[str]]:
        return _texts(scheduler_notices.untold(scheduler, told, scheduler_notices.read(lines)))

    notices.write(folder, [Notice(key="a", text="first", at="1")])
    assert look() == {}  # It has not said yet what it listens to.
    assert look() == {"c1": ["first"]}
    assert look() == {}
    notices.write(folder, [Notice(key="a", text="first", at="1"), Notice(key="b", text="second", at="2")])
    scheduler.clients["c2"] = 1
    assert look() == {"c1": ["second"]}
    assert look() == {"c2": ["first", "second"]}
    del scheduler.clients["c1"]
    assert look() == {}
    assert set(told) == {"c2"}


def test_others_may_read_and_nobody_else_write(tmp_path: Path) -> None:
    folder = tmp_path / "told"
    notices.prepare(folder)
    notices.write(folder, [Notice(key="a", text="x", at="1")])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
    assert modes == {"told": 0o755, "notices.py": 0o644, "notices.jsonl": 0o644}


def test_a_cluster_from_before_there_were_notices_is_no_trouble(tmp_path: Path) -> None:
    notices.write(tmp_path / "none", [Notice(key="a", text="x", at="1")])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("said", [[], ["why"]])
async def test_an_answer_says_why(said: list[str]) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        for text in said:
            answers.say(text)
        return web.json_response({"ok": True, "msg": None})

    answer = await answers.tell(make_mocked_request("POST", "/"), handler)
    assert isinstance(answer, web.Response)
    expected = {"ok": False, "msg": "why"} if said else {"ok": True, "msg": None}
    assert json.loads(answer.text or "") == expected
    answers.say("nobody is asking: no error")
