"""The quota service dies before or after each step of a settlement: whoever goes on finds the same end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from swath_quota import services
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.client import FakeQuotaClient, Fault, Hold, HoldStatus, Purpose, PurposeKind, UsageEvent
from swath_quota.domain.usage_invariants import UsageInvariant
from swath_quota.services import Desk
from swath_quota.services.metering import frozen_prices
from swath_quota.services.sweeper import Sweeper
from swath_quota.store.sql import SqlBooks
from swath_quota.store.usage_sql import SqlMeters
from swath_service.actor import Actor, ActorKind, Scope

T = TypeVar("T")
ACTOR = Actor(name="quota", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))
AT = datetime(2026, 5, 20, 12, tzinfo=UTC)
HOUR = {"cpu_seconds": 3600.0, "memory_mb_seconds": 1024.0 * 3600, "wall_seconds": 3600.0}


class Crash(BaseException):
    """The process dies here; nothing catches it."""


class Mortal:
    """A store whose process dies before or after its `step`th piece of work, counted over all stores that share it."""

    def __init__(self, store: Any, count: list[int], *, step: int, after: bool) -> None:
        self._store, self._count, self._step, self._after = store, count, step, after

    def run(self, work: Callable[[Any], T], **more: Any) -> T:
        self._count[0] += 1
        dies = self._count[0] == self._step
        if dies and not self._after:
            raise Crash
        result: T = self._store.run(work, **more)
        if dies:
            raise Crash
        return result

    def read(self, work: Callable[[Any], T]) -> T:
        result: T = self._store.read(work)
        return result


@pytest.fixture
def sql(database_url: str, open_books: Any) -> Iterator[SqlBooks]:
    with open_books(database_url) as books:
        yield books


def desk_of(books: Any, meters: Any, now: datetime = AT) -> Desk:
    return Desk(books=books, tiers=load_tiers(), prices=load_prices(), meters=meters, clock=lambda: now)


def place(client: FakeQuotaClient, hold_id: str = "h1") -> None:
    purpose = Purpose(kind=PurposeKind.LAB, reference="ada/", description="a server")
    held = client.hold(hold_id=hold_id, account="ada", amount=5_000, purpose=purpose, expires_in_seconds=3600)
    assert isinstance(held, Hold)


def event(sequence: int, hold_id: str = "h1", **usage: float) -> UsageEvent:
    return UsageEvent(
        id=f"{hold_id}-{sequence}",
        meter=f"lab-{hold_id}",
        hold_id=hold_id,
        account="ada",
        kind=PurposeKind.LAB,
        sequence=sequence,
        usage=usage,
        at=AT,
    )


def warm(client: FakeQuotaClient) -> None:
    """Open every account that a settlement touches."""
    place(client, "warm")
    client.settle("warm", usage={"cpu_seconds": 3600.0}, fault=Fault.NONE)


STEPS = 4  # append, close, capture or release, note


@pytest.mark.parametrize("who", ["the client repeats", "the sweep comes first"])
@pytest.mark.parametrize("fault", [Fault.NONE, Fault.PLATFORM])
def test_a_crash_at_any_step_of_a_settlement_loses_nothing(sql: SqlBooks, fault: Fault, who: str) -> None:
    meters = SqlMeters(sql.engine)
    client = FakeQuotaClient(books=sql, meters=meters, clock=lambda: AT)
    due = 0 if fault is Fault.PLATFORM else 2_500
    warm(client)
    number = 0
    for step in range(1, STEPS + 1):
        for after in (False, True):
            number += 1
            hold_id = f"h{number}"
            place(client, hold_id)
            client.report_usage([event(1, hold_id, cpu_seconds=1800.0)])
            count = [0]
            mortal = desk_of(Mortal(sql, count, step=step, after=after), Mortal(meters, count, step=step, after=after))
            with pytest.raises(Crash):
                services.settle(ACTOR, mortal, hold_id=hold_id, usage=HOUR, fault=fault)
            if who == "the sweep comes first":
                swept = client.sweep_meters()
                # Nothing was decided before the first step; after the last nothing is left.
                assert swept == (0 if (step, after) in ((1, False), (STEPS, True)) else 1)
            settlement = client.settle(hold_id, usage=HOUR, fault=fault)
            assert settlement.captured == due, (step, after)
            assert client.sweep_meters() == 0
            assert client.audit().breaches == ()
    wallet = client.wallet("ada")
    assert (wallet.balance, wallet.held) == (10_000_000 - 1_500 - number * due, 0)


def test_the_steps_are_as_many_as_the_test_believes(sql: SqlBooks) -> None:
    meters, count = SqlMeters(sql.engine), [0]
    client = FakeQuotaClient(books=sql, meters=meters, clock=lambda: AT)
    warm(client)
    place(client)
    counted = desk_of(Mortal(sql, count, step=99, after=False), Mortal(meters, count, step=99, after=False))
    services.settle(ACTOR, counted, hold_id="h1", usage=HOUR, fault=Fault.NONE)
    assert count == [STEPS]


def test_the_sweeper_settles_before_it_voids(sql: SqlBooks) -> None:
    meters = SqlMeters(sql.engine)
    client = FakeQuotaClient(books=sql, meters=meters, clock=lambda: AT)
    for number in range(30):
        place(client, f"h{number}")
        if number % 3:
            client.report_usage([event(1, f"h{number}", cpu_seconds=1800.0)])
    late = desk_of(sql, meters, AT + timedelta(hours=2))
    Sweeper(late, every_seconds=1)._sweep()
    for number in range(30):
        hold = client.get_hold(f"h{number}")
        assert hold is not None
        expected = (HoldStatus.CAPTURED, 750) if number % 3 else (HoldStatus.EXPIRED, 0)
        assert (hold.status, hold.captured) == expected
    assert client.audit().breaches == ()


def test_one_that_cannot_be_priced_keeps_no_other_waiting_and_nothing_is_voided(
    sql: SqlBooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    meters = SqlMeters(sql.engine)
    client = FakeQuotaClient(books=sql, meters=meters, clock=lambda: AT)
    for name in ("a-bad", "b-good", "c-unused"):
        place(client, name)
    client.report_usage([event(1, "a-bad", cpu_seconds=1800.0), event(1, "b-good", cpu_seconds=1800.0)])
    true = frozen_prices

    def broken(desk: Desk, hold: Hold) -> Any:
        if hold.id == "a-bad":
            raise RuntimeError("no such price list")
        return true(desk, hold)

    late = desk_of(sql, meters, AT + timedelta(hours=2))
    with monkeypatch.context() as patch:
        patch.setattr("swath_quota.services.settling.frozen_prices", broken)
        with pytest.raises(RuntimeError):
            Sweeper(late, every_seconds=1)._sweep()
    stands = {name: client.get_hold(name).status.value for name in ("a-bad", "b-good", "c-unused")}  # type: ignore[union-attr]
    assert stands == {"a-bad": "held", "b-good": "captured", "c-unused": "held"}
    Sweeper(late, every_seconds=1)._sweep()
    assert client.get_hold("a-bad").status is HoldStatus.CAPTURED  # type: ignore[union-attr]
    assert client.get_hold("c-unused").status is HoldStatus.EXPIRED  # type: ignore[union-attr]


# What the database itself refuses


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE usage_events SET sequence = sequence + 1",
        "UPDATE usage_events SET late = true",
        "DELETE FROM usage_events",
        "DELETE FROM meters",
        "UPDATE meters SET status = 'open'",
        "UPDATE meters SET account = 'bea'",
        "UPDATE meters SET sequence = 9",
    ],
)
def test_usage_is_append_only_and_what_is_settled_is_final(sql: SqlBooks, statement: str) -> None:
    client = FakeQuotaClient(books=sql, meters=SqlMeters(sql.engine), clock=lambda: AT)
    place(client)
    client.settle("h1", usage=HOUR, fault=Fault.NONE)
    with pytest.raises(DBAPIError), sql.engine.begin() as connection:
        connection.execute(text(statement))
    assert client.audit().breaches == ()


def test_the_audit_finds_what_was_captured_by_another_price(sql: SqlBooks) -> None:
    client = FakeQuotaClient(books=sql, meters=SqlMeters(sql.engine), clock=lambda: AT)
    place(client)
    client.report_usage([event(1, cpu_seconds=1800.0)])
    client.capture("h1", amount=749, usage={})
    [breach] = client.audit().breaches
    assert (breach.invariant, breach.subject) == (UsageInvariant.PRICED, "h1")


def test_the_audit_finds_a_meter_that_is_not_its_events(sql: SqlBooks) -> None:
    client = FakeQuotaClient(books=sql, meters=SqlMeters(sql.engine), clock=lambda: AT)
    place(client)
    client.report_usage([event(1, cpu_seconds=1800.0)])
    with sql.engine.begin() as connection:
        connection.execute(text("UPDATE meters SET sequence = 7"))
    assert [breach.invariant for breach in client.audit().breaches] == [UsageInvariant.FOLD]


def test_the_audit_finds_a_charge_for_the_platforms_fault(sql: SqlBooks) -> None:
    meters = SqlMeters(sql.engine)
    client = FakeQuotaClient(books=sql, meters=meters, clock=lambda: AT)
    place(client)
    count = [0]
    mortal = desk_of(Mortal(sql, count, step=1, after=True), Mortal(meters, count, step=1, after=True))
    with pytest.raises(Crash):
        services.settle(ACTOR, mortal, hold_id="h1", usage=HOUR, fault=Fault.PLATFORM)
    client.capture("h1", amount=2_500, usage={})
    assert [breach.invariant for breach in client.audit().breaches] == [UsageInvariant.FAULTLESS]


def test_the_audit_finds_events_without_their_meter(sql: SqlBooks) -> None:
    client = FakeQuotaClient(books=sql, meters=SqlMeters(sql.engine), clock=lambda: AT)
    place(client)
    client.report_usage([event(1, cpu_seconds=1800.0)])
    with sql.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO usage_events SELECT 'x', 'lab-other', hold_id, account, kind, sequence, usage, final,"
                " fault, late, at, received_at FROM usage_events"
            )
        )
    assert [breach.invariant for breach in client.audit().breaches] == [UsageInvariant.COUNTED]
