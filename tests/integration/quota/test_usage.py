"""Metering through the service's process: its door, and that kills lose and double no usage."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from swath_quota.audit import audit_database
from swath_quota.client import Fault, Hold, HoldStatus, Purpose, PurposeKind, UsageEvent
from swath_service.errors import Unavailable

pytestmark = pytest.mark.integration
AT = datetime(2026, 5, 20, 12, tzinfo=UTC)
EVENT = {
    "id": "e1",
    "meter": "lab-ada",
    "hold_id": "h1",
    "account": "ada",
    "kind": "lab",
    "sequence": 1,
    "usage": {"cpu_seconds": 3600.0},
    "at": "2026-05-20T12:00:00Z",
}
HOUR = {"cpu_seconds": 3600.0, "memory_mb_seconds": 1024.0 * 3600, "wall_seconds": 3600.0}


def hold(client: Any, hold_id: str = "h1", account: str = "ada", **changed: Any) -> Hold:
    purpose = Purpose(kind=PurposeKind.LAB, reference=hold_id)
    asked = {"account": account, "amount": 5000, "purpose": purpose, "expires_in_seconds": 600, **changed}
    answer = client.hold(hold_id=hold_id, **asked)
    assert isinstance(answer, Hold)
    return answer


def event(hold_id: str, sequence: int, *, part: float, account: str = "ada") -> UsageEvent:
    return UsageEvent(
        id=f"{hold_id}.{sequence}",
        meter=f"lab-{hold_id}",
        hold_id=hold_id,
        account=account,
        kind=PurposeKind.LAB,
        sequence=sequence,
        usage={name: value * part for name, value in HOUR.items()},
        at=AT,
    )


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def database(service: Any) -> str:
    return f"sqlite:///{service.data / 'quota' / 'quota.sqlite'}"


def test_who_may_report_settle_and_look(service: Any) -> None:
    hold(service.client())
    report, settle = {"events": [EVENT]}, {"usage": {"cpu_seconds": 1.0}, "fault": "none"}
    with service.http(None) as http:
        for method, path in [
            ("POST", "usage"),
            ("GET", "usage"),
            ("POST", "holds/h1/settle"),
            ("GET", "holds/h1/usage"),
        ]:
            answer = http.request(method, path, json={} if method != "GET" else None)
            assert (answer.status_code, answer.json()["code"]) == (401, "no-token"), path
    for token in ("token-ada", "token-operator", "token-ada-mute"):
        with service.http(token) as http:
            for path, body in [("usage", report), ("holds/h1/settle", settle)]:
                answer = http.post(path, json=body)
                assert (answer.status_code, answer.json()["code"]) == (403, "missing-scope"), path
    with service.http("token-marketplace") as http:
        assert http.post("usage", json=report).json()["results"][0]["outcome"] == "accepted"
        differs = http.post("usage", json={"events": [{**EVENT, "sequence": 2}]})
        assert (differs.status_code, differs.json()["code"]) == (409, "usage-event-differs")
        assert http.post("holds/h9/settle", json=settle).status_code == 404
    with service.http("token-ada") as http:
        seen = http.get("holds/h1/usage").json()
        assert (seen["cost"], seen["share"], seen["price_version"]) == (1500, 0.3, "2023-11-01")
        assert [meter["hold_id"] for meter in http.get("usage").json()["meters"]] == ["h1"]
        assert http.get("usage", params={"account": "bea"}).status_code == 403
    with service.http("token-bea") as http:
        assert http.get("holds/h1/usage").status_code == 404
        assert http.get("usage").json()["meters"] == []
    with service.http("token-operator") as http:
        assert len(http.get("usage", params={"account": "ada"}).json()["meters"]) == 1
        assert http.get("holds/h1/usage").status_code == 200
    with service.http("token-ada-mute") as http:
        assert http.get("usage").status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("usage", {}, "events"),
        ("usage", {"events": []}, "events"),
        ("usage", {"events": [{**EVENT, "colour": "crimson"}]}, "events.0.colour"),
        ("usage", {"events": [{**EVENT, "sequence": 0}]}, "events.0.sequence"),
        ("usage", {"events": [{**EVENT, "fault": "platform"}]}, "events.0.fault"),
        ("usage", {"events": [{**EVENT, "at": "2026-05-20T12:00:00"}]}, "events.0.at"),
        ("usage", {"events": [{**EVENT, "usage": {"cpu_seconds": "3"}}]}, "events.0.usage.cpu_seconds"),
        ("usage", {"events": [EVENT, {**EVENT, "hold_id": "h9"}]}, "events[1].hold_id"),
        ("holds/h1/settle", {}, "usage"),
        ("holds/h1/settle", {"usage": {}, "fault": "mine"}, "fault"),
        ("holds/h1/settle", {"usage": {"cpu_seconds": -1}}, "usage.cpu_seconds"),
    ],
)
def test_a_malformed_request_names_the_field(service: Any, path: str, body: dict[str, Any], field: str) -> None:
    hold(service.client())
    with service.http("token-marketplace") as http:
        answer = http.post(path, json=body)
        assert answer.status_code == 422
        assert field in [finding["field"] for finding in answer.json()["findings"]]
        assert http.get("holds/h1/usage").json()["usage"] == {}


def test_the_sweeper_captures_what_a_dead_holder_used(service: Any) -> None:
    client = service.client()
    hold(client, "used", expires_in_seconds=2)
    hold(client, "unused", expires_in_seconds=2)
    client.report_usage([event("used", 1, part=0.5)])
    until(lambda: client.get_hold("used").status is not HoldStatus.HELD)
    until(lambda: client.get_hold("unused").status is not HoldStatus.HELD)
    used, unused = client.get_hold("used"), client.get_hold("unused")
    assert (used.status, used.captured) == (HoldStatus.CAPTURED, 1250)
    assert (unused.status, unused.captured) == (HoldStatus.EXPIRED, 0)
    done = subprocess.run(
        [sys.executable, "-m", "swath_quota.audit", "--database", database(service), "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = json.loads(done.stdout)["usage"]
    assert (told["meters"], told["events"], told["usage"]["lab"]["cpu_seconds"]) == (1, 1, 1800.0)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kills_amid_metering_lose_and_double_nothing(
    kind: str, new_service: Any, request: pytest.FixtureRequest
) -> None:
    """Sources repeat what got no answer, or die with the service and say no more: the sweep then ends it."""
    url = str(request.getfixturevalue("postgres_database")) if kind == "postgresql" else ""
    options = {"SWATH_QUOTA_DATABASE_URL": url} if url else {}
    service = new_service(SWATH_QUOTA_SWEEP_SECONDS="0.2", **options)
    service.start()
    stop, chance = threading.Event(), random.Random(7)
    due: dict[str, int] = {}
    orphans: set[str] = set()

    def repeat(work: Callable[[], Any]) -> Any:
        while True:
            try:
                return work()
            except Unavailable:
                time.sleep(0.02)

    def use(worker: int) -> None:
        dice, number, account = random.Random(worker), 0, f"user-{worker % 2}"
        faithful = worker % 2 == 0
        with service.client(attempts=1, timeout_seconds=5) as client:
            while not stop.is_set():
                name = f"{worker}-{number}"
                repeat(lambda name=name: hold(client, name, account))
                events = [event(name, n, part=n / 8, account=account) for n in range(1, 4)]
                told = [*events, *dice.choices(events, k=2)]
                dice.shuffle(told)
                for one in told:
                    repeat(lambda one=one: client.report_usage([one]))
                fault = dice.choice(list(Fault))
                settle = lambda name=name, fault=fault: client.settle(name, usage=HOUR, fault=fault)  # noqa: E731
                due[name] = 0 if fault is Fault.PLATFORM else 2500
                try:
                    repeat(settle) if faithful else settle()
                except Unavailable:
                    orphans.add(name)
                number += 1

    workers = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(6):
        enough = len(due) + chance.randint(5, 15)
        until(lambda enough=enough: len(due) >= enough)
        service.kill()
        service.start()
    stop.set()
    for worker in workers:
        worker.join(timeout=120)
        assert not worker.is_alive()
    client = service.client()
    for name in orphans:
        progress = client.progress(name)
        if not progress.final:
            # The service died before the event was stored; the hold stands until it is overdue.
            assert progress.status is HoldStatus.HELD
            client.settle(name, usage=HOUR, fault=Fault.NONE if due[name] else Fault.PLATFORM)
        until(lambda name=name: client.get_hold(name).status is not HoldStatus.HELD)
    for name, cost in due.items():
        assert client.get_hold(name).captured == cost, name
    spent = sum(10_000_000 - client.wallet(f"user-{number}").balance for number in range(2))
    assert spent == sum(due.values())
    report = audit_database(url or database(service))
    assert report.ok, report.breaches
    assert (report.totals.open_holds, report.usage.meters) == (0, len(due))
    assert report.usage.events == 4 * len(due)
