"""Work and views that many share: each piece whole or not at all, whatever becomes of the others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from swath_quota import services
from swath_quota.catalogue import load_prices, load_tiers
from swath_quota.domain.accounts import Account
from swath_quota.domain.errors import HoldDiffers, NoSuchWallet, NotAMember
from swath_quota.domain.holds import Hold, Purpose, PurposeKind
from swath_quota.domain.ports import Books, Unit
from swath_quota.services import Desk
from swath_quota.store.memory import MemoryBooks
from swath_quota.store.sql import SqlBooks
from swath_service.actor import Actor, ActorKind, Scope
from swath_service.errors import Invalid

_ACTOR = Actor(name="test", kind=ActorKind.SERVICE, scopes=frozenset({Scope.LEDGER, Scope.READ, Scope.ADMINISTER}))
_PURPOSE = Purpose(kind=PurposeKind.RUN, reference="run-1")
_NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture
def desk(books: Books) -> Desk:
    return Desk(books=books, tiers=load_tiers(), prices=load_prices(), clock=lambda: _NOW)


def _hold(desk: Desk, hold_id: str, *, account: str = "ada", amount: int = 5, payer: str | None = None) -> object:
    return services.hold(
        _ACTOR,
        desk,
        hold_id=hold_id,
        account=account,
        amount=amount,
        purpose=_PURPOSE,
        expires_in_seconds=60,
        payer=payer,
    )


def _left(desk: Desk, account: str, payer: str | None = None) -> int:
    return services.spendable_by(_ACTOR, desk, account=account, payer=payer, purpose=_PURPOSE)


def _account(desk: Desk, name: str) -> Account:
    found = desk.books.read(lambda reader: reader.account(name))
    assert found is not None
    return found


def _sound(desk: Desk) -> bool:
    return services.audit(_ACTOR, desk).breaches == ()


def _spoilt(unit: Unit, stored: Hold) -> None:
    """Work that saves a good change and then a row that the database refuses."""
    account = unit.lock(["user:ada"])["user:ada"]
    unit.save_account(replace(account, held=account.held + 1))
    unit.add_hold(stored)


def test_what_the_database_refuses_leaves_nothing(desk: Desk) -> None:
    if isinstance(desk.books, MemoryBooks):
        pytest.skip("there is no database")
    _hold(desk, "taken")
    stored = desk.books.read(lambda reader: reader.hold("taken"))
    assert stored is not None
    before = _account(desk, "user:ada")
    with pytest.raises(IntegrityError):
        desk.books.run(lambda unit: _spoilt(unit, stored))
    assert _account(desk, "user:ada") == before
    _hold(desk, "after")
    assert _account(desk, "user:ada").held == before.held + 5
    assert _sound(desk)


def test_a_change_of_what_is_not_there_is_an_error_and_leaves_nothing(desk: Desk) -> None:
    if isinstance(desk.books, MemoryBooks):
        pytest.skip("memory keeps whatever is saved")
    _hold(desk, "there")
    stored = desk.books.read(lambda reader: reader.hold("there"))
    assert stored is not None
    before = _account(desk, "user:ada")

    def work(unit: Unit) -> None:
        account = unit.lock(["user:ada"])["user:ada"]
        unit.save_account(replace(account, held=account.held + 1))
        unit.save_hold(replace(stored, id="never-placed"))

    with pytest.raises((DBAPIError, RuntimeError), match=r"1 rows|0 rows"):
        desk.books.run(work)
    assert _account(desk, "user:ada") == before


def test_one_id_on_two_wallets_by_two_processes_is_one_hold(desk: Desk) -> None:
    if not isinstance(desk.books, SqlBooks):
        pytest.skip("memory is of one process")
    other = replace(desk, books=SqlBooks(desk.books.engine))
    for name in ("ada", "ben"):
        _left(desk, name)
    ready = threading.Barrier(2)

    def place(at: Desk, account: str, hold_id: str) -> bool:
        ready.wait(timeout=20)
        try:
            return bool(_hold(at, hold_id, account=account))
        except HoldDiffers:
            return False

    with ThreadPoolExecutor(2) as pool:
        for number in range(10):
            both = [
                pool.submit(place, at, account, f"same-{number}") for at, account in ((desk, "ada"), (other, "ben"))
            ]
            assert sorted(one.result() for one in both) == [False, True]
    assert _account(desk, "user:ada").held + _account(desk, "user:ben").held == 50
    assert _sound(desk)


def test_many_holds_and_views_at_once_agree(desk: Desk) -> None:
    """Some are refused by their own fault, in the same transactions as the others."""
    services.open_organisation(_ACTOR, desk, name="acme", title="Acme")
    services.grant(_ACTOR, desk, grant_id="g", account="organisation:acme", amount=1_000_000, description="to spend")
    services.admit(_ACTOR, desk, name="acme", member="ada", ceiling=40)
    services.admit(_ACTOR, desk, name="acme", member="ben")
    start = _left(desk, "ben", "organisation:acme")

    def place(number: int) -> str:
        member = ("ada", "ben", "eve")[number % 3]
        try:
            placed = _hold(desk, f"h-{number}", account=member, payer="organisation:acme")
        except NotAMember:
            return "stranger"
        assert _left(desk, "ben", "organisation:acme") <= start
        return type(placed).__name__

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(place, range(36)))
    assert found[2::3] == ["stranger"] * 12
    assert sorted(found[0::3]) == ["Placed"] * 8 + ["Refusal"] * 4
    assert found[1::3] == ["Placed"] * 12
    assert _left(desk, "ben", "organisation:acme") == start - 20 * 5
    assert _left(desk, "ada", "organisation:acme") == 0
    assert _sound(desk)


def test_what_could_be_held_is_what_can_be_held(desk: Desk) -> None:
    left = _left(desk, "ada")
    assert left > 0
    assert isinstance(_hold(desk, "all", amount=left), services.Placed)
    assert _left(desk, "ada") == 0
    assert not isinstance(_hold(desk, "more", amount=1), services.Placed)


def test_a_choice_of_wallet_is_followed(desk: Desk) -> None:
    services.open_organisation(_ACTOR, desk, name="acme", title="Acme")
    services.grant(_ACTOR, desk, grant_id="g", account="organisation:acme", amount=777, description="to spend")
    services.admit(_ACTOR, desk, name="acme", member="ada")
    shared = _left(desk, "ada", "organisation:acme")
    own = _left(desk, "ada")
    services.choose_payer(replace(_ACTOR, name="ada"), desk, payer="organisation:acme")
    assert shared - own == 777
    assert _left(desk, "ada") == shared
    placed = _hold(desk, "h")
    assert isinstance(placed, services.Placed)
    assert placed.hold.account == "organisation:acme"


def test_nothing_is_told_of_what_is_not_there_or_not_ones_own(desk: Desk) -> None:
    services.open_organisation(_ACTOR, desk, name="acme", title="Acme")
    with pytest.raises(NotAMember):
        _left(desk, "ada", "organisation:acme")
    with pytest.raises(NoSuchWallet):
        _left(desk, "ada", "organisation:none")
    with pytest.raises(Invalid):
        _left(desk, "")
