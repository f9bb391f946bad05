"""What every `QuotaClient` promises about added value: who pays, who earns, who gets it back and who is paid out."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from swath_quota.client import (
    AddedValueRequest,
    FakeQuotaClient,
    Fault,
    GrantCategory,
    Hold,
    HoldDiffers,
    HoldStatus,
    NoSuchAuthor,
    NothingToPay,
    PayoutDiffers,
    Per,
    Purpose,
    PurposeKind,
    Shares,
)
from swath_quota.domain.accounts import account_of_id
from swath_quota.domain.ledger import Transaction, TransactionKind, post, transfer
from swath_quota.store.engine import WRITES
from swath_quota.store.memory import MemoryBooks
from swath_quota.store.migrate import config, migrate
from swath_quota.store.usage_sql import SqlMeters
from swath_service.errors import Invalid

RUN = {"cpu_seconds": 3600.0, "memory_mb_seconds": 1024.0 * 3600, "runs": 1.0, "area_km2": 10.0}
AT = datetime(2026, 5, 20, 12, tzinfo=UTC)
#: By the shipped prices: 1.5 a CPU-hour, 1 a GB-hour, 2 a run.
RESOURCES = 4_500


def place(client: Any, hold_id: str = "r1", **changed: Any) -> Hold:
    """A hold of bob's for a run of ada's algorithm, which is operational unless `maturity` says otherwise."""
    maturity, per = changed.pop("maturity", "operational"), changed.pop("per", Per.RUN)
    asked = {
        "account": "bob",
        "amount": 20_000,
        "purpose": Purpose(kind=PurposeKind.RUN, reference=f"run-of-{hold_id}", algorithm="ada/double"),
        "expires_in_seconds": 3600,
        "added_value": AddedValueRequest(
            author="ada", per=per, millicredits=changed.pop("millicredits", 3_000), maturity=maturity
        ),
        **changed,
    }
    answer = client.hold(hold_id=hold_id, **asked)
    assert isinstance(answer, Hold)
    return answer


def balance(rig: Any, account_id: str) -> int:
    found = rig.desk.books.read(lambda reader: reader.account(account_id))
    return found.balance if found else 0


def fees(rig: Any) -> int:
    accounts = rig.desk.books.read(lambda reader: list(reader.all_accounts()))
    return sum(one.balance for one in accounts if one.id.startswith("platform:fees."))


def sound(rig: Any) -> None:
    assert rig.audit().breaches == ()


@pytest.mark.parametrize(
    ("maturity", "author", "fee"), [("verified", 60, 2_940), ("validated", 1_500, 1_500), ("operational", 3_000, 0)]
)
def test_a_capture_is_divided_by_maturity(rig: Any, maturity: str, author: int, fee: int) -> None:
    placed = place(rig.client, maturity=maturity)
    assert placed.added_value is not None
    before = rig.client.wallet("bob").balance
    settlement = rig.client.settle("r1", usage=RUN, fault=Fault.NONE)
    assert (settlement.captured, settlement.added_value) == (RESOURCES + 3_000, 3_000)
    assert rig.client.wallet("bob").balance == before - settlement.captured
    assert (balance(rig, "author:ada"), fees(rig)) == (author, fee)
    held = rig.client.get_hold("r1")
    assert held.shares == Shares(resources=RESOURCES, added=3_000, discount=0, author=author, fee=fee)
    assert rig.client.settle("r1", usage=RUN, fault=Fault.NONE) == settlement
    sound(rig)


@pytest.mark.parametrize(("per", "due"), [(Per.RUN, 3_000), (Per.KM2, 30_000), (Per.CPU_HOUR, 3_000)])
def test_each_way_of_asking_is_priced_by_usage(rig: Any, per: Per, due: int) -> None:
    place(rig.client, per=per, amount=50_000)
    assert rig.client.settle("r1", usage=RUN, fault=Fault.NONE).captured == RESOURCES + due
    assert balance(rig, "author:ada") == due
    sound(rig)


def test_what_was_not_delivered_is_not_paid(rig: Any) -> None:
    place(rig.client)
    usage = {name: value for name, value in RUN.items() if name not in ("runs", "area_km2")}
    assert rig.client.settle("r1", usage=usage, fault=Fault.USER).captured == RESOURCES
    assert balance(rig, "author:ada") == 0
    sound(rig)


def test_the_platforms_fault_earns_nobody_anything(rig: Any) -> None:
    place(rig.client)
    assert rig.client.settle("r1", usage=RUN, fault=Fault.PLATFORM).status is HoldStatus.RELEASED
    assert (balance(rig, "author:ada"), fees(rig)) == (0, 0)
    sound(rig)


def test_the_hold_is_the_most_and_resources_come_first(rig: Any) -> None:
    place(rig.client, amount=5_000)
    assert rig.client.settle("r1", usage=RUN, fault=Fault.NONE).captured == 5_000
    assert rig.client.get_hold("r1").shares == Shares(resources=4_500, added=500, discount=0, author=500, fee=0)
    sound(rig)


def test_research_credits_get_a_discount_that_the_author_does_not_pay(rig: Any) -> None:
    rig.client.grant(
        grant_id="g", account="bob", amount=50_000, description="project", category=GrantCategory.RESEARCH, priority=0
    )
    placed = place(rig.client, maturity="validated")
    assert placed.added_value is not None
    assert placed.added_value.discount == 50
    assert rig.client.settle("r1", usage=RUN, fault=Fault.NONE).captured == RESOURCES + 1_500
    assert (balance(rig, "author:ada"), fees(rig), balance(rig, "issuer:research")) == (1_500, 1_500, -1_500)
    sound(rig)


def test_an_author_pays_no_added_value(rig: Any) -> None:
    placed = place(rig.client, account="ada")
    assert placed.added_value is None
    assert place(rig.client, account="ada") == placed, "a replay is one"
    assert rig.client.settle("r1", usage=RUN, fault=Fault.NONE).captured == RESOURCES
    assert balance(rig, "author:ada") == 0
    sound(rig)


def test_terms_belong_to_the_hold(rig: Any) -> None:
    assert place(rig.client) == place(rig.client)
    with pytest.raises(HoldDiffers):
        place(rig.client, millicredits=1)
    with pytest.raises(HoldDiffers):
        place(rig.client, added_value=None)
    with pytest.raises(Invalid) as refused:
        place(rig.client, "r2", maturity="golden", millicredits=10)
    assert "added_value.maturity" in {found["field"] for found in refused.value.findings}
    assert place(rig.client, "r3", maturity="incubating").added_value is None, "below verified nobody earns"


def test_a_plain_capture_earns_nobody_anything(rig: Any) -> None:
    place(rig.client)
    rig.client.capture("r1", amount=7_000, usage={})
    assert balance(rig, "author:ada") == 0
    sound(rig)


# Refunds


def test_a_refund_takes_back_from_everybody(rig: Any) -> None:
    place(rig.client, maturity="validated")
    before = rig.client.wallet("bob").balance
    taken = rig.client.settle("r1", usage=RUN, fault=Fault.NONE).captured
    assert rig.client.refund("r1", reason="amends", amount=taken // 2).returned == taken // 2
    assert rig.client.wallet("bob").balance == before - taken + taken // 2
    assert balance(rig, "author:ada") == 750
    assert fees(rig) == 750
    sound(rig)


def test_what_the_author_has_no_more_the_platform_bears(rig: Any) -> None:
    place(rig.client)
    before = rig.client.wallet("bob").balance
    rig.client.settle("r1", usage=RUN, fault=Fault.NONE)
    rig.client.pay_out("ada", payout_id="p1", description="bank", amount=2_900)
    rig.client.refund("r1", reason="amends")
    assert rig.client.wallet("bob").balance == before
    assert balance(rig, "author:ada") == 0
    sound(rig)
    # What the author earns next is theirs: nobody is in debt.
    place(rig.client, "r2")
    rig.client.settle("r2", usage=RUN, fault=Fault.NONE)
    rig.client.refund("r2", reason="amends")
    assert balance(rig, "author:ada") == 0
    sound(rig)


def test_a_fault_found_late_is_given_back(rig: Any) -> None:
    place(rig.client)
    before = rig.client.wallet("bob").balance
    rig.client.capture("r1", amount=0, usage={})
    place(rig.client, "r2")
    rig.client.settle("r2", usage=RUN, fault=Fault.NONE)
    rig.client.refund("r2", reason="the platform was at fault")
    assert (rig.client.wallet("bob").balance, balance(rig, "author:ada")) == (before, 0)


# Payouts


def test_a_payout_is_done_once_and_stands_in_the_statement(rig: Any) -> None:
    place(rig.client, maturity="validated")
    rig.client.settle("r1", usage=RUN, fault=Fault.NONE)
    rig.clock.pass_(days=31)
    place(rig.client, "r2", maturity="validated")
    rig.client.settle("r2", usage=RUN, fault=Fault.NONE)
    place(rig.client, "r3", maturity="validated")
    rig.client.settle("r3", usage=RUN, fault=Fault.NONE)
    rig.client.refund("r3", reason="amends")
    paid = rig.client.pay_out("ada", payout_id="p1", description="bank transfer", amount=2_000)
    assert (paid.amount, paid.balance) == (2_000, 1_000)
    assert rig.client.pay_out("ada", payout_id="p1", description="bank transfer") == paid
    may, june = rig.client.payouts("ada", "2026-05"), rig.client.payouts("ada", "2026-06")
    assert (may.opening, may.earned, may.closing, may.is_final) == (0, 1_500, 1_500, True)
    assert (june.opening, june.earned, june.taken_back, june.paid_out, june.closing) == (
        1_500,
        3_000,
        1_500,
        2_000,
        1_000,
    )
    assert may.adds_up
    assert june.adds_up
    assert [(line.kind.value, line.amount) for line in june.lines] == [
        ("capture", 1_500), ("capture", 1_500), ("refund", -1_500), ("payout", -2_000)
    ]  # fmt: skip
    assert (june.algorithms[0].algorithm, june.algorithms[0].runs, june.algorithms[0].fee) == ("ada/double", 2, 3_000)
    assert june.lines[0].reference == "run-of-r2"
    after = rig.client.payouts("ada", "2026-07")
    assert (after.opening, after.closing, after.lines) == (1_000, 1_000, ())
    sound(rig)


def test_what_a_payout_cannot_be(rig: Any) -> None:
    with pytest.raises(NoSuchAuthor):
        rig.client.pay_out("ada", payout_id="p1", description="x")
    for name, author in (("r1", "ada"), ("r2", "cyd")):
        request = AddedValueRequest(author=author, per=Per.RUN, millicredits=3_000, maturity="operational")
        place(rig.client, name, added_value=request)
        rig.client.settle(name, usage=RUN, fault=Fault.NONE)
    with pytest.raises(Invalid):
        rig.client.pay_out("ada", payout_id="p1", description="x", amount=3_001)
    assert rig.client.pay_out("ada", payout_id="p1", description="x").amount == 3_000
    with pytest.raises(PayoutDiffers):
        rig.client.pay_out("ada", payout_id="p1", description="x", amount=5)
    with pytest.raises(PayoutDiffers):
        rig.client.pay_out("cyd", payout_id="p1", description="x")
    with pytest.raises(NothingToPay):
        rig.client.pay_out("ada", payout_id="p2", description="x")
    assert balance(rig, "issuer:payouts") == 3_000


def test_many_captures_and_one_payout_at_once(rig: Any) -> None:
    count = 12
    for number in range(count):
        place(rig.client, f"r{number}", account=f"user{number}", maturity="validated")
    start = threading.Barrier(count + 4)

    def settle(number: int) -> None:
        start.wait()
        rig.client.settle(f"r{number}", usage=RUN, fault=Fault.NONE)

    def pay(_: int) -> int:
        start.wait()
        try:
            return int(rig.client.pay_out("ada", payout_id="p1", description="x").amount)
        except (NoSuchAuthor, NothingToPay):
            return 0

    with ThreadPoolExecutor(count + 4) as pool:
        paying = [pool.submit(pay, number) for number in range(4)]
        list(pool.map(settle, range(count)))
        paid = {one.result() for one in paying} - {0}
    assert len(paid) <= 1, "one id, one payout"
    assert balance(rig, "author:ada") + sum(paid) == count * 1_500
    sound(rig)


# The audit, and the schema


def earned_once(client: Any) -> Hold:
    place(client, maturity="validated")
    client.settle("r1", usage=RUN, fault=Fault.NONE)
    found = client.get_hold("r1")
    assert found.shares is not None
    return cast(Hold, found)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"author": 1_501, "fee": 1_499}, {"added-value-divided", "added-value-by-split"}),
        ({"resources": 4_499, "added": 3_001, "fee": 1_501}, {"added-value-divided", "added-value-by-split"}),
    ],
)
def test_a_share_that_is_not_by_the_split_is_found(change: dict[str, int], broken: set[str]) -> None:
    books = MemoryBooks()
    client = FakeQuotaClient(books=books)
    found = earned_once(client)
    assert found.shares is not None
    wrong = replace(found, shares=replace(found.shares, **change))
    books.run(lambda unit: unit.save_hold(wrong))
    assert {str(breach.invariant) for breach in client.audit().breaches} == broken


def test_an_earning_without_its_hold_is_found() -> None:
    books = MemoryBooks()
    client = FakeQuotaClient(books=books)
    earned_once(client)
    transaction = Transaction(
        id="capture:ghost",
        kind=TransactionKind.CAPTURE,
        legs=transfer(source="issuer:research", target="author:ada", amount=5),
        reference="ghost",
        actor="nobody",
        at=AT,
    )
    books.run(lambda unit: unit.open_accounts([account_of_id("issuer:research", at=AT)]))
    books.run(lambda unit: unit.add_posting(post(transaction, unit.lock(["issuer:research", "author:ada"]))))
    assert {str(breach.invariant) for breach in client.audit().breaches} == {"added-value-divided"}


def test_what_is_there_survives_the_migration_both_ways(database_url: str, open_books: Any) -> None:
    with open_books(database_url) as sql:
        client = FakeQuotaClient(books=sql, meters=SqlMeters(sql.engine))
        client.hold(
            hold_id="old",
            account="bob",
            amount=9_000,
            purpose=Purpose(kind=PurposeKind.RUN, reference="run"),
            expires_in_seconds=60,
        )
        client.settle("old", usage=RUN, fault=Fault.NONE)
        before = client.get_hold("old"), client.statement("bob")
        _downgrade(sql.engine)
        migrate(sql.engine)
        assert (client.get_hold("old"), client.statement("bob")) == before
        place(client)
        assert client.settle("r1", usage=RUN, fault=Fault.NONE).added_value == 3_000
        assert client.audit().ok
        with pytest.raises(DBAPIError, match=r"append-only|refused"), sql.engine.begin() as connection:
            connection.execute(text("UPDATE transactions SET kind = 'payout'"))


def _downgrade(engine: Engine) -> None:
    """Back to before there was any added value."""
    chosen = config()
    with engine.connect().execution_options(**{WRITES: True}) as connection:
        if engine.dialect.name == "sqlite":
            # As an upgrade does: a constraint is changed by making its table anew.
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("PRAGMA foreign_keys = OFF")
        with connection.begin():
            chosen.attributes["connection"] = connection
            command.downgrade(chosen, "reports")
