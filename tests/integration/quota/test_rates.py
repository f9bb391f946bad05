"""Rates at a service's door: a real server, real headers, and a quota that may be silent."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from swath_quota.api.app import make_app as make_quota
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.client import FakeQuotaClient, StandingPolicies
from swath_quota.domain.limits import Limit, Window
from swath_quota.domain.windows import Counter, counted, fits, next_fit, usage_of
from swath_quota.services import Desk
from swath_quota.store.memory import MemoryBooks
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.app import create_app
from swath_service.errors import Unavailable
from swath_service.rate_policies import Policies, RatePolicy
from swath_service.rate_sources import CachedPolicies, over_http
from swath_service.rates import ANONYMOUS, RateRule, RateWindows, install_rates, policies_of

pytestmark = pytest.mark.integration
PREFIX = "/services/room/"
PEOPLE = {
    "ada": Actor(name="ada", scopes=frozenset({Scope.READ})),
    "bea": Actor(name="bea", scopes=frozenset({Scope.READ})),
    "room": Actor(name="room", kind=ActorKind.SERVICE, scopes=frozenset({Scope.STANDING})),
}
#: So slow that nothing drains while a test runs.
SLOW = {"api": RatePolicy(quota=3, window_seconds=3000), "runs": RatePolicy(quota=1, window_seconds=3000)}


class Tokens:
    async def actor_for(self, token: str) -> Actor | None:
        if token == "hub-is-down":
            raise Unavailable(code="hub-unreachable", message="JupyterHub does not answer")
        return PEOPLE.get(token)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """`app` behind a real server on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


@dataclass
class Room:
    """A service with a gate, and what went in."""

    policies: Any = field(default_factory=lambda: policies_of(SLOW))
    windows: RateWindows | None = None
    calls: list[str] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = create_app(title="Room", version="0", prefix=PREFIX, identity=Tokens(), statuses={})

        @app.api_route(f"{PREFIX}{{name}}", methods=["GET", "POST"])
        async def door(name: str) -> dict[str, str]:
            self.calls.append(name)
            return {"name": name}

        install_rates(
            app,
            policies=self.policies,
            prefix=PREFIX,
            rules=[RateRule(policy="runs", method="POST", path=f"{PREFIX}runs")],
            windows=self.windows,
        )
        return app


@pytest.mark.parametrize(
    ("method", "path", "counts"),
    [
        ("POST", "/s/runs/r1/reproductions", True),
        ("GET", "/s/runs/r1/reproductions", False),
        ("POST", "/s/runs/r1/x/reproductions", False),
        ("POST", "/s/runs/reproductions", False),
        ("POST", "/s/runs/r1/reproductions/", False),
    ],
)
def test_a_star_in_a_rule_is_one_step(method: str, path: str, counts: bool) -> None:
    assert RateRule(policy="runs", method="POST", path="/s/runs/*/reproductions").matches(method, path) is counts


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def call(room: Room) -> Iterator[Callable[..., httpx.Response]]:
    with served(room.app()) as url, httpx.Client(base_url=url + PREFIX, trust_env=False) as client:

        def ask(token: str | None = "ada", path: str = "things", method: str = "GET", **more: Any) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return client.request(method, path, headers=headers, **more)

        yield ask


def test_every_answer_tells_where_its_caller_stands(call: Callable[..., httpx.Response]) -> None:
    first = call()
    assert first.status_code == 200
    # draft-ietf-httpapi-ratelimit-headers: lists of strings with parameters.
    assert first.headers["ratelimit-policy"] == '"api";q=3;w=3000'
    assert first.headers["ratelimit"] == '"api";r=2;t=1000'
    assert re.fullmatch(r'"api";r=1;t=\d+', call().headers["ratelimit"])


def test_too_much_is_refused_before_anything_is_done(room: Room, call: Callable[..., httpx.Response]) -> None:
    assert [call().status_code for _ in range(4)] == [200, 200, 200, 429]
    assert room.calls == ["things"] * 3
    before = datetime.now(UTC)
    no = call()
    assert no.headers["content-type"] == "application/problem+json"
    told = no.json()
    assert (told["type"], told["code"], told["status"]) == (
        "urn:swath:problem:quota-exceeded",
        "quota-exceeded",
        429,
    )
    assert (told["violated-policies"], told["limit_name"], told["limit"]) == (["api"], "api.requests.minute", 3)
    assert told["mend"]
    assert told["id"] == no.headers["x-request-id"]
    seconds = int(no.headers["retry-after"])
    assert 990 <= seconds <= 1000
    # Not earlier than what the fields say.
    assert no.headers["ratelimit"] == f'"api";r=0;t={seconds}'
    retry_at = datetime.fromisoformat(told["retry_at"])
    assert before + timedelta(seconds=seconds - 2) <= retry_at <= before + timedelta(seconds=seconds + 10)
    # Another caller is not held up.
    assert call("bea").status_code == 200


def test_starts_have_a_rate_of_their_own(room: Room, call: Callable[..., httpx.Response]) -> None:
    first = call(path="runs", method="POST")
    assert first.headers["ratelimit-policy"] == '"api";q=3;w=3000, "runs";q=1;w=3000'
    no = call(path="runs", method="POST")
    assert (no.status_code, no.json()["violated-policies"]) == (429, ["runs"])
    # Looking is not starting.
    assert call(path="runs").status_code == 200
    assert room.calls == ["runs", "runs"]


def test_services_and_health_are_exempt(call: Callable[..., httpx.Response]) -> None:
    answers = [call("room") for _ in range(6)] + [call(None, "health") for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit" in answer.headers for answer in answers)


@pytest.mark.parametrize("token", [None, "made-up", "hub-is-down"])
def test_whom_nobody_knows_is_counted_by_address(call: Callable[..., httpx.Response], token: str | None) -> None:
    refused = None
    for number in range(ANONYMOUS.quota * 3):
        # A new token at each try is no way around.
        answer = call(f"{token}-{number}" if token == "made-up" else token)
        if answer.status_code == 429:
            refused = answer
            break
    assert refused is not None
    assert number >= ANONYMOUS.quota
    assert call("ada").status_code == 200


# What a caller may, from quota


def desk_with(tier: str) -> Desk:
    tiers = load_tiers()
    return Desk(books=MemoryBooks(), tiers=type(tiers)(default=tier, tiers=tiers.tiers), prices=load_prices())


def test_the_tier_decides_and_a_degraded_standing_is_slower() -> None:
    desk = desk_with("general")
    fake = FakeQuotaClient(books=desk.books, limits=desk.limits, tiers=desk.tiers)
    room = Room(policies=StandingPolicies(fake.standing, believed_seconds=0))
    headers = {"Authorization": "Bearer ada"}
    with served(room.app()) as url, httpx.Client(base_url=url + PREFIX, trust_env=False, headers=headers) as client:
        assert client.get("x").headers["ratelimit-policy"] == '"api";q=300;w=60'
        fake.override(
            override_id="o",
            subject="ada",
            limit="products.month",
            hard=10,
            soft=0,
            reason="to degrade",
            ends_at=datetime.now(UTC) + timedelta(days=1),
        )
        fake.take(take_id="t", account="ada", limit="products.month", amount=1)
        assert client.get("x").headers["ratelimit-policy"] == '"api";q=150;w=60'


def test_the_archive_learns_rates_over_http_from_a_real_quota() -> None:
    desk = desk_with("copernicus-services")
    with served(make_quota(desk=desk, identity=Tokens(), prefix="/services/quota/")) as url:
        room = Room(policies=CachedPolicies(over_http(url + "/services/quota/", "room")))
        headers = {"Authorization": "Bearer ada"}
        with served(room.app()) as door, httpx.Client(base_url=door + PREFIX, trust_env=False) as client:
            assert client.get("x", headers=headers).headers["ratelimit-policy"] == '"api";q=1200;w=60'


def test_an_answer_is_kept_and_silence_holds_nobody_up() -> None:
    asked: list[str] = []
    answers: list[Policies | None] = [SLOW, None]
    stuck = asyncio.Event()

    async def ask(name: str) -> Policies:
        asked.append(name)
        if len(asked) > len(answers):
            await stuck.wait()
        answer = answers[len(asked) - 1]
        if answer is None:
            raise Unavailable(code="quota-unreachable", message="silence")
        return answer

    async def walk() -> None:
        kept = CachedPolicies(ask)
        assert [await kept(PEOPLE["ada"]) for _ in range(3)] == [SLOW] * 3
        assert asked == ["ada"]
        default = {"api": RatePolicy(quota=7, window_seconds=7)}
        failing = CachedPolicies(ask, default=default)
        assert [await failing(PEOPLE["bea"]) for _ in range(3)] == [default] * 3
        assert asked == ["ada", "bea"]
        slow = CachedPolicies(ask, default=default, patience_seconds=0.01)
        # Many at once ask once, and none waits for long.
        assert await asyncio.gather(*(slow(PEOPLE["ada"]) for _ in range(5))) == [default] * 5
        assert asked == ["ada", "bea", "ada"]
        answers.append(SLOW)
        stuck.set()
        while await slow(PEOPLE["ada"]) != SLOW:
            await asyncio.sleep(0)
        assert asked == ["ada", "bea", "ada"]

    asyncio.run(walk())


def test_a_redis_that_is_not_there_stops_nobody() -> None:
    room = Room(windows=RateWindows("redis://127.0.0.1:1/0"))
    headers = {"Authorization": "Bearer ada"}
    with served(room.app()) as url, httpx.Client(base_url=url + PREFIX, trust_env=False, headers=headers) as client:
        assert [client.get("x").status_code for _ in range(5)] == [200] * 5


def test_quotas_own_door_is_counted_as_its_tier_says(service: Any) -> None:
    with service.http("token-ada") as http:
        answer = http.get("limits")
        assert answer.headers["ratelimit-policy"] == '"api";q=6000;w=60'
        assert answer.json()["tier"] == "local"
        assert http.get("limits", params={"account": "bea"}).status_code == 403
        assert http.get("limits/overrides").status_code == 403
    with service.http("token-marketplace") as http:
        asked = {"take_id": "t1", "account": "ada", "limit": "runs.concurrent", "amount": 4}
        assert http.post("limits/takes", json=asked).status_code == 200
        no = http.post("limits/takes", json={**asked, "take_id": "t2", "amount": 1})
        told = no.json()
        assert (no.status_code, told["type"]) == (429, "urn:swath:problem:quota-exceeded")
        assert (told["limit_name"], told["limit"], told["violated-policies"]) == (
            "runs.concurrent",
            4,
            ["runs.concurrent"],
        )
        assert "ratelimit" not in no.headers
        assert http.delete("limits/takes/t1").status_code == 200
        rate = {"account": "ada", "limit": "runs.starts.minute", "amount": 120}
        assert http.post("limits/takes", json={**rate, "take_id": "t3"}).status_code == 200
        late = http.post("limits/takes", json={**rate, "take_id": "t4"})
        assert late.status_code == 429
        assert 50 <= int(late.headers["retry-after"]) <= 60


# The library and our own arithmetic are one rule


@settings(max_examples=150, deadline=None)
@given(
    quota=st.integers(1, 40),
    seconds=st.integers(1, 600),
    burst=st.integers(1, 60),
    steps=st.lists(st.tuples(st.integers(0, 60_000_000), st.integers(1, 5)), max_size=40),
)
def test_the_librarys_gcra_and_the_ledgers_agree(
    quota: int, seconds: int, burst: int, steps: list[tuple[int, int]]
) -> None:
    limit = Limit(name="a.r", window=Window.RATE, unit="request", hard=quota, seconds=seconds, burst=burst)
    policy = RatePolicy(quota=quota, window_seconds=seconds, burst=burst)
    at = datetime(2026, 5, 20, tzinfo=UTC)

    async def walk(monkeypatch: pytest.MonkeyPatch) -> None:
        clock = [1000.0]
        monkeypatch.setattr("throttled.utils.now_mono_f", lambda: clock[0])
        windows, now = RateWindows(), at
        counter = Counter(account="ada", limit="a.r", seen_at=at)
        for microseconds, cost in steps:
            clock[0] += microseconds / 1e6
            now += timedelta(microseconds=microseconds)
            usage = usage_of(limit, counter, now=now)
            ours = fits(limit, usage, amount=cost)
            theirs = await windows.hit("ada", policy, cost=cost)
            when = next_fit(limit, usage, amount=cost)
            if ours != theirs.allowed:
                # Theirs is in floating point: they may differ where an amount fits to the microsecond.
                assert when is not None
                assert theirs.more_in_seconds < 1e-3 or (when - now) < timedelta(milliseconds=1)
                return
            if ours:
                counter = counted(limit, counter, usage=usage, amount=cost)
            elif when is not None:
                assert (when - now).total_seconds() == pytest.approx(theirs.more_in_seconds, abs=1e-3)

    with pytest.MonkeyPatch.context() as monkeypatch:
        asyncio.run(walk(monkeypatch))
