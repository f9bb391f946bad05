"""Quotes and observations over every store and through every client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from swath_quota.api.app import make_app
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.client import (
    Basis,
    NoSuchPrices,
    NoSuchQuote,
    Observation,
    ObservationDiffers,
    ObservationSource,
    PurposeKind,
    Quote,
    QuoteDiffers,
    QuoteRequest,
    Reserved,
)
from swath_quota.domain.quote_ports import QuoteStore
from swath_quota.services import Desk
from swath_quota.store.engine import connect
from swath_quota.store.memory import MemoryBooks
from swath_quota.store.migrate import migrate
from swath_quota.store.quote_memory import MemoryQuotes
from swath_quota.store.quotes import SqlQuotes
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Invalid

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
RESERVED = Reserved(cpus=1, memory_mb=2048, wall_seconds=600)
REQUEST = QuoteRequest(
    quote_id="q1", kind=PurposeKind.RUN, subject="sha256:a", reserved=RESERVED, features={"area_km2": 1.5}
)


def observation(number: int, **more: Any) -> Observation:
    usage = {"cpu_seconds": 10.0 + number * 0.1, "memory_mb_seconds": 20480.0, "wall_seconds": 10.0}
    told: dict[str, Any] = {"features": {"area_km2": 1.5}, "usage": usage, "finished": True, **more}
    at = NOW + timedelta(seconds=number)
    return Observation(id=f"o{number}", **{"kind": PurposeKind.RUN, "subject": "sha256:a", "at": at, **told})


def quoted(number: int, **more: Any) -> Quote:
    told: dict[str, Any] = {
        "id": f"q{number}",
        "kind": PurposeKind.RUN,
        "subject": "sha256:a",
        "reserved": RESERVED,
        "features": {"a": 0.1},
        "p50": 1,
        "p95": 2,
        "upper": 3,
        "hold": 3,
        "ceiling": 10**12,
        "p50_seconds": 0.25,
        "p95_seconds": 1.0,
        "basis": Basis.HISTORY,
        "observations": 7,
        "explanation": "learnt",
        "price_version": "2023-11-01",
        "created_at": NOW,
        "valid_until": NOW + timedelta(hours=1),
    }
    return Quote(**{**told, **more})


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[QuoteStore]:
    if request.param == "memory":
        yield MemoryQuotes()
        return
    url = f"sqlite:///{tmp_path / 'q.sqlite'}"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_database"))
    engine = connect(url)
    migrate(engine)
    yield SqlQuotes(engine)
    engine.dispose()


def test_what_is_stored_comes_back_and_is_never_replaced(store: QuoteStore) -> None:
    quote, seen = quoted(1), observation(1, quote_id="q1", source=ObservationSource.BENCHMARK)
    assert (store.quote("q1"), store.revision(PurposeKind.RUN, "sha256:a")) == (None, 0)
    assert store.add_quote(quote) == store.quote("q1") == quote
    assert store.add_quote(replace(quote, p50=0)) == quote
    assert store.add_observation(seen) == seen
    assert store.add_observation(replace(seen, finished=False)) == seen
    assert store.observations(PurposeKind.RUN, "sha256:a", limit=5) == (seen,)


def test_the_newest_finished_of_a_subject_are_learnt_from(store: QuoteStore) -> None:
    for number in (3, 1, 2, 4):
        store.add_observation(observation(number))
    store.add_observation(observation(5, finished=False))
    store.add_observation(observation(6, subject="sha256:b"))
    store.add_observation(observation(7, kind=PurposeKind.DASK))
    assert store.revision(PurposeKind.RUN, "sha256:a") == 4
    assert [one.id for one in store.observations(PurposeKind.RUN, "sha256:a", limit=3)] == ["o2", "o3", "o4"]


def test_quotes_are_paired_with_what_followed(store: QuoteStore) -> None:
    for number in range(4):
        store.add_quote(quoted(number))
    store.add_quote(quoted(9, subject="sha256:b"))
    store.add_observation(observation(0, quote_id="q0"))
    store.add_observation(observation(1, quote_id="q1", finished=False))
    store.add_observation(observation(2, quote_id="never-given"))
    store.add_observation(observation(3))
    store.add_observation(observation(8, quote_id="q9", subject="sha256:b"))
    pairs = [(quote.id, seen.id) for quote, seen in store.settled(limit=10)]
    assert pairs == [("q9", "o8"), ("q1", "o1"), ("q0", "o0")]
    assert [quote.id for quote, _ in store.settled(subject="sha256:a", limit=1)] == ["q1"]


def test_of_many_at_once_one_is_stored(store: QuoteStore) -> None:
    start, answers = threading.Barrier(8), []

    def add(number: int) -> None:
        start.wait()
        answers.append(store.add_quote(quoted(1, p50=number % 2)))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all(answer == store.quote("q1") for answer in answers)


def test_the_database_refuses_to_change_them(store: QuoteStore) -> None:
    if not isinstance(store, SqlQuotes):
        pytest.skip("memory has no triggers")
    store.add_quote(quoted(1))
    store.add_observation(observation(1))
    for statement in ("UPDATE quotes SET p50 = 0", "DELETE FROM quotes", "DELETE FROM observations"):
        with pytest.raises(sa.exc.DBAPIError), store._engine.begin() as connection:
            connection.execute(sa.text(statement))


def test_a_quote_is_given_once_and_found_again(rig: Any) -> None:
    first = rig.client.quote(REQUEST)
    assert first.basis is Basis.COLD_START
    assert first.hold == first.ceiling == 250 + 333 + 2000
    assert (first.price_version, first.valid_until) == ("2023-11-01", rig.clock.now + timedelta(hours=1))
    rig.clock.pass_(hours=2)
    assert rig.client.quote(REQUEST) == rig.client.get_quote("q1") == first
    with pytest.raises(QuoteDiffers):
        rig.client.quote(replace(REQUEST, features={"area_km2": 2.0}))
    with pytest.raises(NoSuchQuote):
        rig.client.get_quote("q2")


def test_what_was_observed_is_learnt_once(rig: Any) -> None:
    for number in range(6):
        rig.client.observe(observation(number))
        rig.client.observe(replace(observation(number), at=NOW + timedelta(days=1)))
    with pytest.raises(ObservationDiffers):
        rig.client.observe(observation(0, finished=False))
    told = rig.client.quote(REQUEST)
    assert (told.basis, told.observations) == (Basis.HISTORY, 6)
    assert told.p50_seconds == pytest.approx(10, rel=0.05)
    assert told.p50 <= told.upper == told.hold < told.ceiling


def test_prices_are_found_by_version(rig: Any) -> None:
    assert rig.client.prices("2023-11-01") == rig.client.prices()
    assert rig.client.prices().version == "2023-11-01"
    with pytest.raises(NoSuchPrices):
        rig.client.prices("2020-01-01")


def test_every_fault_of_a_request_is_told_at_once(rig: Any) -> None:
    wrong = replace(
        REQUEST,
        quote_id="/",
        subject="",
        reserved=Reserved(cpus=-1, memory_mb=-1, wall_seconds=0),
        features={"a": float("nan"), "b c": 1.0},
    )
    with pytest.raises(Invalid) as refused:
        rig.client.quote(wrong)
    told = " ".join(str(finding["field"]) for finding in refused.value.findings)
    for field in ("quote_id", "subject", "cpus", "memory_mb", "wall_seconds", "features"):
        assert field in told
    with pytest.raises(Invalid) as unseen:
        rig.client.observe(observation(1, usage={"cpu_seconds": -1.0}, subject="?"))
    assert {"subject"} < {str(finding["field"]).split(".")[-1] for finding in unseen.value.findings}


@pytest.mark.integration
def test_coverage_is_published(served_desk: tuple[str, Desk]) -> None:
    url, desk = served_desk
    store = desk.quotes
    for number in range(10):
        # The cost is 2000 + 4 for the CPU-seconds + 6 for the memory, all rounded together.
        upper = 2009 if number == 0 else 2020
        store.add_quote(quoted(number, p50=2008, p95=2009, upper=upper, hold=upper))
        store.add_observation(observation(number, quote_id=f"q{number}", usage=USED))
    store.add_quote(quoted(20, p50=2008, p95=2009, upper=2020, hold=2020))
    store.add_observation(observation(20, quote_id="q20", usage={"wall_seconds": 1.0}, finished=False))
    told = httpx.get(url + "quotes/coverage", headers=READER).json()
    overall = told["overall"]
    assert (overall["quotes"], overall["unfinished"]) == (10, 1)
    assert (overall["upper_held"], overall["p95_held"]) == (0.9, 0.0)
    assert (overall["p50_within_30_percent"], overall["p50_without_fee_within_30_percent"]) == (1.0, 1.0)
    assert [one["subject"] for one in told["subjects"]] == ["sha256:a"]
    assert list(told["kinds"]) == ["run"]
    none = httpx.get(url + "quotes/coverage", params={"subject": "sha256:b"}, headers=READER).json()
    assert (none["overall"]["quotes"], none["overall"]["upper_held"], none["subjects"]) == (0, None, [])


@pytest.mark.integration
def test_who_may_ask_and_who_may_tell(served_desk: tuple[str, Desk]) -> None:
    url, _ = served_desk
    body = {
        "quote_id": "q1",
        "kind": "lab",
        "subject": "lab:small",
        "reserved": {"cpus": 1.0, "memory_mb": 2048, "wall_seconds": 3600},
    }
    assert httpx.post(url + "quotes", json=body).status_code == 401
    made = httpx.post(url + "quotes", json=body, headers=READER)
    assert (made.status_code, made.json()["ceiling"]) == (201, 1500 + 2000)
    assert httpx.post(url + "quotes", json=body, headers=READER).status_code == 200
    assert httpx.post(url + "quotes", json={**body, "kind": "dask"}, headers=READER).status_code == 409
    assert httpx.get(url + "quotes/none", headers=READER).json()["code"] == "no-such-quote"
    seen = {
        "id": "o1",
        "kind": "lab",
        "subject": "lab:small",
        "usage": {"wall_seconds": 3.0},
        "finished": True,
        "at": "2026-05-20T12:00:00Z",
    }
    assert httpx.post(url + "observations", json=seen, headers=READER).status_code == 403
    assert httpx.post(url + "observations", json=seen, headers=SERVICE).status_code == 201
    naive = httpx.post(url + "observations", json={**seen, "at": "2026-05-20T12:00:00", "more": 1}, headers=SERVICE)
    assert naive.status_code == 422
    assert {finding["field"].split(".")[-1] for finding in naive.json()["findings"]} == {"at", "more"}
    assert httpx.get(url + "prices", params={"version": "2020-01-01"}, headers=READER).status_code == 404
    assert httpx.get(url + "prices", params={"version": "yesterday"}, headers=READER).status_code == 422


USED = {"cpu_seconds": 10.0, "memory_mb_seconds": 20480.0, "wall_seconds": 10.0}
READER = {"Authorization": "Bearer reader"}
SERVICE = {"Authorization": "Bearer service"}


class _Identities:
    async def actor_for(self, token: str) -> Actor | None:
        kinds = {
            "reader": Actor(name="ada", scopes=frozenset({Scope.READ})),
            "service": Actor(name="marketplace", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER})),
        }
        return kinds.get(token)


@pytest.fixture
def served_desk(serve: Any) -> Iterator[tuple[str, Desk]]:
    desk = Desk(books=MemoryBooks(), tiers=load_tiers(), prices=load_prices(), clock=lambda: NOW)
    prefix = "/services/quota/"
    with serve(make_app(desk=desk, identity=_Identities(), prefix=prefix)) as url:
        yield url + prefix, desk
