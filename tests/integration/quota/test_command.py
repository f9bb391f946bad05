"""`swath wallet` and `swath quota` as processes, against the real application on a real socket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from swath_quota import services
from swath_quota.api.app import make_app
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.domain.added_value import AddedValueRequest, Per
from swath_quota.domain.holds import Purpose, PurposeKind
from swath_quota.domain.usage import Fault
from swath_quota.services import Desk
from swath_quota.services.reports import all_grants
from swath_quota.store.memory import MemoryBooks
from swath_service.actor import Actor, ActorKind, Scope

pytestmark = pytest.mark.integration
SERVICE = Actor(name="op", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))
ACTORS = {
    "token-of-ada-0123456789": Actor(name="ada", scopes=frozenset({Scope.READ})),
    "token-of-root-0123456789": Actor(name="root", scopes=frozenset({Scope.READ, Scope.ADMINISTER})),
}
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


class Identities:
    async def actor_for(self, token: str) -> Actor | None:
        return ACTORS.get(token)


class Command:
    """Runs `swath` as somebody, against one server."""

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.home = url, home

    def __call__(self, who: str, *arguments: str) -> tuple[int, str, str]:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "SWATH_URL": self.url,
            "SWATH_TOKEN": f"token-of-{who}-0123456789",
            "COLUMNS": "200",
            "TZ": "UTC",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        command = [sys.executable, "-m", "swath.cli", *arguments]
        done = subprocess.run(command, env=environ, text=True, capture_output=True, timeout=60, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def json(self, who: str, *arguments: str) -> Any:
        code, out, err = self(who, *arguments, "--json")
        assert code == 0, err
        return json.loads(out)


def earn(desk: Desk) -> None:
    """A run of bob's from which ada earns."""
    purpose = Purpose(kind=PurposeKind.RUN, reference="r7", description="ada/ndvi@1", algorithm="ada/ndvi")
    asked = AddedValueRequest(author="ada", per=Per.RUN, millicredits=3_000, maturity="validated")
    services.hold(
        SERVICE,
        desk,
        hold_id="h7",
        account="bob",
        amount=9_000,
        purpose=purpose,
        expires_in_seconds=999,
        added_value=asked,
    )
    services.settle(SERVICE, desk, hold_id="h7", usage={"cpu_seconds": 1.0, "runs": 1.0}, fault=Fault.NONE)


@pytest.fixture
def desk() -> Desk:
    made = Desk(books=MemoryBooks(), tiers=load_tiers(), prices=load_prices(), clock=lambda: NOW)
    services.wallet(SERVICE, made, account="ada")
    for number, ends in enumerate((True, False)):
        purpose = Purpose(kind=PurposeKind.RUN, reference=f"r{number}", description="ada/ndvi@1", algorithm="ada/ndvi")
        services.hold(
            SERVICE, made, hold_id=f"h{number}", account="ada", amount=9000, purpose=purpose, expires_in_seconds=999
        )
        if ends:
            services.capture(SERVICE, made, hold_id=f"h{number}", amount=3500, usage={"cpu_seconds": 3600.0})
    return made


@pytest.fixture
def swath(desk: Desk, tmp_path: Path) -> Iterator[Command]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = make_app(desk=desk, identity=Identities(), prefix="/services/quota/")
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield Command(f"http://127.0.0.1:{listener.getsockname()[1]}/", tmp_path)
    server.should_exit = True
    thread.join(timeout=20)
    listener.close()


def test_the_wallet_shows_what_is_left_and_until_when(swath: Command) -> None:
    code, out, _ = swath("ada", "wallet")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == f"ada ({load_tiers().default}): 9,987.5 credits to spend, 9 held, balance 9,996.5"
    assert lines[1].startswith("at the rate of the last ")
    assert "(little to go by yet)" in lines[1]
    assert ": allowance of 2026-05" in out
    assert "ada/ndvi@1" in out
    told = swath.json("ada", "wallet")
    assert told["available_millicredits"] == 9_987_500
    assert told["forecast"]["evidence"] == "little"
    assert [hold["amount"] for hold in told["holds"]] == [9000]
    assert [grant["remaining"] for grant in told["grants"]] == [9_996_500]


def test_charges_and_a_month(swath: Command) -> None:
    code, out, _ = swath("ada", "wallet", "--charges")
    assert code == 0
    assert "1 CPU-h × 1.5 + 0 GB-h × 1 + 2 per run = 3.5" in out  # noqa: RUF001
    assert swath.json("ada", "wallet", "--charges")[0]["charged"] == 3500
    code, out, _ = swath("ada", "wallet", "--month", "2026-05")
    assert code == 0
    assert "adds up" in out
    assert "yes, to the millicredit" in out
    assert swath.json("ada", "wallet", "--month", "2026-05")["closing"] == 9_996_500
    code, _, err = swath("ada", "wallet", "--month", "2027-01")
    assert code == 5
    assert "has not begun" in err


def test_anothers_wallet_is_refused_and_an_operator_sees_it(swath: Command) -> None:
    assert swath("ada", "wallet", "--account", "root")[0] == 3
    assert swath("ada", "quota", "show", "root")[0] == 3
    assert f"ada ({load_tiers().default})" in swath("root", "quota", "show", "ada")[1]
    assert swath("root", "quota", "show", "nobody")[0] == 6


def test_a_grant_is_given_once_however_often_it_is_sent(swath: Command, desk: Desk) -> None:
    asked = ["quota", "grant", "ada", "12.5", "--reason", "for the workshop", "--id", "workshop-1"]
    more = ["--category", "research", "--expires", "2027-03-01", "--scope", "run", "--scope", "ada/*"]
    for _ in range(2):
        code, out, err = swath("root", *asked, *more)
        assert code == 0, err
        assert "workshop-1" in err
        assert "12.5" in out
        assert "research" in out
    (given,) = [grant for grant in all_grants(SERVICE, desk, account="ada") if grant.granted_by == "root"]
    assert (given.amount, given.description) == (12_500, "for the workshop")
    assert given.expires_at == datetime(2027, 3, 1, tzinfo=UTC)
    assert given.scope.algorithms == ("ada/*",)
    assert swath("root", "quota", "grant", "ada", "13", "--reason", "other", "--id", "workshop-1")[0] == 7
    made = swath.json("root", "quota", "grant", "ada", "1", "--reason", "an id is made")
    assert made["grant_id"].startswith("cli-")
    assert swath("ada", *asked)[0] == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["grant", "ada", "0", "--reason", "x"], 5),
        (["grant", "ada", "1.2345", "--reason", "x"], 5),
        (["grant", "ada", "many", "--reason", "x"], 5),
        (["grant", "ada", "1"], 2),
        (["grant", "ada", "1", "--reason", "x", "--category", "gold"], 2),
        (["grant", "ada", "1", "--reason", "x", "--expires", "soon"], 5),
        (["grant", "ada", "1", "--reason", "x", "--expires", "2020-01-01"], 5),
        (["grant", "ada", "1", "--reason", "x", "--scope", "tea"], 5),
        (["tier", "ada", "gold"], 6),
        (["override", "ada", "runs.concurrent", "many", "--reason", "x", "--until", "2026-06-01"], 5),
        (["override", "ada", "runs.concurrent", "5", "--reason", "x"], 2),
        (["override", "ada", "runs.concurrent", "5", "--reason", "x", "--until", "2020-01-01"], 5),
        (["override", "ada", "runs.colour", "5", "--reason", "x", "--until", "2026-06-01"], 6),
        (["statement", "ada", "2026-13"], 5),
    ],
)
def test_what_is_wrong_is_said_with_its_code(swath: Command, arguments: list[str], code: int) -> None:
    found, out, err = swath("root", "quota", *arguments)
    assert (found, out) == (code, ""), err
    assert err.strip()


def test_a_tier_is_changed(swath: Command, desk: Desk) -> None:
    other = load_tiers().tiers[-1].name
    code, out, _ = swath("root", "quota", "tier", "ada", other)
    assert code == 0
    assert other in out
    assert services.wallet(SERVICE, desk, account="ada").tier == other


def test_a_limit_is_overridden_for_a_time(swath: Command, desk: Desk) -> None:
    asked = ["quota", "override", "ada", "runs.concurrent", "17", "--reason", "workshop", "--until", "2026-06-01"]
    for _ in range(2):
        code, out, err = swath("root", *asked, "--id", "w1")
        assert code == 0, err
        assert "w1" in out
    state = services.standing(SERVICE, desk, account="ada").limit("runs.concurrent")
    assert state is not None
    assert (state.hard, state.origin) == (17, "override")
    assert swath("ada", *asked)[0] == 3


def test_a_statement_is_shown_and_saved(swath: Command, tmp_path: Path) -> None:
    page, table = tmp_path / "s.html", tmp_path / "s.csv"
    code, out, _ = swath("root", "quota", "statement", "ada", "2026-05", "--html", str(page), "--csv", str(table))
    assert code == 0
    assert out.splitlines() == [str(page), str(table)]
    assert "Statement of May 2026" in page.read_text()
    assert "<style>" in page.read_text()
    assert table.read_text().startswith("number,at,kind,credits,")
    told = swath.json("root", "quota", "statement", "ada", "2026-05")
    assert told["adds_up"]
    assert "opening balance" in swath("root", "quota", "statement", "ada", "2026-05")[1]


def test_an_organisation_shares_a_wallet(swath: Command, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        ACTORS, "token-of-ada-0123456789", Actor(name="ada", scopes=frozenset({Scope.READ, Scope.EXECUTE}))
    )
    opened = swath.json("root", "quota", "organisation", "open", "acme", "Acme Ltd")
    assert (opened["account"], opened["members"]) == ("organisation:acme", [])
    code, _, err = swath("ada", "wallet", "--pay-from", "organisation:acme")
    assert (code, "may not spend" in err) == (3, True), err
    swath.json("root", "quota", "organisation", "admit", "acme", "ada", "--ceiling", "5")
    assert swath.json("ada", "wallet", "--pay-from", "organisation:acme") == {"payer": "organisation:acme"}
    purpose = Purpose(kind=PurposeKind.RUN, reference="shared", algorithm="ada/ndvi")
    for hold_id, amount in (("shared-1", 4000), ("shared-2", 1001)):
        placed = services.hold(
            SERVICE, desk, hold_id=hold_id, account="ada", amount=amount, purpose=purpose, expires_in_seconds=999
        )
    assert getattr(placed, "code", "") == "member-ceiling"
    code, out, _ = swath("root", "quota", "organisation", "show", "acme")
    assert code == 0
    assert "pays by default" in out
    assert "4" in out.splitlines()[-1].split()
    code, _, err = swath("ada", "quota", "organisation", "dismiss", "acme", "ada")
    assert (code, "owner" in err) == (3, True), err
    assert swath.json("root", "quota", "organisation", "dismiss", "acme", "ada")["removed_at"]
    assert swath.json("ada", "wallet")["account"] == "ada"


def test_what_an_author_earned(swath: Command, desk: Desk, tmp_path: Path) -> None:
    earn(desk)
    paid = services.pay_out(SERVICE, desk, author="ada", payout="p1", description="=bank", amount=500)
    assert paid.balance == 1_000
    for who in ("ada", "root"):
        told = swath.json(who, "quota", "payout", "ada", "2026-05")
        assert (told["earned"], told["paid_out"], told["closing"], told["adds_up"]) == (1_500, 500, 1_000, True)
    code, out, _ = swath("ada", "quota", "payout", "ada", "2026-05")
    assert code == 0
    assert "1.5 credits" in out
    assert "ada/ndvi" in out
    table = tmp_path / "payouts.csv"
    assert swath("ada", "quota", "payout", "ada", "2026-05", "--csv", str(table))[0] == 0
    lines = table.read_text().splitlines()
    assert lines[1].endswith("3.000,1.500,1.500,1.500")
    assert "'=bank" in lines[2]
    assert lines[2].endswith("0.000,0.000,-0.500,1.000")


def test_an_authors_earnings_are_nobody_elses_to_see(swath: Command, desk: Desk) -> None:
    earn(desk)
    code, _, error = swath("ada", "quota", "payout", "bob", "2026-05")
    assert (code, "bob" in error) == (6, True)
    assert swath("ada", "quota", "payout", "ada", "2026-13")[0] == 5
