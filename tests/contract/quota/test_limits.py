"""Limits, whatever keeps them: in memory, on each database, and over HTTP to a real application."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from swath_quota.api.app import make_app
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.client import (
    FakeQuotaClient,
    Hold,
    HttpQuotaClient,
    NoSuchLimit,
    NoSuchOverride,
    NoSuchTier,
    OverrideDiffers,
    Purpose,
    PurposeKind,
    QuotaClient,
    Refusal,
    TakeDiffers,
    TakeEnded,
    Taken,
)
from swath_quota.domain.limit_ports import LimitStore
from swath_quota.services import Desk
from swath_quota.store.engine import connect
from swath_quota.store.limits_memory import MemoryLimits
from swath_quota.store.limits_sql import SqlLimits
from swath_quota.store.memory import MemoryBooks
from swath_quota.store.migrate import migrate
from swath_quota.store.sql import SqlBooks
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Forbidden, Invalid

AT = datetime(2026, 5, 20, 12, 30, tzinfo=UTC)
SERVICE = Actor(name="quota", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))
DEADLINE = datetime(2026, 6, 3, tzinfo=UTC)


@dataclass
class Rig:
    """A client, and the clock behind it."""

    client: QuotaClient
    limits: LimitStore
    now: datetime = AT

    def pass_(self, **delta: float) -> None:
        self.now += timedelta(**delta)

    def take(self, take_id: str, limit: str = "runs.concurrent", amount: int = 1, **more: Any) -> Taken | Refusal:
        return self.client.take(take_id=take_id, account="ada", limit=limit, amount=amount, **more)

    def taken(self, take_id: str, limit: str = "runs.concurrent", amount: int = 1, **more: Any) -> Taken:
        answer = self.take(take_id, limit, amount, **more)
        assert isinstance(answer, Taken), answer
        return answer

    def refused(self, take_id: str, limit: str = "runs.concurrent", amount: int = 1) -> Refusal:
        answer = self.take(take_id, limit, amount)
        assert isinstance(answer, Refusal), answer
        return answer

    def used(self, limit: str = "runs.concurrent") -> int:
        state = self.client.standing("ada").limit(limit)
        assert state is not None
        return state.used


class _Tokens:
    async def actor_for(self, token: str) -> Actor | None:
        return SERVICE if token == "token-of-the-test" else None


@pytest.fixture(params=["memory", "sqlite", "postgresql", pytest.param("http", marks=pytest.mark.integration)])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        books: Any = MemoryBooks()
        limits: LimitStore = MemoryLimits()
        if request.param != "memory":
            url = f"sqlite:///{tmp_path / 'quota.sqlite'}"
            if request.param == "postgresql":
                url = request.getfixturevalue("postgres_database")
            engine = connect(url)
            stack.callback(engine.dispose)
            migrate(engine)
            books, limits = SqlBooks(engine), SqlLimits(engine)
        made = Rig(client=None, limits=limits)  # type: ignore[arg-type]
        # General's limits are the smallest.
        tiers = load_tiers()
        tiers = type(tiers)(default="general", tiers=tiers.tiers)
        if request.param == "http":
            desk = Desk(books=books, tiers=tiers, prices=load_prices(), clock=lambda: made.now, limits=limits)
            app = make_app(desk=desk, identity=_Tokens(), prefix="/services/quota/")
            serve = request.getfixturevalue("serve")
            url = stack.enter_context(serve(app)) + "/services/quota/"
            made.client = stack.enter_context(HttpQuotaClient(url, "token-of-the-test"))
        else:
            made.client = FakeQuotaClient(books=books, limits=limits, tiers=tiers, clock=lambda: made.now)
        yield made


# Takes


def test_a_continuous_limit_is_taken_refused_and_given_back(rig: Rig) -> None:
    assert rig.taken("a", expires_in_seconds=60).expires_at == AT + timedelta(seconds=60)
    assert rig.taken("b").expires_at is None
    no = rig.refused("c")
    assert (no.code, no.limit_name, no.limit, no.left, no.retry_at) == ("quota-exceeded", "runs.concurrent", 2, 0, None)
    assert "2026-05-20T12:31:00+00:00" in no.mend
    for _ in range(3):
        rig.client.give_back("b")
    assert rig.used() == 1
    assert rig.taken("c").amount == 1
    rig.client.give_back("nobody-took-this")
    assert rig.used() == 2


def test_a_lease_ends_by_itself_and_is_kept_alive_by_repeating_it(rig: Rig) -> None:
    rig.taken("a", expires_in_seconds=60)
    rig.pass_(seconds=59)
    assert rig.taken("a", expires_in_seconds=60).expires_at == AT + timedelta(seconds=119)
    # Never shortened.
    assert rig.taken("a", expires_in_seconds=1).expires_at == AT + timedelta(seconds=119)
    rig.pass_(seconds=59, microseconds=999_999)
    assert rig.used() == 1
    rig.pass_(microseconds=1)
    assert rig.used() == 0
    with pytest.raises(TakeEnded):
        rig.take("a", expires_in_seconds=60)
    rig.taken("b", amount=2)


@pytest.mark.parametrize(
    "limit", ["runs.concurrent", "products.month", "transfer.bytes.30d", "processing.units.minute"]
)
def test_a_repeated_take_counts_once_and_another_under_its_id_is_told(rig: Rig, limit: str) -> None:
    first = rig.taken("a", limit)
    rig.pass_(seconds=1)
    assert [rig.taken("a", limit) for _ in range(3)] == [first] * 3
    assert rig.used(limit) <= 1
    for changed in ({"amount": 2}, {"limit": "lab.servers"}, {"account": "bea"}):
        asked = {"account": "ada", "limit": limit, "amount": 1, **changed}
        with pytest.raises(TakeDiffers):
            rig.client.take(take_id="a", **asked)  # type: ignore[arg-type]


def test_a_month_is_full_until_the_first_and_gives_back_within_itself(rig: Rig) -> None:
    rig.taken("a", "products.month", 20)
    rig.taken("b", "products.month", 5)
    no = rig.refused("c", "products.month")
    assert no.retry_at == datetime(2026, 6, 1, tzinfo=UTC)
    rig.client.give_back("b")
    rig.client.give_back("b")
    assert rig.used("products.month") == 20
    with pytest.raises(TakeEnded):
        rig.take("b", "products.month", 5)
    rig.now = datetime(2026, 6, 1, tzinfo=UTC)
    rig.taken("d", "products.month", 25)
    # What May took is not given back to June.
    rig.client.give_back("a")
    assert rig.used("products.month") == 25


def test_a_clock_set_back_gives_no_second_month(rig: Rig) -> None:
    rig.now = datetime(2026, 6, 1, tzinfo=UTC)
    rig.taken("a", "products.month", 25)
    rig.now = AT
    assert rig.refused("b", "products.month").retry_at == datetime(2026, 7, 1, tzinfo=UTC)
    rig.now = datetime(2026, 6, 1, tzinfo=UTC)
    rig.refused("b", "products.month")


def test_transfer_over_30_days_degrades_and_blocks_nothing(rig: Rig) -> None:
    limit, tera = "transfer.bytes.30d", 10**12
    assert not rig.taken("a", limit, 12 * tera).degraded
    assert rig.client.standing("ada").degraded == ()
    rig.pass_(hours=2)
    assert rig.taken("b", limit, 1).degraded
    standing = rig.client.standing("ada")
    assert "12 TB" in standing.degraded[0]
    states = {name: standing.limit(name) for name in ("transfer.rate", "transfer.connections", limit)}
    assert [state and state.hard for state in states.values()] == [1_000_000, 1, None]
    # What is degraded is enforced too.
    rig.taken("c", "transfer.connections")
    assert rig.refused("d", "transfer.connections").limit == 1
    rig.client.give_back("b")
    assert rig.client.standing("ada").degraded == ()
    rig.taken("e", limit, 1)
    state = rig.client.standing("ada").limit(limit)
    assert state is not None
    freed = datetime(2026, 6, 19, 13, tzinfo=UTC)
    assert state.resets_at == freed
    rig.now = freed - timedelta(microseconds=1)
    assert rig.client.standing("ada").degraded
    rig.now = freed
    assert rig.client.standing("ada").degraded == ()
    assert rig.used(limit) == 1


def test_a_rate_refuses_until_the_very_instant_that_it_tells(rig: Rig) -> None:
    limit = "runs.starts.minute"
    for number in range(12):
        rig.taken(f"t{number}", limit)
    no = rig.refused("late", limit)
    assert no.retry_at == AT + timedelta(seconds=5)
    rig.now = no.retry_at - timedelta(microseconds=1)
    rig.refused("late", limit)
    rig.now = no.retry_at
    rig.taken("late", limit)


def test_what_never_fits_is_said_to_never_fit(rig: Rig) -> None:
    no = rig.refused("a", "products.month", 26)
    assert no.retry_at is None
    assert "never fits" in no.message
    assert "less" in no.mend


def test_each_account_has_its_own(rig: Rig) -> None:
    rig.taken("a", amount=2)
    for account in ("bea", "organisation:ada", "project:ada"):
        assert isinstance(rig.client.take(take_id=account, account=account, limit="runs.concurrent", amount=2), Taken)


def test_faults_are_told_all_at_once(rig: Rig) -> None:
    with pytest.raises(Invalid) as caught:
        rig.client.take(take_id="a b", account="ada", limit="runs.concurrent", amount=0, expires_in_seconds=0)
    assert {finding["field"] for finding in caught.value.findings} == {"take_id", "amount", "expires_in_seconds"}
    with pytest.raises(NoSuchLimit):
        rig.take("a", "runs.per.fortnight")
    with pytest.raises(Invalid, match="credits are not taken"):
        rig.take("a", "credits.month")
    with pytest.raises(Invalid, match="ends with its window"):
        rig.take("a", "products.month", expires_in_seconds=5)


# Standing


def test_a_standing_tells_every_limit_of_the_tier(rig: Rig) -> None:
    standing = rig.client.standing("ada")
    assert (standing.account, standing.tier, standing.weight, standing.degraded) == ("ada", "general", 1.0, ())
    assert {state.name for state in standing.limits} == set(load_tiers().shapes())
    credits = standing.limit("credits.month")
    assert credits is not None
    assert (credits.hard, credits.used, credits.left) == (10_000_000, 0, 10_000_000)
    assert credits.resets_at == datetime(2026, 6, 1, tzinfo=UTC)
    assert standing.limit("runs.per.fortnight") is None


def test_credits_in_a_standing_are_the_wallets(rig: Rig) -> None:
    purpose = Purpose(kind=PurposeKind.RUN, reference="r")
    hold = rig.client.hold(hold_id="h", account="ada", amount=4_000_000, purpose=purpose, expires_in_seconds=60)
    assert isinstance(hold, Hold)
    credits = rig.client.standing("ada").limit("credits.month")
    assert credits is not None
    assert (credits.used, credits.left) == (4_000_000, 6_000_000)
    # A gift is more to spend, and leaves what is used of the month's allowance as it is.
    rig.client.grant(grant_id="g", account="ada", amount=5_000_000, description="a gift")
    credits = rig.client.standing("ada").limit("credits.month")
    assert (credits.used, credits.left) == (4_000_000, 11_000_000)


def test_servers_and_clusters_that_go_on_are_counted_by_their_holds(rig: Rig) -> None:
    kinds = (PurposeKind.LAB, PurposeKind.DASK, PurposeKind.DASK, PurposeKind.RUN)
    for number, kind in enumerate(kinds):
        purpose = Purpose(kind=kind, reference=f"r{number}")
        hold = rig.client.hold(hold_id=f"h{number}", account="ada", amount=9, purpose=purpose, expires_in_seconds=60)
        assert isinstance(hold, Hold)
    rig.client.assign_tier("ada", tier="copernicus-services")
    standing = rig.client.standing("ada")
    servers, clusters = standing.limit("lab.servers"), standing.limit("dask.clusters")
    assert servers is not None
    assert clusters is not None
    assert (servers.used, servers.hard, servers.left) == (1, 1, 0)
    assert (clusters.used, clusters.hard, clusters.left) == (2, 4, 2)


# Overrides


def give(rig: Rig, override_id: str = "o1", **changed: Any) -> Any:
    asked = {
        "subject": "ada",
        "limit": "runs.concurrent",
        "hard": 5,
        "reason": "a workshop",
        "ends_at": DEADLINE,
        **changed,
    }
    return rig.client.override(override_id=override_id, **asked)


def test_an_override_holds_from_its_start_to_its_end_and_ends_by_itself(rig: Rig) -> None:
    made = give(rig, starts_at=AT + timedelta(hours=1))
    assert (made.author, made.reason, made.revoked) in {("fake", "a workshop", None), ("quota", "a workshop", None)}
    rig.refused("a", amount=3)
    rig.now = AT + timedelta(hours=1)
    rig.taken("a", amount=5)
    state = rig.client.standing("ada").limit("runs.concurrent")
    assert state is not None
    assert (state.hard, state.origin) == (5, "override")
    rig.now = DEADLINE - timedelta(microseconds=1)
    assert rig.refused("b").limit == 5
    rig.now = DEADLINE
    assert rig.refused("b").limit == 2
    # And stands in the list for ever.
    assert rig.client.overrides("ada") == (made,)


def test_overrides_are_never_changed_and_once_revoked_stay_so(rig: Rig) -> None:
    made = give(rig)
    assert give(rig) == made
    with pytest.raises(OverrideDiffers):
        give(rig, hard=6)
    rig.pass_(hours=1)
    revoked = rig.client.revoke("o1", reason="over early")
    assert revoked.revoked is not None
    assert (revoked.revoked.reason, revoked.revoked.at) == ("over early", rig.now)
    rig.pass_(hours=1)
    assert rig.client.revoke("o1", reason="again") == revoked
    assert rig.refused("a", amount=3).limit == 2
    assert rig.client.overrides() == (revoked,)
    with pytest.raises(NoSuchOverride):
        rig.client.revoke("o9", reason="x")


def test_the_latest_override_is_the_one_that_was_meant(rig: Rig) -> None:
    give(rig, "o2", hard=9)
    rig.pass_(seconds=1)
    give(rig, "o1", hard=3, soft=1)
    assert not rig.taken("a").degraded
    assert rig.taken("b").degraded
    assert rig.client.standing("ada").degraded == ("beyond the soft limit that an operator set",)
    assert rig.refused("c", amount=2).limit == 3


def test_an_override_of_the_tier_brings_its_limits_and_weight_and_no_credits(rig: Rig) -> None:
    give(rig, limit=None, hard=None, tier="copernicus-services")
    standing = rig.client.standing("ada")
    assert (standing.tier, standing.weight) == ("copernicus-services", 4.0)
    assert [state.hard for state in standing.limits if state.name in {"credits.month", "products.month"}] == [
        10_000_000,
        1_000,
    ]
    assert rig.client.wallet("ada").tier == "general"


def test_unrestricted_is_unrestricted(rig: Rig) -> None:
    give(rig, hard=None, unrestricted=True)
    rig.taken("a", amount=10**9)
    assert rig.client.standing("bea").limit("runs.concurrent").hard == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"tier": "general"}, "limit"),
        ({"limit": None, "hard": None}, "limit"),
        ({"limit": "credits.month"}, "limit"),
        ({"hard": None}, "hard"),
        ({"soft": 6}, "soft"),
        ({"ends_at": AT}, "ends_at"),
        ({"starts_at": DEADLINE}, "ends_at"),
    ],
)
def test_an_override_that_makes_no_sense_is_told(rig: Rig, changed: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        give(rig, **changed)
    assert field in {finding["field"].split(".")[0] for finding in caught.value.findings}
    assert rig.client.overrides() == ()


def test_an_override_of_what_is_not_there(rig: Rig) -> None:
    with pytest.raises(NoSuchLimit):
        give(rig, limit="runs.per.fortnight")
    with pytest.raises(NoSuchTier):
        give(rig, limit=None, hard=None, tier="gold")


def test_who_may_what() -> None:
    from swath_quota import services

    desk = Desk(books=MemoryBooks(), tiers=load_tiers(), prices=load_prices())
    ada = Actor(name="ada", scopes=frozenset({Scope.READ}))
    gate = Actor(name="archive", kind=ActorKind.SERVICE, scopes=frozenset({Scope.STANDING}))
    assert services.standing(ada, desk).account == "ada"
    assert services.standing(gate, desk, account="ada").account == "ada"
    for refused in (
        lambda: services.standing(ada, desk, account="bea"),
        lambda: services.take(ada, desk, take_id="a", account="ada", limit="lab.servers", amount=1),
        lambda: services.take(gate, desk, take_id="a", account="ada", limit="lab.servers", amount=1),
        lambda: services.give_back(ada, desk, take_id="a"),
        lambda: services.overrides(ada, desk, subject="ada"),
        lambda: services.revoke(gate, desk, override_id="o", reason="x"),
        lambda: services.override(
            ada, desk, override_id="o", subject="ada", limit="lab.servers", hard=9, reason="x", ends_at=DEADLINE
        ),
    ):
        with pytest.raises(Forbidden):
            refused()


# At once


def at_once(number: int, work: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(number)

    def begin(index: int) -> Any:
        barrier.wait(timeout=30)
        return work(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))


@pytest.mark.parametrize(
    ("limit", "hard"), [("runs.concurrent", 2), ("products.month", 25), ("runs.starts.minute", 12)]
)
def test_takes_at_once_never_pass_the_hard_limit(rig: Rig, limit: str, hard: int) -> None:
    answers = at_once(32, lambda index: rig.take(f"t{index}", limit))
    assert sum(isinstance(answer, Taken) for answer in answers) == hard
    assert rig.used(limit) == hard


def test_the_same_take_at_once_counts_once(rig: Rig) -> None:
    answers = at_once(24, lambda _: rig.take("same", "products.month", 3))
    assert all(answer == answers[0] for answer in answers)
    assert rig.used("products.month") == 3


PROCESS = """
import json, sys
from swath_quota.catalogue import load_tiers
from swath_quota.client import FakeQuotaClient, Taken
from swath_quota.store.engine import connect
from swath_quota.store.limits_sql import SqlLimits
from swath_quota.store.sql import SqlBooks
url, name = sys.argv[1:]
engine = connect(url)
tiers = load_tiers()
tiers = type(tiers)(default="general", tiers=tiers.tiers)
client = FakeQuotaClient(books=SqlBooks(engine), limits=SqlLimits(engine), tiers=tiers)
print("ready", flush=True)
sys.stdin.readline()
took = {}
for limit in ("products.month", "runs.concurrent"):
    answers = [client.take(take_id=f"{name}-{limit}-{n}", account="ada", limit=limit, amount=1) for n in range(20)]
    took[limit] = sum(isinstance(answer, Taken) for answer in answers)
    client.take(take_id=f"shared-{limit}", account="bea", limit=limit, amount=1)
print(json.dumps(took))
"""


@pytest.mark.slow
def test_processes_at_once_never_pass_the_hard_limit(database_url: str) -> None:
    engine = connect(database_url)
    migrate(engine)
    command = [sys.executable, "-c", PROCESS, database_url]
    started = [
        subprocess.Popen([*command, f"p{n}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [json.loads(process.communicate(timeout=120)[0]) for process in started]
    assert sum(one["products.month"] for one in told) == 25
    assert sum(one["runs.concurrent"] for one in told) == 2
    client = FakeQuotaClient(books=SqlBooks(engine), limits=SqlLimits(engine))
    assert client.standing("bea").limit("runs.concurrent").used == 1  # type: ignore[union-attr]
    engine.dispose()


# What the databases refuse


@pytest.mark.parametrize("statement", ["UPDATE {} SET reason = 'because'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["limit_overrides", "limit_revocations"])
def test_overrides_cannot_be_rewritten(database_url: str, table: str, statement: str) -> None:
    engine = connect(database_url)
    migrate(engine)
    rig = Rig(client=None, limits=SqlLimits(engine))  # type: ignore[arg-type]
    rig.client = FakeQuotaClient(limits=rig.limits, clock=lambda: rig.now)
    give(rig)
    rig.client.revoke("o1", reason="over")
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement.format(table)))
    engine.dispose()


# Any order of anything


class Counting(RuleBasedStateMachine):
    """Sums beside the real service, over months and leases. (Clocks that go back: tests/unit/quota/test_windows.py.)"""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(client=None, limits=MemoryLimits())  # type: ignore[arg-type]
        tiers = load_tiers()
        tiers = type(tiers)(default="general", tiers=tiers.tiers)
        self.rig.client = FakeQuotaClient(limits=self.rig.limits, tiers=tiers, clock=lambda: self.rig.now)
        self.seen = AT
        self.open: dict[str, tuple[int, datetime | None]] = {}
        self.month: dict[str, tuple[str, int]] = {}
        self.number = 0

    def _now(self) -> datetime:
        self.seen = max(self.seen, self.rig.now)
        return self.seen

    @rule(amount=st.integers(1, 3), seconds=st.one_of(st.none(), st.integers(1, 7200)))
    def run(self, amount: int, seconds: int | None) -> None:
        now = self._now()
        self.number += 1
        take_id = f"r{self.number}"
        standing = sum(n for n, end in self.open.values() if end is None or end > now)
        answer = self.rig.take(take_id, amount=amount, expires_in_seconds=seconds)
        assert isinstance(answer, Taken) == (standing + amount <= 2)
        # The counter of runs has its own clock: a take moves it.
        if isinstance(answer, Taken):
            self.open[take_id] = (amount, answer.expires_at)

    @rule(amount=st.integers(1, 9))
    def product(self, amount: int) -> None:
        self._now()
        self.number += 1
        answer = self.rig.take(f"p{self.number}", "products.month", amount)
        if isinstance(answer, Taken):
            self.month[f"p{self.number}"] = (self.seen.strftime("%Y-%m"), amount)

    @precondition(lambda self: self.open or self.month)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        take_id = data.draw(st.sampled_from(sorted([*self.open, *self.month])))
        self.rig.client.give_back(take_id)
        self.rig.client.give_back(take_id)
        self.open.pop(take_id, None)
        self.month.pop(take_id, None)

    @rule(hours=st.integers(0, 800))
    def forwards(self, hours: int) -> None:
        self.rig.pass_(hours=hours)
        # Both counters see it, so that the model needs one clock.
        self._touch()

    def _touch(self) -> None:
        self._now()
        for limit in ("runs.concurrent", "products.month"):
            self.number += 1
            take_id = f"x{self.number}"
            if isinstance(self.rig.take(take_id, limit), Taken):
                self.rig.client.give_back(take_id)

    @invariant()
    def never_beyond(self) -> None:
        months: dict[str, int] = {}
        for month, amount in self.month.values():
            months[month] = months.get(month, 0) + amount
        assert all(total <= 25 for total in months.values())
        assert self.rig.used("products.month") <= 25
        assert self.rig.used() <= 2


Counting.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestCounting = Counting.TestCase
