"""The quota service as a process: its door, its restarts, its own database."""

from __future__ import annotations

import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from swath_quota.audit import audit_database
from swath_quota.client import Hold, HoldStatus, NoSuchWallet, Purpose, PurposeKind
from swath_service.errors import Forbidden, Unauthenticated, Unavailable

pytestmark = pytest.mark.integration
PURPOSE = Purpose(kind=PurposeKind.RUN, reference="run-1", description="ada/echo@1.0.0")
HOLD = {
    "hold_id": "h1",
    "account": "ada",
    "amount": 5000,
    "purpose": {"kind": "run", "reference": "run-1"},
    "expires_in_seconds": 600,
}


def hold(client: Any, hold_id: str = "h1", **changed: Any) -> Hold:
    asked = {"account": "ada", "amount": 5000, "purpose": PURPOSE, "expires_in_seconds": 600, **changed}
    answer = client.hold(hold_id=hold_id, **asked)
    assert isinstance(answer, Hold)
    return answer


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def database(service: Any) -> str:
    return f"sqlite:///{service.data / 'quota' / 'quota.sqlite'}"


def test_health_needs_no_token_and_everything_else_does(service: Any) -> None:
    with service.http(None) as http:
        assert http.get("health").json() == {"status": "ok", "service": "quota", "database": "ok"}
        for method, path in [
            ("GET", "wallet"),
            ("GET", "wallet/entries"),
            ("PUT", "wallet/tier"),
            ("GET", "tiers"),
            ("GET", "prices"),
            ("POST", "holds"),
            ("GET", "holds/h1"),
            ("POST", "holds/h1/capture"),
            ("POST", "holds/h1/release"),
            ("POST", "holds/h1/extend"),
            ("POST", "grants"),
        ]:
            answer = http.request(method, path, json={} if method != "GET" else None)
            assert (answer.status_code, answer.json()["code"]) == (401, "no-token"), path
        assert http.get("wallet", params={"token": "token-ada"}).status_code == 401


@pytest.mark.parametrize("token", ["token-ada", "token-operator", "token-ada-mute"])
def test_no_user_and_no_operator_settles(service: Any, token: str) -> None:
    hold(service.client())
    with service.http(token) as http:
        for path, body in [
            ("holds", {**HOLD, "hold_id": "h2"}),
            ("holds/h1/capture", {"amount": 0}),
            ("holds/h1/release", {"reason": "mine"}),
            ("holds/h1/extend", {"expires_in_seconds": 9}),
        ]:
            answer = http.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "missing-scope"), path
            assert answer.headers["content-type"] == "application/problem+json"
    assert service.client().wallet("ada").held == 5000


def test_who_sees_which_wallet(service: Any) -> None:
    with service.http("token-ada") as http:
        wallet = http.get("wallet").json()
        assert (wallet["account"], wallet["available"]) == ("ada", 10_000_000)
        other = http.get("wallet", params={"account": "bea"})
        assert (other.status_code, other.json()["code"]) == (403, "not-your-wallet")
        assert http.get("wallet/entries", params={"account": "bea"}).status_code == 403
        assert http.get("wallet/entries").json()["entries"] == wallet["entries"]
    with service.http("token-ada-mute") as http:
        assert http.get("wallet").status_code == 403
        assert http.get("prices").status_code == 403
    operator = service.client("token-operator")
    assert operator.wallet("ada").account == "ada"
    with pytest.raises(NoSuchWallet):
        operator.wallet("adda")
    with pytest.raises(NoSuchWallet):
        operator.statement("adda")
    with pytest.raises(Forbidden):
        service.client("token-bea").wallet("ada")
    with pytest.raises(Unauthenticated):
        service.client("token-nobody").wallet("ada")


def test_who_sees_which_hold_and_who_gives(service: Any) -> None:
    placed = hold(service.client())
    assert service.client("token-ada").get_hold("h1") == placed
    assert service.client("token-operator").get_hold("h1") == placed
    assert service.client("token-bea").get_hold("h1") is None
    for token in ("token-ada", "token-marketplace"):
        with pytest.raises(Forbidden):
            service.client(token).grant(grant_id="g", account="ada", amount=1, description="x")
        with pytest.raises(Forbidden):
            service.client(token).assign_tier("ada", tier="services")
    service.client("token-operator").grant(grant_id="g", account="ada", amount=1, description="x")
    assert service.client().wallet("ada").balance == 10_000_001


def test_statuses_of_placing(service: Any) -> None:
    with service.http("token-marketplace") as http:
        assert http.post("holds", json=HOLD).status_code == 201
        assert http.post("holds", json=HOLD).status_code == 200
        assert http.post("holds", json={**HOLD, "amount": 1}).status_code == 409
        no = http.post("holds", json={**HOLD, "hold_id": "h2", "amount": 9_999_999})
        told = no.json()
        assert (no.status_code, told["code"], told["limit"], told["left"]) == (
            402,
            "credits-exhausted",
            10_000_000,
            9_995_000,
        )
        assert told["retry_at"].endswith("+00:00")
        assert http.post("holds/h1/capture", json={"amount": 5001}).status_code == 422
        assert http.post("holds/h9/release", json={"reason": "x"}).status_code == 404
        assert http.post("holds/h1/release", json={"reason": "x"}).status_code == 200
        assert http.post("holds/h1/capture", json={"amount": 1}).status_code == 409


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("holds", {**HOLD, "colour": "crimson"}, "colour"),
        ("holds", {**HOLD, "purpose": {"kind": "run", "reference": "r", "colour": "crimson"}}, "purpose.colour"),
        ("holds", {**HOLD, "purpose": {"kind": "holiday", "reference": "r"}}, "purpose.kind"),
        ("holds", {name: value for name, value in HOLD.items() if name != "account"}, "account"),
        ("holds", {**HOLD, "amount": 5000.0}, "amount"),
        ("holds/h1/capture", {"amount": 1, "usage": {"cpu_seconds": "3"}}, "usage.cpu_seconds"),
        ("holds/h1/capture", {}, "amount"),
        ("holds/h1/release", {}, "reason"),
        ("holds/h1/extend", {"expires_in_seconds": 10**10}, "expires_in_seconds"),
    ],
)
def test_a_malformed_request_names_the_field(service: Any, path: str, body: dict[str, Any], field: str) -> None:
    with service.http("token-marketplace") as http:
        answer = http.post(path, json=body)
        assert answer.status_code == 422
        assert field in [finding["field"] for finding in answer.json()["findings"]]
        assert "crimson" not in answer.text
        for wrong in ("{", "[]", '{"amount": NaN}', ""):
            assert http.post(path, content=wrong, headers={"Content-Type": "application/json"}).status_code == 422
        assert http.get("wallet", params={"acount": "ada"}).status_code == 422
        assert http.get("wallet", params={"account": "ada"}).json()["held"] == 0


def test_the_sweeper_voids_what_nobody_settles(service: Any) -> None:
    client = service.client()
    hold(client, expires_in_seconds=1)
    until(lambda: client.get_hold("h1").status is HoldStatus.EXPIRED)
    assert client.wallet("ada").available == 10_000_000


def test_a_killed_service_comes_back_with_everything(service: Any) -> None:
    client = service.client(attempts=2, pause_seconds=0.01)
    hold(client)
    client.capture("h1", amount=3000, usage={"cpu_seconds": 1})
    before = client.wallet("ada")
    service.kill()
    with pytest.raises(Unavailable) as caught:
        client.wallet("ada")
    assert caught.value.code == "quota-unreachable"
    assert "token" not in str(caught.value)
    service.start()
    assert client.wallet("ada") == before
    assert hold(client).status is HoldStatus.CAPTURED
    assert audit_database(database(service)).ok


def test_a_client_waits_for_a_restart(service: Any) -> None:
    client = service.client(attempts=40, pause_seconds=0.001)
    client.wallet("ada")
    service.kill()
    threading.Timer(0.3, service.start).start()
    # The pauses double: forty attempts would be years, and the one that meets the service ends them.
    assert hold(client).status is HoldStatus.HELD


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_kills_amid_a_load_lose_and_double_nothing(kind: str, new_service: Any, request: pytest.FixtureRequest) -> None:
    """Callers repeat what got no answer, as the marketplace does, while the service is killed again and again."""
    url = str(request.getfixturevalue("postgres_database")) if kind == "postgresql" else ""
    service = new_service(**({"SWATH_QUOTA_DATABASE_URL": url} if url else {}))
    service.start()
    stop, chance, settled = threading.Event(), random.Random(7), []

    def repeat(work: Callable[[], Any]) -> Any:
        while True:
            try:
                return work()
            except Unavailable:
                time.sleep(0.02)

    def spend(worker: int) -> None:
        number = 0
        with service.client(attempts=1, timeout_seconds=5) as client:
            while not stop.is_set():
                name = f"{worker}-{number}"
                repeat(lambda name=name: hold(client, name, account=f"user-{worker % 2}", amount=100))
                repeat(lambda name=name: client.capture(name, amount=60, usage={}))
                settled.append(name)
                number += 1

    workers = [threading.Thread(target=spend, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    kills = 5
    for _ in range(kills):
        enough = len(settled) + chance.randint(5, 20)
        until(lambda enough=enough: len(settled) >= enough)
        service.kill()
        service.start()
    stop.set()
    for worker in workers:
        worker.join(timeout=60)
        assert not worker.is_alive()
    client = service.client()
    spent = sum(10_000_000 - client.wallet(f"user-{number}").balance for number in range(2))
    assert spent == 60 * len(settled) == 60 * len(set(settled))
    report = audit_database(url or database(service))
    assert report.ok, report.breaches
    assert (report.totals.holds, report.totals.open_holds) == (len(settled), 0)


def test_the_data_are_the_owners_alone_and_the_log_tells_no_token(service: Any) -> None:
    hold(service.client())
    modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in (service.data / "quota").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((service.data / "quota").stat().st_mode) == 0o700
    # uvicorn shuts down in good order, then ends by the signal it was sent.
    assert service.stop() in (0, -signal.SIGTERM)
    assert "Application shutdown complete" in service.log
    assert "token-" not in service.log


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"JUPYTERHUB_API_TOKEN": ""}, "JUPYTERHUB_API_TOKEN"),
        ({"SWATH_QUOTA_DATABASE_URL": "mysql://ada:hunter2@db/quota"}, "no ledger is kept on 'mysql'"),
        ({"SWATH_QUOTA_TIERS_FILE": "/dev/null"}, "quota: null: "),
        ({"SWATH_QUOTA_TIERS_FILE": "/nowhere.yaml"}, "quota: nowhere.yaml: "),
        ({"SWATH_QUOTA_SWEEP_SECONDS": "-1"}, "sweep_seconds: Input should be greater than 0"),
    ],
)
def test_a_start_that_cannot_be_is_refused_in_a_line(new_service: Any, environment: dict[str, str], says: str) -> None:
    service = new_service(**environment)
    done = subprocess.run(
        [sys.executable, "-m", "swath_quota"],
        env=service.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_a_tier_in_use_cannot_leave_the_file(service: Any, new_service: Any, tmp_path: Any) -> None:
    service.client("token-operator").assign_tier("ada", tier="services")
    service.stop()
    file = tmp_path / "tiers.yaml"
    file.write_text(
        "format: 1\ndefault: general\ntiers:\n- {name: general, title: G, description: All.,"
        " terms: [{effective_on: 2025-01-01, monthly_credits: 1}]}\n"
    )
    other = new_service(SWATH_QUOTA_TIERS_FILE=str(file), SWATH_DATABASE_URL=database(service))
    done = subprocess.run(
        [sys.executable, "-m", "swath_quota"],
        env=other.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "no longer names: services" in done.stderr
