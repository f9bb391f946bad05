"""A wallet that members share: who may do what, ceilings, the choice of wallet; refunds, extension, scopes, frozen
prices and when what is refused fits. By the services, on every store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from swath_quota import services
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.client import FakeQuotaClient, Fault, Hold, Purpose, PurposeKind, Refusal
from swath_quota.domain.errors import NoSuchMember, NoSuchPrices, NoSuchWallet, NotAMember, NotCaptured, RefundDiffers
from swath_quota.domain.grants import GrantCategory, GrantScope
from swath_quota.domain.members import MemberRole
from swath_quota.domain.ports import Books
from swath_quota.domain.prices import PriceLists
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Conflict, Forbidden, Invalid

OPERATOR = Actor(name="root", kind=ActorKind.USER, scopes=frozenset({Scope.READ, Scope.EXECUTE, Scope.ADMINISTER}))
ACME, ALLOWANCE = "organisation:acme", 10_000_000
MAY, JUNE = datetime(2026, 5, 20, 12, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
RUN = Purpose(kind=PurposeKind.RUN, reference="r", algorithm="ada/ndvi")


def user(name: str) -> Actor:
    return Actor(name=name, kind=ActorKind.USER, scopes=frozenset({Scope.READ, Scope.EXECUTE}))


class Office:
    """A client and what people do at the desk behind it, on a clock that tests move."""

    def __init__(self, books: Books, **more: Any) -> None:
        self.now = MAY
        self.client = FakeQuotaClient(books=books, clock=lambda: self.now, **more)
        self.desk = self.client._desk
        services.open_organisation(OPERATOR, self.desk, name="acme", title="Acme")

    def admit(self, member: str, ceiling: int | None = None, role: str = "member", by: Actor = OPERATOR) -> Any:
        return services.admit(by, self.desk, name="acme", member=member, ceiling=ceiling, role=MemberRole(role))

    def hold(self, name: str, account: str = "ada", amount: int = 1000, *, purpose: Purpose = RUN, **more: Any) -> Any:
        return self.client.hold(
            hold_id=name, account=account, amount=amount, purpose=purpose, expires_in_seconds=3600, **more
        )

    def grant(self, name: str, amount: int = 1000, **more: Any) -> Any:
        given = {"account": "ada", "description": "given", **more}
        return self.client.grant(grant_id=name, amount=amount, **given)

    def left(self, name: str) -> int:
        [found] = [one for one in self.desk.books.read(lambda reader: list(reader.all_grants())) if one.id == name]
        return int(found.remaining)


@pytest.fixture
def office(books: Books) -> Iterator[Office]:
    made = Office(books)
    yield made
    assert made.client.audit().breaches == ()


def refused(answer: Any, code: str) -> Refusal:
    assert isinstance(answer, Refusal), answer
    assert answer.code == code
    return answer


# Roles


def test_an_organisation_has_an_allowance_that_its_members_spend(office: Office) -> None:
    office.admit("ada")
    held = office.hold("h", payer=ACME)
    assert isinstance(held, Hold)
    assert (held.account, held.member) == (ACME, "ada")
    office.client.capture("h", amount=700, usage={})
    assert office.client.wallet(ACME).balance == ALLOWANCE - 700
    assert office.client.wallet("ada").balance == ALLOWANCE
    assert office.client.statement(ACME).entries[0].reference == "h"


def test_who_is_no_member_spends_and_sees_nothing(office: Office) -> None:
    with pytest.raises(NotAMember):
        office.hold("h", payer=ACME)
    with pytest.raises(NoSuchWallet):
        services.organisation(user("ada"), office.desk, name="acme")
    with pytest.raises(Forbidden):
        services.wallet(user("ada"), office.desk, account=ACME)
    with pytest.raises(NoSuchWallet):
        office.admit("ada", by=user("ada"))
    with pytest.raises(NotAMember):
        services.choose_payer(user("ada"), office.desk, payer=ACME)
    assert office.client.get_hold("h") is None


def test_nobody_spends_from_another_users_wallet(office: Office) -> None:
    office.client.wallet("bea")
    with pytest.raises(NotAMember):
        office.hold("h", payer="bea")
    with pytest.raises(NotAMember):
        services.choose_payer(user("ada"), office.desk, payer="bea")
    with pytest.raises(NoSuchWallet):
        office.hold("h", payer="organisation:none")
    assert office.client.wallet("bea").held == 0


def test_a_user_who_is_called_like_an_organisation_is_not_it(office: Office) -> None:
    with pytest.raises(Forbidden):
        services.wallet(user(ACME), office.desk)
    with pytest.raises(Forbidden):
        services.statement(user(ACME), office.desk)
    with pytest.raises(NotAMember):
        office.hold("h", account=ACME)


def test_a_member_sees_the_own_part_and_an_owner_everybodys(office: Office) -> None:
    office.admit("ada", 500)
    office.admit("bea", role="owner")
    seen = services.organisation(user("ada"), office.desk, name="acme")
    assert [(one.member, one.ceiling) for one in seen.members] == [("ada", 500)]
    assert {one.member for one in services.organisation(user("bea"), office.desk, name="acme").members} == {
        "ada",
        "bea",
    }
    assert services.wallet(user("ada"), office.desk, account=ACME).balance == ALLOWANCE
    with pytest.raises(NotAMember) as told:
        services.statement(user("ada"), office.desk, account=ACME)
    assert told.value.code == "not-an-owner"
    assert services.statement(user("bea"), office.desk, account=ACME).entries


def test_owners_admit_and_dismiss_and_members_do_not(office: Office) -> None:
    office.admit("bea", role="owner")
    office.admit("ada", 500, by=user("bea"))
    assert services.organisation(OPERATOR, office.desk, name="acme").members[0].added_by == "bea"
    for verb in (lambda: office.admit("ada", None, by=user("ada")), lambda: office.admit("cy", by=user("ada"))):
        with pytest.raises(NotAMember) as told:
            verb()
        assert told.value.code == "not-an-owner"
    with pytest.raises(NotAMember):
        services.dismiss(user("ada"), office.desk, name="acme", member="bea")
    with pytest.raises(NoSuchMember):
        services.dismiss(user("bea"), office.desk, name="acme", member="cy")
    assert services.dismiss(user("bea"), office.desk, name="acme", member="ada").removed_at == MAY
    # Dismissed by an operator, an owner is one no more.
    services.dismiss(OPERATOR, office.desk, name="acme", member="bea")
    with pytest.raises(NoSuchWallet):
        office.admit("cy", by=user("bea"))


def test_opening_again_changes_nothing_but_the_month(office: Office) -> None:
    for _ in range(2):
        found = services.open_organisation(OPERATOR, office.desk, name="acme", title="Acme")
        assert (found.account, found.title) == (ACME, "Acme")
    assert office.client.wallet(ACME).balance == ALLOWANCE
    with pytest.raises(Conflict):
        services.open_organisation(OPERATOR, office.desk, name="acme", title="Another")
    with pytest.raises(Forbidden):
        services.open_organisation(user("ada"), office.desk, name="mine", title="Mine")
    with pytest.raises(Invalid):
        services.open_organisation(OPERATOR, office.desk, name="Acme/", title="")
    office.now = JUNE
    services.open_organisation(OPERATOR, office.desk, name="acme", title="Acme")
    # May's lapsed, June's came.
    assert office.desk.books.read(lambda reader: reader.account(ACME)).balance == ALLOWANCE  # type: ignore[union-attr]


# Dismissal, ceilings and the choice of wallet


def test_what_a_dismissed_member_holds_goes_on_to_its_end(office: Office) -> None:
    office.admit("ada")
    for name in ("captured", "extended", "released"):
        office.hold(name, payer=ACME)
    services.dismiss(OPERATOR, office.desk, name="acme", member="ada")
    with pytest.raises(NotAMember):
        office.hold("new", payer=ACME)
    with pytest.raises(NotAMember):
        office.client.extend("extended", expires_in_seconds=9000, amount=2000)
    assert office.client.extend("extended", expires_in_seconds=9000).amount == 1000  # type: ignore[union-attr]
    assert office.client.capture("captured", amount=900, usage={}).captured == 900
    office.client.release("released", reason="canceled")
    assert office.client.wallet(ACME).held == 1000
    # Admitted again: what was spent this month still counts.
    office.admit("ada", 2500)
    assert refused(office.hold("more", payer=ACME, amount=601), "member-ceiling").left == 600
    assert isinstance(office.hold("fits", payer=ACME, amount=600), Hold)


def test_a_ceiling_is_of_the_calendar_month_and_of_one_member(office: Office) -> None:
    office.admit("ada", 1500)
    office.admit("bea", 1500)
    office.hold("a", payer=ACME)
    # What is held may still be held when the month turns, so nothing is promised.
    no = refused(office.hold("b", payer=ACME, amount=501), "member-ceiling")
    assert (no.limit, no.left, no.limit_name, no.retry_at) == (1500, 500, "member.credits.month", None)
    assert "owner" in no.mend
    assert refused(office.hold("c", payer=ACME, amount=1501), "member-ceiling").retry_at is None
    assert isinstance(office.hold("d", account="bea", payer=ACME, amount=1500), Hold)
    refused(office.client.extend("a", expires_in_seconds=9000, amount=1501), "member-ceiling")
    assert office.client.get_hold("a").amount == 1000  # type: ignore[union-attr]
    office.client.capture("a", amount=400, usage={})
    assert refused(office.hold("b", payer=ACME, amount=1101), "member-ceiling").retry_at == JUNE
    assert isinstance(office.hold("e", payer=ACME, amount=1100), Hold)
    office.client.release("e", reason="canceled")
    office.now = JUNE + timedelta(minutes=1)
    assert isinstance(office.hold("f", payer=ACME, amount=1500), Hold)


def test_a_lower_ceiling_leaves_what_is_held_and_refuses_more(office: Office) -> None:
    office.admit("ada")
    office.hold("h", payer=ACME)
    office.admit("ada", 200)
    assert refused(office.hold("i", payer=ACME, amount=1), "member-ceiling").left == 0
    assert office.client.capture("h", amount=1000, usage={}).captured == 1000


def test_the_members_own_overdue_hold_does_not_use_up_the_ceiling(office: Office) -> None:
    office.admit("ada", 1000)
    office.hold("forgotten", payer=ACME)
    office.now += timedelta(hours=2)
    assert isinstance(office.hold("next", payer=ACME), Hold)
    assert office.client.get_hold("forgotten").status == "expired"  # type: ignore[union-attr]


def test_the_chosen_wallet_pays_where_nothing_else_is_said(office: Office) -> None:
    office.admit("ada")
    services.open_organisation(OPERATOR, office.desk, name="nox", title="Nox")
    services.admit(OPERATOR, office.desk, name="nox", member="ada")
    assert office.client.wallet("ada").payer == "ada"
    for payer in (ACME, "organisation:nox", ACME):
        assert services.choose_payer(user("ada"), office.desk, payer=payer) == payer
        assert office.client.wallet("ada").payer == payer
    assert office.hold("shared").account == ACME
    assert office.hold("own", payer="ada").account == "ada"
    # A replay is the same hold, though another wallet would pay by now.
    services.choose_payer(user("ada"), office.desk, payer="ada")
    assert office.hold("shared").account == ACME
    assert office.hold("later").account == "ada"


def test_a_dismissed_members_choice_is_gone(office: Office) -> None:
    office.admit("ada")
    services.choose_payer(user("ada"), office.desk, payer=ACME)
    services.dismiss(OPERATOR, office.desk, name="acme", member="ada")
    assert office.client.wallet("ada").payer == "ada"
    assert office.hold("h").account == "ada"
    with pytest.raises(NotAMember):
        services.choose_payer(user("ada"), office.desk, payer=ACME)


# Refunds


def test_a_refund_is_a_grant_of_amends_once(office: Office) -> None:
    office.hold("h")
    office.client.capture("h", amount=800, usage={})
    for _ in range(3):
        told = office.client.refund("h", reason="the archive was down")
        assert (told.returned, told.transaction_id, told.settled_at) == (800, "refund:h", MAY)
    assert office.client.wallet("ada").balance == ALLOWANCE
    [amends] = [
        one
        for one in office.desk.books.read(lambda reader: list(reader.all_grants()))
        if one.category is GrantCategory.COMPENSATION
    ]
    # Of an allowance that ends in eleven days: good for 31 all the same.
    assert (amends.priority, amends.expires_at) == (15, MAY + timedelta(days=31))
    with pytest.raises(RefundDiffers):
        office.client.refund("h", reason="more", amount=799)
    with pytest.raises(Invalid):
        office.client.refund("h", reason="more", amount=801)


def test_amends_last_as_long_as_what_had_paid_and_no_longer(office: Office) -> None:
    office.grant("year", 300, priority=1, expires_at=MAY + timedelta(days=365), category=GrantCategory.PAID)
    office.grant("ever", 300, priority=99)
    office.hold("long", amount=300)
    office.client.capture("long", amount=300, usage={})
    # Over the allowance and the grant without an end; the allowance alone paid.
    office.hold("both", amount=ALLOWANCE + 300)
    office.client.capture("both", amount=100, usage={})
    office.hold("endless", amount=ALLOWANCE + 200)
    office.client.capture("endless", amount=ALLOWANCE + 100, usage={})
    for name in ("long", "both", "endless"):
        office.client.refund(name, reason="ours")
    ends = {
        one.id: one.expires_at
        for one in office.desk.books.read(lambda reader: list(reader.all_grants()))
        if one.category is GrantCategory.COMPENSATION
    }
    assert ends == {
        "refund:long": MAY + timedelta(days=365),
        "refund:both": MAY + timedelta(days=31),
        "refund:endless": None,
    }


def test_nothing_is_given_back_of_what_took_nothing(office: Office) -> None:
    for name in ("open", "released", "nothing"):
        office.hold(name)
    office.client.release("released", reason="canceled")
    office.client.capture("nothing", amount=0, usage={})
    for name in ("open", "released", "nothing"):
        with pytest.raises(NotCaptured):
            office.client.refund(name, reason="ours")


def test_a_refund_in_a_new_month_takes_nothing_from_its_allowance(office: Office) -> None:
    office.hold("h")
    office.client.capture("h", amount=800, usage={})
    office.now = JUNE + timedelta(days=2)
    office.client.refund("h", reason="ours")
    wallet = office.client.wallet("ada")
    assert (wallet.balance, wallet.available) == (ALLOWANCE + 800, ALLOWANCE + 800)


def test_a_refund_of_an_organisations_hold_goes_to_the_organisation(office: Office) -> None:
    office.admit("ada", 1000)
    office.hold("h", payer=ACME)
    office.client.capture("h", amount=800, usage={})
    office.client.refund("h", reason="ours", amount=300)
    assert office.client.wallet(ACME).balance == ALLOWANCE - 500
    assert office.client.wallet("ada").balance == ALLOWANCE
    # The ceiling bounds what is captured; amends do not raise it.
    assert refused(office.hold("i", payer=ACME, amount=201), "member-ceiling").left == 200


def test_a_fault_of_the_platform_that_is_told_after_a_refund_leaves_that(office: Office) -> None:
    office.hold("h")
    office.client.capture("h", amount=800, usage={})
    office.client.refund("h", reason="by hand", amount=300)
    told = office.client.settle("h", usage={}, fault=Fault.PLATFORM)
    assert (told.status, told.captured) == ("captured", 800)
    assert office.client.wallet("ada").balance == ALLOWANCE - 500


# Extension


def test_extending_by_an_amount_sets_more_aside_and_never_less(office: Office) -> None:
    office.hold("h")
    for amount, expected in ((2500, 2500), (2500, 2500), (100, 2500), (None, 2500)):
        held = office.client.extend("h", expires_in_seconds=60, amount=amount)
        assert isinstance(held, Hold)
        assert (held.amount, held.asked, held.expires_at) == (expected, 1000, MAY + timedelta(hours=1))
    assert office.client.wallet("ada").held == 2500
    assert office.hold("h").amount == 2500
    no = refused(office.client.extend("h", expires_in_seconds=9000, amount=ALLOWANCE + 1), "credits-exhausted")
    assert no.left == ALLOWANCE - 2500
    hold = office.client.get_hold("h")
    assert hold is not None
    assert (hold.amount, hold.expires_at) == (2500, MAY + timedelta(hours=1))
    assert office.client.capture("h", amount=2400, usage={}).returned == 100


def test_what_lives_on_into_a_new_month_is_extended_from_that_months_credits(office: Office) -> None:
    office.hold("server", amount=ALLOWANCE, purpose=Purpose(kind=PurposeKind.LAB, reference="ada/"))
    office.client.extend("server", expires_in_seconds=80 * 24 * 3600)
    refused(office.client.extend("server", expires_in_seconds=60, amount=ALLOWANCE + 1), "credits-exhausted")
    office.now = JUNE + timedelta(minutes=1)
    grown = office.client.extend("server", expires_in_seconds=60, amount=ALLOWANCE + 1)
    assert isinstance(grown, Hold)
    assert [part for _, part in grown.allocations] == [ALLOWANCE, 1]
    office.client.capture("server", amount=ALLOWANCE + 1, usage={})
    assert office.client.wallet("ada").balance == ALLOWANCE - 1


# Scopes, and grants that are yet to come


def test_a_scope_pays_for_what_it_names_alone(office: Office) -> None:
    lab = Purpose(kind=PurposeKind.LAB, reference="ada/")
    other = replace(RUN, algorithm="bea/sar")
    office.grant("ndvi", 500, priority=1, scope=GrantScope(algorithms=("ada/*",)))
    office.grant("labs", 500, priority=1, scope=GrantScope(kinds=(PurposeKind.LAB,)))
    for name, purpose, amount in (("lab", lab, 600), ("run", RUN, 600), ("other", other, 600)):
        office.hold(name, purpose=purpose, amount=amount)
    assert (office.left("gift:ndvi"), office.left("gift:labs")) == (500, 500)
    backing = {name: dict(office.client.get_hold(name).allocations) for name in ("lab", "run", "other")}  # type: ignore[union-attr]
    allowance = f"allowance:ada:2026-05:{ALLOWANCE}"
    assert backing == {
        "lab": {"gift:labs": 500, allowance: 100},
        "run": {"gift:ndvi": 500, allowance: 100},
        "other": {allowance: 600},
    }


def test_credits_for_other_things_are_told_of_and_do_not_help(office: Office) -> None:
    office.grant("labs", 500, scope=GrantScope(kinds=(PurposeKind.LAB,)))
    no = refused(office.hold("h", amount=ALLOWANCE + 1), "credits-exhausted")
    assert (no.left, no.retry_at) == (ALLOWANCE, None)
    assert "0.5 more may be spent on other things only" in no.message


def test_what_is_refused_fits_when_a_grant_becomes_effective(office: Office) -> None:
    soon, later = MAY + timedelta(days=2), MAY + timedelta(days=5)
    office.grant("soon", 1000, effective_at=soon)
    office.grant("later", 1000, effective_at=later, expires_at=later + timedelta(hours=1))
    wallet = office.client.wallet("ada")
    assert (wallet.balance, wallet.available) == (ALLOWANCE + 2000, ALLOWANCE)
    for amount, at in ((ALLOWANCE + 1, soon), (ALLOWANCE + 1001, later), (ALLOWANCE + 2001, None)):
        assert refused(office.hold("h", amount=amount), "credits-exhausted").retry_at == at
    office.now = soon - timedelta(microseconds=1)
    refused(office.hold("h", amount=ALLOWANCE + 1), "credits-exhausted")
    office.now = soon
    assert isinstance(office.hold("h", amount=ALLOWANCE + 1), Hold)


def test_what_was_spent_fits_when_the_month_turns(office: Office) -> None:
    office.hold("h", amount=ALLOWANCE)
    office.client.capture("h", amount=ALLOWANCE, usage={})
    assert refused(office.hold("i", amount=1), "credits-exhausted").retry_at == JUNE
    office.now = JUNE
    assert isinstance(office.hold("i", amount=1), Hold)


# Frozen prices


def test_the_price_list_in_a_hold_stays_whatever_is_in_force(books: Books) -> None:
    [now] = load_prices().lists
    dearer = replace(now, effective_on=date(2026, 5, 21), per_cpu_hour=2 * now.per_cpu_hour)
    office = Office(books, tiers=load_tiers(), prices=PriceLists(lists=(now, dearer)))
    lab = Purpose(kind=PurposeKind.LAB, reference="ada/")
    assert office.hold("old", amount=9000, purpose=lab).price_version == now.version
    assert office.hold("quoted", amount=9000, purpose=lab, price_version=dearer.version).price_version == dearer.version
    office.now += timedelta(days=1)
    assert office.hold("new", amount=9000, purpose=lab).price_version == dearer.version
    assert office.hold("still", amount=9000, purpose=lab, price_version=now.version).price_version == now.version
    paid = {
        name: office.client.settle(name, usage={"cpu_seconds": 3600.0}, fault=Fault.NONE).captured
        for name in ("old", "quoted", "new", "still")
    }
    assert paid == {"old": 1500, "quoted": 3000, "new": 3000, "still": 1500}
    with pytest.raises(NoSuchPrices):
        office.hold("never", price_version="2020-01-01")
    assert office.client.audit().breaches == ()
