"""Many at the same instant, from processes of their own on PostgreSQL and from threads on SQLite: one effect each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest
from swath_quota.client import FakeQuotaClient, HoldStatus, Purpose, PurposeKind
from swath_quota.store.sql import SqlBooks

#: Does its jobs at once, each in a thread of its own, when told to go, and prints what came of each.
WORKER = """
import json, sys, threading
from datetime import datetime
from swath_quota.client import FakeQuotaClient, Purpose, PurposeKind, Refusal
from swath_quota.store.engine import connect
from swath_quota.store.sql import SqlBooks
from swath_service.errors import SwathError

engine = connect(sys.argv[1])
client = FakeQuotaClient(books=SqlBooks(engine))
jobs, told = json.loads(sys.argv[2]), {}
purpose = Purpose(kind=PurposeKind.RUN, reference="r")
with engine.connect():
    pass  # who starts at once has connected before
barrier = threading.Barrier(len(jobs) + 1)

def do(number, job):
    verb, given = job
    if verb == "hold":
        given = {**given, "purpose": purpose, "expires_in_seconds": 600}
    barrier.wait()
    try:
        found = getattr(client, verb)(**given)
        told[number] = found.code if isinstance(found, Refusal) else "ok"
    except SwathError as error:
        told[number] = error.code

threads = [threading.Thread(target=do, args=(number, job)) for number, job in enumerate(jobs)]
[thread.start() for thread in threads]
print("ready", flush=True)
sys.stdin.readline()
barrier.wait()
[thread.join() for thread in threads]
print(json.dumps([told[number] for number in range(len(jobs))]))
"""
Job = tuple[str, dict[str, Any]]
PURPOSE = Purpose(kind=PurposeKind.RUN, reference="r")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Any, open_books: Any) -> Iterator[tuple[SqlBooks, str, int]]:
    """Books, their URL, and over how many processes those who race are spread: on SQLite they are threads of one."""
    if request.param == "postgresql":
        url, processes = str(request.getfixturevalue("postgres_database")), 8
    else:
        url, processes = f"sqlite:///{tmp_path / 'quota.sqlite'}", 1
    opened: AbstractContextManager[SqlBooks] = open_books(url)
    with opened as books:
        yield books, url, processes


def race(url: str, jobs: Sequence[Job], *, processes: int) -> Counter[str]:
    """Do all `jobs` at the same instant; how often each outcome came."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url, json.dumps(jobs[number::processes])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(min(processes, len(jobs)))
    ]
    try:
        for worker in workers:
            assert worker.stdout
            assert worker.stdout.readline() == "ready\n", worker.stderr and worker.stderr.read()
        for worker in workers:
            assert worker.stdin
            worker.stdin.write("go\n")
            worker.stdin.flush()
        told = [worker.communicate(timeout=200) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert all(out for out, _ in told), told
    return Counter(outcome for out, _ in told for outcome in json.loads(out))


def hold_job(name: str, account: str = "ada", amount: int = 1000) -> Job:
    return "hold", {"hold_id": name, "account": account, "amount": amount}


def sound(client: FakeQuotaClient) -> Any:
    report = client.audit()
    assert report.breaches == ()
    return report.totals


def test_64_duplicates_of_one_hold_are_one(place: tuple[SqlBooks, str, int]) -> None:
    books, url, processes = place
    assert race(url, [hold_job("h")] * 64, processes=processes) == {"ok": 64}
    client = FakeQuotaClient(books=books)
    assert client.wallet("ada").held == 1000
    totals = sound(client)
    assert (totals.holds, totals.transactions) == (1, 1)


def test_64_duplicates_of_one_capture_are_one(place: tuple[SqlBooks, str, int]) -> None:
    books, url, processes = place
    client = FakeQuotaClient(books=books)
    client.hold(hold_id="h", account="ada", amount=1000, purpose=PURPOSE, expires_in_seconds=600)
    before = client.wallet("ada").balance
    capture: Job = ("capture", {"hold_id": "h", "amount": 700, "usage": {}})
    assert race(url, [capture] * 64, processes=processes) == {"ok": 64}
    wallet = client.wallet("ada")
    assert (before - wallet.balance, wallet.held) == (700, 0)
    assert sound(client).transactions == 2


def test_of_64_that_end_a_hold_differently_one_does(place: tuple[SqlBooks, str, int]) -> None:
    books, url, processes = place
    client = FakeQuotaClient(books=books)
    client.hold(hold_id="h", account="ada", amount=1000, purpose=PURPOSE, expires_in_seconds=600)
    before = client.wallet("ada").balance
    jobs: list[Job] = [("capture", {"hold_id": "h", "amount": number, "usage": {}}) for number in range(1, 33)]
    jobs += [("release", {"hold_id": "h", "reason": "canceled"})] * 32
    outcomes = race(url, jobs, processes=processes)
    hold = client.get_hold("h")
    assert hold is not None
    assert before - client.wallet("ada").balance == hold.captured
    if hold.status is HoldStatus.CAPTURED:
        assert outcomes == {"ok": 1, "captured-differently": 31, "hold-captured": 32}
    else:
        assert outcomes == {"ok": 32, "hold-released": 32}
    sound(client)


def test_64_that_extend_by_different_amounts_leave_the_largest(place: tuple[SqlBooks, str, int]) -> None:
    books, url, processes = place
    client = FakeQuotaClient(books=books)
    client.hold(hold_id="h", account="ada", amount=10, purpose=PURPOSE, expires_in_seconds=600)
    jobs: list[Job] = [
        ("extend", {"hold_id": "h", "expires_in_seconds": 600, "amount": number}) for number in range(1, 65)
    ]
    assert race(url, jobs, processes=processes) == {"ok": 64}
    hold = client.get_hold("h")
    assert hold is not None
    assert (hold.amount, client.wallet("ada").held) == (64, 64)
    sound(client)


def test_64_refunds_of_one_capture_are_one(place: tuple[SqlBooks, str, int]) -> None:
    books, url, processes = place
    client = FakeQuotaClient(books=books)
    client.hold(hold_id="h", account="ada", amount=1000, purpose=PURPOSE, expires_in_seconds=600)
    before = client.wallet("ada").balance
    client.capture("h", amount=700, usage={})
    assert race(url, [("refund", {"hold_id": "h", "reason": "ours"})] * 64, processes=processes) == {"ok": 64}
    assert client.wallet("ada").balance == before
    sound(client)


def test_500_grants_at_once_are_exact(place: tuple[SqlBooks, str, int]) -> None:
    books, url, processes = place
    jobs: list[Job] = [
        ("grant", {"grant_id": f"g{number}", "account": "ada", "amount": number + 1, "description": "a gift"})
        for number in range(500)
    ]
    # A process opens up to 32 connections, and the cluster of the tests takes 200.
    assert race(url, jobs, processes=min(processes, 4)) == {"ok": 500}
    client = FakeQuotaClient(books=books)
    assert client.wallet("ada").balance == 10_000_000 + sum(range(1, 501))
    assert sound(client).transactions == 501


def test_20_that_spend_what_10_can_be_paid_for_are_10(place: tuple[SqlBooks, str, int]) -> None:
    books, url, processes = place
    client = FakeQuotaClient(books=books)
    client.wallet("ada")
    jobs = [hold_job(f"h{number}", amount=1_000_000) for number in range(20)]
    assert race(url, jobs, processes=processes) == {"ok": 10, "credits-exhausted": 10}
    wallet = client.wallet("ada")
    assert (wallet.held, wallet.available) == (10_000_000, 0)
    assert sound(client).open_holds == 10


def test_two_first_spends_on_a_new_wallet_give_one_allowance(place: tuple[SqlBooks, str, int]) -> None:
    """Half of the pairs both fit into the month's allowance; of the other half one does, whichever."""
    books, url, processes = place
    jobs = []
    for number in range(10):
        amount = 4_000_000 if number % 2 else 6_000_000
        jobs += [hold_job(f"{number}-{one}", f"user-{number}", amount) for one in range(2)]
    assert race(url, jobs, processes=min(processes * 2, 10)) == {"ok": 15, "credits-exhausted": 5}
    client = FakeQuotaClient(books=books)
    for number in range(10):
        wallet = client.wallet(f"user-{number}")
        assert (wallet.balance, wallet.held) == (10_000_000, 8_000_000 if number % 2 else 6_000_000)
    assert sound(client).transactions == 10
