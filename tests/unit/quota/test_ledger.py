from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_quota.domain.accounts import ISSUER, AccountKind, new_account, platform_of, wallet_id
from swath_quota.domain.ledger import (
    Direction,
    Leg,
    Transaction,
    TransactionKind,
    entry_hash,
    hash_of,
    post,
    signed,
    transfer,
)

AT = datetime(2026, 5, 4, tzinfo=UTC)
ADA = wallet_id("ada")
PLATFORM = platform_of(ADA)


def books() -> dict[str, object]:
    accounts = [
        new_account(AccountKind.ISSUER, "swath", at=AT),
        new_account(AccountKind.PLATFORM, PLATFORM.partition(":")[2], at=AT),
        new_account(AccountKind.USER, "ada", at=AT, tier="general"),
    ]
    return {account.id: account for account in accounts}


def moved(source: str, target: str, amount: int) -> Transaction:
    return with_legs(*transfer(source=source, target=target, amount=amount))


def with_legs(*legs: Leg) -> Transaction:
    return Transaction(id="t", kind=TransactionKind.GRANT, legs=legs, reference="r", actor="test", at=AT)


def leg(account: str, direction: Direction, amount: int) -> Leg:
    return Leg(account_id=account, direction=direction, amount=amount)


def test_entries_tell_the_balance_before_and_after() -> None:
    posting = post(moved(ISSUER, ADA, 70), books())
    debit, credit = posting.entries
    assert (debit.account_id, debit.previous_balance, debit.current_balance) == (ISSUER, 0, -70)
    assert (credit.account_id, credit.previous_balance, credit.current_balance) == (ADA, 0, 70)
    assert [account.sequence for account in posting.accounts] == [1, 1]


@pytest.mark.parametrize(
    "legs",
    [
        (),
        (leg(ADA, Direction.CREDIT, 5),),
        (leg(ADA, Direction.CREDIT, 5), leg(ISSUER, Direction.DEBIT, 6)),
        (leg(ADA, Direction.CREDIT, 5), leg(ISSUER, Direction.CREDIT, 5)),
        (leg(ADA, Direction.CREDIT, 0), leg(ISSUER, Direction.DEBIT, 0)),
        (leg(ADA, Direction.CREDIT, -5), leg(ISSUER, Direction.DEBIT, -5)),
        (leg(ADA, Direction.CREDIT, 5), leg(ADA, Direction.DEBIT, 5)),
    ],
)
def test_an_unbalanced_transaction_cannot_be_made(legs: tuple[Leg, ...]) -> None:
    with pytest.raises(ValueError, match="transaction t"):
        with_legs(*legs)


def test_a_share_makes_three_legs() -> None:
    accounts = books()
    accounts |= {account.id: account for account in post(moved(ISSUER, ADA, 100), accounts).accounts}
    author = new_account(AccountKind.AUTHOR, "bea", at=AT)
    accounts[author.id] = author
    posting = post(
        with_legs(
            leg(ADA, Direction.DEBIT, 100), leg(PLATFORM, Direction.CREDIT, 80), leg(author.id, Direction.CREDIT, 20)
        ),
        accounts,
    )
    assert [account.balance for account in posting.accounts] == [0, 80, 20]


def test_only_the_issuer_may_be_below_zero() -> None:
    with pytest.raises(ValueError, match="user:ada"):
        post(moved(ADA, PLATFORM, 1), books())


def test_what_is_held_cannot_be_moved() -> None:
    accounts = books()
    accounts |= {account.id: account for account in post(moved(ISSUER, ADA, 100), accounts).accounts}
    accounts[ADA] = replace(accounts[ADA], held=60)
    post(moved(ADA, PLATFORM, 40), accounts)
    with pytest.raises(ValueError, match="60 held"):
        post(moved(ADA, PLATFORM, 41), accounts)


def test_entries_do_not_change() -> None:
    entry = post(moved(ISSUER, ADA, 70), books()).entries[0]
    with pytest.raises(FrozenInstanceError):
        entry.amount = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="balances do not follow"):
        replace(entry, amount=71)


def test_entries_are_chained_by_their_hashes() -> None:
    accounts = books()
    first = post(moved(ISSUER, ADA, 70), accounts)
    accounts |= {account.id: account for account in first.accounts}
    second = post(replace(moved(ISSUER, ADA, 5), id="t2"), accounts)
    [_, one], [_, two] = first.entries, second.entries
    assert (one.previous_hash, two.previous_hash) == ("", one.hash)
    assert [account.head for account in second.accounts if account.id == ADA] == [two.hash]
    assert hash_of(two) == two.hash
    assert len(two.hash) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"account_id": "user:bea"},
        {"sequence": 2},
        {"transaction_id": "t9"},
        {"kind": TransactionKind.LAPSE},
        {"amount": 71, "current_balance": 71},
        {"previous_balance": 1, "current_balance": 71},
        {"reference": "other"},
        {"description": "another"},
        {"at": datetime(2026, 5, 4, 0, 0, 0, 1, tzinfo=UTC)},
        {"previous_hash": "0" * 64},
    ],
)
def test_the_hash_is_over_all_that_an_entry_says(change: dict[str, object]) -> None:
    entry = post(moved(ISSUER, ADA, 70), books()).entries[1]
    assert hash_of(replace(entry, **change)) != entry.hash  # type: ignore[arg-type]


def test_the_hash_is_the_same_whatever_zone_the_time_came_in() -> None:
    from datetime import timedelta, timezone

    there = AT.astimezone(timezone(timedelta(hours=5)))
    assert entry_hash("a", AT) == entry_hash("a", there)
    # Written down: a change of the formula would break every chain there is.
    assert entry_hash("user:ada", 1, AT, "") == "cf8e627cd28461021b033ed1e714da01a0c6e178c6f5891bd42d2861139e2d46"


def test_a_payer_pays_into_one_of_sixteen_accounts_and_always_the_same() -> None:
    stripes = {platform_of(wallet_id(f"user-{number}")) for number in range(500)}
    assert stripes == {f"platform:swath.{number:02}" for number in range(16)}
    assert platform_of(ADA) == platform_of(ADA) == "platform:swath.02"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 10**9)), max_size=40))
def test_any_history_keeps_the_sums(history: list[tuple[bool, int]]) -> None:
    accounts, entries = books(), []
    for spend, amount in history:
        transaction = moved(ADA, PLATFORM, amount) if spend else moved(ISSUER, ADA, amount)
        if spend and accounts[ADA].balance < amount:
            with pytest.raises(ValueError, match="user:ada"):
                post(transaction, accounts)
            continue
        posting = post(transaction, accounts)
        accounts |= {account.id: account for account in posting.accounts}
        entries += posting.entries
    assert sum(account.balance for account in accounts.values()) == 0
    for name, account in accounts.items():
        own = [entry for entry in entries if entry.account_id == name]
        assert account.balance == sum(signed(entry.direction, entry.amount) for entry in own)
        assert [entry.sequence for entry in own] == list(range(1, account.sequence + 1))
