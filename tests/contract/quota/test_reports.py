"""Reports over each store, against the one that reads everything, and by hand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from swath_quota import services
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.domain.grants import GrantCategory
from swath_quota.domain.holds import Purpose, PurposeKind
from swath_quota.domain.members import MemberRole
from swath_quota.domain.ports import Books
from swath_quota.domain.report_ports import ReportStore
from swath_quota.domain.reports import Cursor, SpendingBy
from swath_quota.services import Desk, reports
from swath_quota.store.reports_books import BooksReports
from swath_quota.store.reports_sql import SqlReports
from swath_quota.store.sql import SqlBooks
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Forbidden, Invalid

OPERATOR = Actor(name="op", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))
ADA = Actor(name="ada", scopes=frozenset({Scope.READ}))
BOB = Actor(name="bob", scopes=frozenset({Scope.READ}))
START = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
EVER = {"start": datetime(2000, 1, 1, tzinfo=UTC), "end": datetime(2100, 1, 1, tzinfo=UTC)}
ALGORITHMS = ("ada/ndvi", "grace/water", "")


@dataclass
class Scene:
    """A desk over a store of each kind, and a time that a test moves."""

    desk: Desk
    now: datetime = START
    number: int = 0

    def clock(self) -> datetime:
        return self.now

    def spend(
        self,
        amount: int = 5000,
        *,
        captured: int | None = None,
        kind: PurposeKind = PurposeKind.RUN,
        algorithm: str = "",
        account: str = "ada",
        payer: str | None = None,
        end: str = "capture",
    ) -> str:
        """Hold, and end it."""
        self.number += 1
        hold_id = f"h{self.number}"
        services.hold(
            OPERATOR,
            self.desk,
            hold_id=hold_id,
            account=account,
            amount=amount,
            purpose=Purpose(kind=kind, reference=f"r{self.number}", description="d", algorithm=algorithm),
            expires_in_seconds=10**6,
            payer=payer,
        )
        self.now += timedelta(minutes=7)
        if end in {"capture", "refund"}:
            taken = amount if captured is None else captured
            services.capture(OPERATOR, self.desk, hold_id=hold_id, amount=taken, usage={"cpu_seconds": 60.0})
        if end == "refund":
            self.now += timedelta(minutes=1)
            services.refund(OPERATOR, self.desk, hold_id=hold_id, reason="ours")
        if end == "release":
            services.release(OPERATOR, self.desk, hold_id=hold_id, reason="not needed")
        return hold_id


@pytest.fixture
def scene(books: Books) -> Iterator[Scene]:
    """An empty scene over each store."""
    made: Scene

    def clock() -> datetime:
        return made.now

    over: ReportStore | None = SqlReports(books.engine) if isinstance(books, SqlBooks) else None
    desk = Desk(books=books, tiers=load_tiers(), prices=load_prices(), clock=clock, reports_over=over)
    made = Scene(desk=desk)
    services.wallet(OPERATOR, desk, account="ada")
    yield made
    assert services.audit(OPERATOR, desk).breaches == ()


def busy(scene: Scene, *, seed: int, steps: int = 40) -> None:
    rng = random.Random(seed)
    for _ in range(steps):
        scene.now += timedelta(hours=rng.randint(0, 60), microseconds=rng.randint(0, 10**6))
        amount = rng.randint(1, 9000)
        scene.spend(
            amount,
            captured=rng.choice([0, amount, rng.randint(0, amount)]),
            kind=rng.choice(list(PurposeKind)),
            algorithm=rng.choice(ALGORITHMS),
            account=rng.choice(["ada", "ada", "bob"]),
            end=rng.choice(["capture", "capture", "capture", "release", "open"]),
        )
        if rng.random() < 0.2:
            services.grant(
                OPERATOR,
                scene.desk,
                grant_id=f"g{scene.number}",
                account="ada",
                amount=rng.randint(1, 10**5),
                description="given",
                expires_at=scene.now + timedelta(days=rng.randint(1, 30)),
            )


@pytest.mark.parametrize("seed", [1, 2])
def test_every_answer_is_that_of_reading_everything(scene: Scene, seed: int) -> None:
    busy(scene, seed=seed)
    scene.spend(3000, end="refund")
    scene.spend(4000, end="refund", kind=PurposeKind.LAB)
    told, all_of_it = scene.desk.reports, BooksReports(scene.desk.books)
    days = [START + timedelta(days=n, hours=3) for n in (0, 5, 17, 40, 400)]
    for start in days:
        for end in days:
            assert told.window("user:ada", start=start, end=end) == all_of_it.window("user:ada", start=start, end=end)
            assert told.days("user:ada", start=start, end=end) == all_of_it.days("user:ada", start=start, end=end)
            for by in SpendingBy:
                asked: dict[str, Any] = {"start": start, "end": end, "by": by}
                assert told.spending("user:ada", **asked) == all_of_it.spending("user:ada", **asked)
                assert told.spending("user:ada", **asked, member="bob") == ()
    for account in ("user:ada", "user:bob", "user:nobody"):
        assert told.settled(account, **EVER, limit=500) == all_of_it.settled(account, **EVER, limit=500)
        assert told.open_holds(account, limit=500) == all_of_it.open_holds(account, limit=500)
        assert told.grants(account, limit=500) == all_of_it.grants(account, limit=500)
        assert told.grants(account, limit=3, live=True) == all_of_it.grants(account, limit=3, live=True)
        assert told.opened_at(account) == all_of_it.opened_at(account)
    assert told.opened_at("user:nobody") is None


def test_pages_of_charges_leave_nothing_out_and_double_nothing(scene: Scene) -> None:
    for number in range(7):
        scene.spend(1000 + number)
        if number % 3:
            # Several that ended at the same instant: the cursor tells them apart by id.
            scene.now -= timedelta(minutes=7)
    whole = scene.desk.reports.settled("user:ada", **EVER, limit=500)
    assert len(whole) == 7
    for size in (1, 2, 3):
        found: list[str] = []
        after: Cursor | None = None
        while True:
            page = scene.desk.reports.settled("user:ada", **EVER, limit=size, after=after)
            if not page:
                break
            found += [one.hold.id for one in page]
            ended = page[-1].hold.resolved_at
            assert ended is not None
            after = Cursor(at=ended, hold_id=page[-1].hold.id)
        assert found == [one.hold.id for one in whole]


def test_a_day_ends_at_midnight_in_utc(scene: Scene) -> None:
    scene.now = datetime(2026, 3, 31, 23, 52, 59, 999_999, tzinfo=UTC)
    scene.spend(1000)
    scene.now = datetime(2026, 3, 31, 23, 53, tzinfo=UTC)
    scene.spend(500)
    told = reports.balances(OPERATOR, scene.desk, account="ada", first=date(2026, 3, 31), last=date(2026, 4, 1))
    assert [day.spent for day in told.days] == [1000, 500]
    # The month turned: April's allowance is there, and of March's lapsed what was not held for what ran into April.
    assert told.days[0].closing == told.opening - 1000
    assert told.days[1].lapsed == told.days[0].closing - 500
    assert told.days[1].closing == told.days[1].given == 10_000_000
    march = reports.month(OPERATOR, scene.desk, month="2026-03", account="ada")
    april = reports.month(OPERATOR, scene.desk, month="2026-04", account="ada")
    assert (march.totals.charges, april.totals.charges) == (-1000, -500)
    assert (march.adds_up, march.is_final, april.adds_up, april.is_final) == (True, True, True, False)
    assert march.closing == april.opening


def test_a_charge_tells_what_ran_and_why_it_cost_that(scene: Scene) -> None:
    hold_id = scene.spend(9000, captured=2025, algorithm="ada/ndvi", end="refund")
    page = reports.charges(ADA, scene.desk)
    (charge,) = page.charges
    assert (charge.id, charge.held, charge.charged, charge.refunded) == (hold_id, 9000, 2025, 2025)
    assert (charge.algorithm, charge.member, charge.price_version) == ("ada/ndvi", "ada", "2023-11-01")
    assert charge.explanation.text == "0.01667 CPU-h × 1.5 + 0 GB-h × 1 + 2 per run = 2.025"  # noqa: RUF001
    assert page.next is None


def test_the_overview_forecasts_with_the_tiers_next_allowance(scene: Scene) -> None:
    services.grant(
        OPERATOR,
        scene.desk,
        grant_id="g",
        account="ada",
        amount=70_000,
        description="research",
        category=GrantCategory.RESEARCH,
    )
    scene.spend(3000)
    scene.spend(4000, end="open")
    told = reports.overview(ADA, scene.desk)
    default = scene.desk.tiers.named(scene.desk.tiers.default)
    assert told.available == told.balance - 4000
    assert [hold.amount for hold in told.holds] == [4000]
    assert {grant.description for grant in told.grants} == {"research", f"{default.title}: allowance of 2026-03"}
    assert told.forecast.next_allowance == 10_000_000
    assert told.forecast.renews_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert told.forecast.rates[0].spent == 3000
    assert told.months == ("2026-03",)


def test_a_wallet_is_its_owners_and_operators(scene: Scene) -> None:
    scene.spend(1000)
    calls = [
        lambda: reports.overview(BOB, scene.desk, account="ada"),
        lambda: reports.open_holds(BOB, scene.desk, account="ada"),
        lambda: reports.all_grants(BOB, scene.desk, account="ada"),
        lambda: reports.balances(BOB, scene.desk, account="ada"),
        lambda: reports.spending(BOB, scene.desk, account="ada"),
        lambda: reports.charges(BOB, scene.desk, account="ada"),
        lambda: reports.every_charge(BOB, scene.desk, account="ada"),
        lambda: reports.entries(BOB, scene.desk, account="ada"),
        lambda: reports.month(BOB, scene.desk, month="2026-03", account="ada"),
    ]
    for call in calls:
        with pytest.raises(Forbidden):
            call()
    mute = Actor(name="ada", scopes=frozenset())
    with pytest.raises(Forbidden):
        reports.overview(mute, scene.desk)


def test_a_member_sees_her_own_part_and_an_owner_all(scene: Scene) -> None:
    services.open_organisation(OPERATOR, scene.desk, name="acme", title="Acme")
    services.admit(OPERATOR, scene.desk, name="acme", member="ada", role=MemberRole.OWNER)
    services.admit(OPERATOR, scene.desk, name="acme", member="bob")
    services.wallet(OPERATOR, scene.desk, account="bob")
    acme = "organisation:acme"
    scene.spend(1000, account="ada", payer=acme)
    scene.spend(300, account="bob", payer=acme)
    scene.spend(20, account="ada", payer=acme, end="open")
    everything = reports.spending(ADA, scene.desk, account=acme, by=SpendingBy.MEMBER)
    assert [(one.name, one.net) for one in everything.spending] == [("ada", 1000), ("bob", 300)]
    own = reports.spending(BOB, scene.desk, account=acme, by=SpendingBy.MEMBER)
    assert [(one.name, one.net) for one in own.spending] == [("bob", 300)]
    assert [one.member for one in reports.charges(BOB, scene.desk, account=acme).charges] == ["bob"]
    assert reports.open_holds(BOB, scene.desk, account=acme) == ()
    assert len(reports.open_holds(ADA, scene.desk, account=acme)) == 1
    assert reports.month(ADA, scene.desk, account=acme, month="2026-03").adds_up
    with pytest.raises(Forbidden) as told:
        reports.month(BOB, scene.desk, account=acme, month="2026-03")
    assert told.value.code == "not-an-owner"
    with pytest.raises(Forbidden):
        reports.entries(BOB, scene.desk, account=acme)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 5, 2), date(2026, 5, 1)),
        (date(2024, 1, 1), date(2026, 1, 1)),
        (date.min, date.min),
        (date.max, date.max),
        (None, date.min),
        (date.min, None),
    ],
)
def test_spans_that_make_no_sense_are_told(scene: Scene, first: date | None, last: date | None) -> None:
    for call in (reports.balances, reports.spending, reports.charges, reports.every_charge, reports.entries):
        with pytest.raises(Invalid) as told:
            call(ADA, scene.desk, first=first, last=last)
        assert told.value.findings[0]["field"] == "from"


@pytest.mark.parametrize("month", ["2026-04", "9999-12", "2026-13", "x"])
def test_months_that_there_is_no_statement_of(scene: Scene, month: str) -> None:
    with pytest.raises(Invalid) as told:
        reports.month(ADA, scene.desk, month=month)
    assert told.value.findings[0]["field"] == "month"


def test_a_month_before_the_wallet_is_empty(scene: Scene) -> None:
    told = reports.month(ADA, scene.desk, month="2020-01")
    assert (told.opening, told.lines, told.closing, told.adds_up) == (0, (), 0, True)
