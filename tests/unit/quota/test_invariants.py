"""Each injected defect trips exactly the invariants it should; the reference trips none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from swath_quota import services
from swath_quota.client import FakeQuotaClient, Purpose, PurposeKind
from swath_quota.domain.accounts import platform_of, wallet_id
from swath_quota.domain.invariants import Contents, Invariant, examine
from swath_quota.domain.ports import Reader
from swath_quota.store.memory import MemoryBooks
from swath_service.actor import Actor, ActorKind, Scope

ADA = wallet_id("ada")
OPERATOR = Actor(name="op", kind=ActorKind.USER, scopes=frozenset(Scope))
PLATFORM = platform_of(ADA)


def reference() -> dict[str, list[Any]]:
    books = MemoryBooks()
    fake = FakeQuotaClient(books=books)
    purpose = Purpose(kind=PurposeKind.RUN, reference="r")
    for hold_id in ("captured", "released", "open"):
        fake.hold(hold_id=hold_id, account="ada", amount=100, purpose=purpose, expires_in_seconds=60)
    fake.capture("captured", amount=60, usage={})
    fake.refund("captured", reason="ours", amount=20)
    fake.release("released", reason="canceled")
    fake.grant(grant_id="g", account="bea", amount=5, description="welcome")
    services.open_organisation(OPERATOR, fake._desk, name="acme", title="Acme")
    services.admit(OPERATOR, fake._desk, name="acme", member="ada", ceiling=500)
    for hold_id in ("of-acme", "open-of-acme"):
        fake.hold(
            hold_id=hold_id,
            account="ada",
            payer="organisation:acme",
            amount=100,
            purpose=purpose,
            expires_in_seconds=60,
        )
    fake.capture("of-acme", amount=30, usage={})

    def everything(reader: Reader) -> dict[str, list[Any]]:
        return {
            "accounts": list(reader.all_accounts()),
            "entries": list(reader.all_entries()),
            "holds": list(reader.all_holds()),
            "grants": list(reader.all_grants()),
            "draws": list(reader.all_draws()),
            "members": list(reader.all_memberships()),
        }

    return books.read(everything)


def tripped(contents: dict[str, list[Any]]) -> set[Invariant]:
    breaches, _ = examine(Contents(**{**contents, "accounts": tuple(contents["accounts"])}))
    return {breach.invariant for breach in breaches}


def change(contents: dict[str, list[Any]], kind: str, *, where: Callable[[Any], bool], **values: Any) -> None:
    [index] = [number for number, item in enumerate(contents[kind]) if where(item)]
    item = contents[kind][index]
    made = replace(item, **{name: value(item) if callable(value) else value for name, value in values.items()})
    contents[kind][index] = made


def drop(contents: dict[str, list[Any]], kind: str, *, where: Callable[[Any], bool]) -> Any:
    [found] = [item for item in contents[kind] if where(item)]
    contents[kind].remove(found)
    return found


def is_capture_of(account: str) -> Callable[[Any], bool]:
    return lambda entry: entry.transaction_id == "capture:captured" and entry.account_id == account


def lost_entry(contents: dict[str, list[Any]]) -> None:
    drop(contents, "entries", where=is_capture_of(PLATFORM))


def balance_overwritten(contents: dict[str, list[Any]]) -> None:
    change(contents, "accounts", where=lambda a: a.id == PLATFORM, balance=lambda a: a.balance + 1)


def wallet_overwritten(contents: dict[str, list[Any]]) -> None:
    change(contents, "accounts", where=lambda a: a.id == ADA, balance=lambda a: a.balance + 1)


def held_forgotten(contents: dict[str, list[Any]]) -> None:
    change(contents, "accounts", where=lambda a: a.id == ADA, held=0)


def hold_lost(contents: dict[str, list[Any]]) -> None:
    drop(contents, "holds", where=lambda h: h.id == "open")


def captured_hold_lost(contents: dict[str, list[Any]]) -> None:
    drop(contents, "holds", where=lambda h: h.id == "captured")


def captured_without_debit(contents: dict[str, list[Any]]) -> None:
    change(contents, "holds", where=lambda h: h.id == "captured", captured=61)


def debit_renumbered(contents: dict[str, list[Any]]) -> None:
    change(contents, "entries", where=is_capture_of(PLATFORM), sequence=2)


def unbalanced(contents: dict[str, list[Any]]) -> None:
    # The platform's entry and balance agree with each other, and not with the payer's.
    change(contents, "entries", where=is_capture_of(PLATFORM), amount=61, current_balance=61)
    change(contents, "accounts", where=lambda a: a.id == PLATFORM, balance=61)


def drawn_twice(contents: dict[str, list[Any]]) -> None:
    contents["draws"].append(replace(contents["draws"][0], transaction_id="capture:other"))


def grant_refilled(contents: dict[str, list[Any]]) -> None:
    change(contents, "grants", where=lambda g: g.id.startswith("allowance:ada:"), remaining=lambda g: g.amount)


def description_rewritten(contents: dict[str, list[Any]]) -> None:
    change(contents, "entries", where=is_capture_of(ADA), description="something else")


def head_forgotten(contents: dict[str, list[Any]]) -> None:
    change(contents, "accounts", where=lambda a: a.id == ADA, head="")


def allocation_forgotten(contents: dict[str, list[Any]]) -> None:
    change(contents, "grants", where=lambda g: g.id.startswith("allowance:ada:"), held=0)


def member_freed(contents: dict[str, list[Any]]) -> None:
    change(contents, "members", where=lambda m: m.member == "ada", held=0)


def ceiling_reset(contents: dict[str, list[Any]]) -> None:
    change(contents, "members", where=lambda m: m.member == "ada", spent=0)


def test_the_reference_trips_none() -> None:
    assert tripped(reference()) == set()


@pytest.mark.parametrize(
    ("defect", "expected"),
    [
        # What was given back stands after it in the same account, so its chain breaks there.
        (lost_entry, {Invariant.BALANCED, Invariant.BALANCE, Invariant.CHAIN, Invariant.HASH}),
        (balance_overwritten, {Invariant.BALANCE}),
        (wallet_overwritten, {Invariant.BALANCE, Invariant.GRANTS}),
        (held_forgotten, {Invariant.HELD}),
        (hold_lost, {Invariant.HELD, Invariant.ALLOCATED}),
        (captured_hold_lost, {Invariant.CAPTURE, Invariant.REFUND}),
        (captured_without_debit, {Invariant.CAPTURE}),
        (debit_renumbered, {Invariant.CHAIN, Invariant.HASH}),
        (unbalanced, {Invariant.BALANCED, Invariant.BALANCE, Invariant.CHAIN, Invariant.HASH}),
        (drawn_twice, {Invariant.GRANTS}),
        (grant_refilled, {Invariant.GRANTS}),
        (description_rewritten, {Invariant.HASH}),
        (head_forgotten, {Invariant.HASH}),
        (allocation_forgotten, {Invariant.ALLOCATED}),
        (member_freed, {Invariant.MEMBERS}),
        (ceiling_reset, {Invariant.MEMBERS}),
    ],
)
def test_a_defect_trips_exactly_its_invariants(
    defect: Callable[[dict[str, list[Any]]], None], expected: set[Invariant]
) -> None:
    contents = reference()
    defect(contents)
    assert tripped(contents) == expected
