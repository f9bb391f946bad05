"""What every `QuotaClient` promises."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from swath_quota.client import (
    CapturedDifferently,
    CaptureExceedsHold,
    Direction,
    GrantDiffers,
    Hold,
    HoldCaptured,
    HoldDiffers,
    HoldExpired,
    HoldReleased,
    HoldStatus,
    NoSuchHold,
    NoSuchTier,
    Purpose,
    PurposeKind,
    QuotaClient,
    Refusal,
    Settlement,
    TransactionKind,
    price_run,
    price_sync,
)
from swath_service.errors import Invalid, NotFound, SwathError

ALLOWANCE = 10_000_000
PURPOSE = Purpose(kind=PurposeKind.RUN, reference="run-1", description="ada/ndvi@1.0.0")


def place(client: QuotaClient, hold_id: str = "h1", **changed: Any) -> Hold | Refusal:
    asked = {"account": "ada", "amount": 5_000, "purpose": PURPOSE, "expires_in_seconds": 3600, **changed}
    return client.hold(hold_id=hold_id, **asked)


def placed(client: QuotaClient, hold_id: str = "h1", **changed: Any) -> Hold:
    answer = place(client, hold_id, **changed)
    assert isinstance(answer, Hold)
    return answer


def money(client: QuotaClient, account: str = "ada") -> tuple[int, int, int]:
    wallet = client.wallet(account)
    return wallet.balance, wallet.held, wallet.available


def at_once(number: int, work: Callable[[int], Any]) -> list[Any]:
    """What `number` threads got that began together; an error is an answer too."""
    barrier = threading.Barrier(number)

    def begin(index: int) -> Any:
        barrier.wait(timeout=30)
        try:
            return work(index)
        except SwathError as error:
            return error

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))


# A wallet


def test_a_wallet_opens_with_the_months_allowance(rig: Any) -> None:
    wallet = rig.client.wallet("ada")
    assert (wallet.account, wallet.tier) == ("ada", "local")
    assert (wallet.balance, wallet.held, wallet.available) == (ALLOWANCE, 0, ALLOWANCE)
    [entry] = wallet.entries
    assert (entry.kind, entry.direction, entry.amount) == (TransactionKind.ALLOWANCE, Direction.CREDIT, ALLOWANCE)
    assert (entry.previous_balance, entry.current_balance, entry.sequence) == (0, ALLOWANCE, 1)
    assert entry.at == rig.clock.now
    assert rig.client.wallet("ada") == wallet


NAMES = ("ada@example.org", "Ada Lovelace", "a", "ünïcode", "x" * 255, "100%_o'hara/b?c#d&e")


def test_any_name_that_jupyterhub_may_have_is_a_wallet(rig: Any) -> None:
    for number, name in enumerate(NAMES):
        placed(rig.client, f"h{number}", account=name)
        assert rig.client.wallet(name).held == 5_000, name
        held = rig.client.get_hold(f"h{number}")
        assert held is not None
        assert held.account == name


def test_a_statement_has_every_entry_once_newest_first(rig: Any) -> None:
    for number in range(7):
        placed(rig.client, f"h{number}")
        rig.client.capture(f"h{number}", amount=number + 1, usage={})
    pages, before = [], None
    while True:
        page = rig.client.statement("ada", limit=3, before=before)
        pages.append([entry.sequence for entry in page.entries])
        if page.next_before is None:
            break
        before = page.next_before
    assert pages == [[8, 7, 6], [5, 4, 3], [2, 1]]
    newest = rig.client.statement("ada", limit=1).entries[0]
    assert (newest.reference, newest.description, newest.amount) == ("h6", "ada/ndvi@1.0.0", 7)
    assert newest.current_balance == rig.client.wallet("ada").balance


# Holds


def test_a_hold_sets_aside_and_a_capture_takes_what_was_used(rig: Any) -> None:
    hold = placed(rig.client)
    assert (hold.id, hold.account, hold.amount, hold.purpose) == ("h1", "ada", 5_000, PURPOSE)
    assert (hold.status, hold.captured, hold.resolved_at) == (HoldStatus.HELD, 0, None)
    assert hold.expires_at == rig.clock.now + timedelta(hours=1)
    assert money(rig.client) == (ALLOWANCE, 5_000, ALLOWANCE - 5_000)

    rig.clock.pass_(seconds=30)
    settlement = rig.client.capture("h1", amount=3_000, usage={"cpu_seconds": 1.25, "wall_seconds": 4})
    assert settlement == Settlement(
        hold_id="h1",
        account="ada",
        status=HoldStatus.CAPTURED,
        captured=3_000,
        returned=2_000,
        transaction_id="capture:h1",
        settled_at=rig.clock.now,
    )
    assert money(rig.client) == (ALLOWANCE - 3_000, 0, ALLOWANCE - 3_000)
    found = rig.client.get_hold("h1")
    assert found is not None
    assert (found.status, found.captured, found.usage) == (
        HoldStatus.CAPTURED,
        3_000,
        {"cpu_seconds": 1.25, "wall_seconds": 4},
    )


def test_a_replayed_hold_is_the_same_hold_as_it_now_stands(rig: Any) -> None:
    first = placed(rig.client)
    rig.clock.pass_(minutes=5)
    assert placed(rig.client) == first
    assert placed(rig.client, purpose=Purpose(kind=PurposeKind.RUN, reference="run-1")) == first
    assert money(rig.client)[1] == 5_000
    rig.client.capture("h1", amount=1, usage={})
    assert placed(rig.client).status is HoldStatus.CAPTURED
    assert money(rig.client)[1] == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"account": "bea"},
        {"amount": 5_001},
        {"purpose": Purpose(kind=PurposeKind.LAB, reference="run-1")},
        {"purpose": Purpose(kind=PurposeKind.RUN, reference="run-2")},
    ],
)
def test_an_id_means_one_hold(rig: Any, changed: dict[str, Any]) -> None:
    first = placed(rig.client)
    with pytest.raises(HoldDiffers):
        place(rig.client, **changed)
    assert rig.client.get_hold("h1") == first
    assert money(rig.client, "bea")[1] == 0


def test_all_of_a_wallet_can_be_held_and_nothing_more(rig: Any) -> None:
    placed(rig.client, "all", amount=ALLOWANCE)
    no = place(rig.client, "more", amount=1)
    assert isinstance(no, Refusal)
    assert (no.code, no.limit, no.left) == ("credits-exhausted", ALLOWANCE, 0)
    assert no.retry_at == datetime(2026, 6, 1, tzinfo=UTC)
    assert rig.client.get_hold("more") is None
    assert money(rig.client) == (ALLOWANCE, ALLOWANCE, 0)


def test_waiting_does_not_help_where_no_allowance_is_enough(rig: Any) -> None:
    no = place(rig.client, amount=ALLOWANCE + 1)
    assert isinstance(no, Refusal)
    assert (no.retry_at, no.left) == (None, ALLOWANCE)


def test_a_refusal_is_not_remembered(rig: Any) -> None:
    placed(rig.client, "all", amount=ALLOWANCE)
    assert isinstance(place(rig.client, "next"), Refusal)
    rig.client.release("all", reason="canceled")
    assert placed(rig.client, "next").status is HoldStatus.HELD


def test_nothing_can_be_held_for_nothing(rig: Any) -> None:
    assert placed(rig.client, amount=0).amount == 0
    assert rig.client.capture("h1", amount=0, usage={}).transaction_id is None


# Settling


def test_a_capture_is_repeated_only_as_it_was(rig: Any) -> None:
    placed(rig.client)
    first = rig.client.capture("h1", amount=3_000, usage={"cpu_seconds": 1})
    rig.clock.pass_(minutes=5)
    assert rig.client.capture("h1", amount=3_000, usage={"cpu_seconds": 2}) == first
    with pytest.raises(CapturedDifferently):
        rig.client.capture("h1", amount=2_999, usage={})
    assert money(rig.client) == (ALLOWANCE - 3_000, 0, ALLOWANCE - 3_000)
    found = rig.client.get_hold("h1")
    assert found is not None
    assert found.usage == {"cpu_seconds": 1}


def test_more_than_is_held_cannot_be_captured(rig: Any) -> None:
    placed(rig.client)
    with pytest.raises(CaptureExceedsHold) as caught:
        rig.client.capture("h1", amount=5_001, usage={})
    assert caught.value.findings[0]["field"] == "amount"
    assert money(rig.client) == (ALLOWANCE, 5_000, ALLOWANCE - 5_000)


def test_nothing_used_is_a_capture_of_nothing(rig: Any) -> None:
    placed(rig.client)
    settlement = rig.client.capture("h1", amount=0, usage={})
    assert (settlement.status, settlement.returned, settlement.transaction_id) == (HoldStatus.CAPTURED, 5_000, None)
    assert money(rig.client) == (ALLOWANCE, 0, ALLOWANCE)


def test_a_release_gives_everything_back_once(rig: Any) -> None:
    placed(rig.client)
    first = rig.client.release("h1", reason="canceled")
    assert (first.status, first.captured, first.returned) == (HoldStatus.RELEASED, 0, 5_000)
    rig.clock.pass_(minutes=5)
    assert rig.client.release("h1", reason="another reason") == first
    assert money(rig.client) == (ALLOWANCE, 0, ALLOWANCE)
    found = rig.client.get_hold("h1")
    assert found is not None
    assert found.reason == "canceled"


def test_what_is_captured_is_not_released_nor_the_other_way(rig: Any) -> None:
    placed(rig.client, "captured")
    rig.client.capture("captured", amount=1, usage={})
    with pytest.raises(HoldCaptured):
        rig.client.release("captured", reason="too late")
    with pytest.raises(HoldCaptured):
        rig.client.extend("captured", expires_in_seconds=60)
    placed(rig.client, "released")
    rig.client.release("released", reason="canceled")
    with pytest.raises(HoldReleased):
        rig.client.capture("released", amount=1, usage={})
    with pytest.raises(HoldReleased):
        rig.client.extend("released", expires_in_seconds=60)
    assert money(rig.client) == (ALLOWANCE - 1, 0, ALLOWANCE - 1)


def test_an_unknown_hold_is_none_or_an_error(rig: Any) -> None:
    assert rig.client.get_hold("nobody") is None
    for settle in (
        lambda: rig.client.capture("nobody", amount=1, usage={}),
        lambda: rig.client.release("nobody", reason="x"),
        lambda: rig.client.extend("nobody", expires_in_seconds=1),
    ):
        with pytest.raises(NoSuchHold) as caught:
            settle()
        assert isinstance(caught.value, NotFound)
        assert caught.value.mend


# Expiry


def test_a_voided_hold_gives_back_and_is_final(rig: Any) -> None:
    placed(rig.client)
    rig.clock.pass_(minutes=59)
    assert rig.sweep() == 0
    rig.clock.pass_(minutes=1)
    assert rig.sweep() == 1
    assert rig.sweep() == 0
    found = rig.client.get_hold("h1")
    assert found is not None
    assert (found.status, found.resolved_at) == (HoldStatus.EXPIRED, rig.clock.now)
    assert money(rig.client) == (ALLOWANCE, 0, ALLOWANCE)
    with pytest.raises(HoldExpired):
        rig.client.capture("h1", amount=1, usage={})
    with pytest.raises(HoldExpired):
        rig.client.extend("h1", expires_in_seconds=60)
    assert rig.client.release("h1", reason="canceled").status is HoldStatus.EXPIRED
    assert placed(rig.client).status is HoldStatus.EXPIRED


def test_until_it_is_voided_an_overdue_hold_is_captured(rig: Any) -> None:
    placed(rig.client)
    rig.clock.pass_(hours=2)
    assert rig.client.capture("h1", amount=3_000, usage={}).captured == 3_000
    assert rig.sweep() == 0


def test_an_overdue_hold_never_refuses_another(rig: Any) -> None:
    placed(rig.client, "forgotten", amount=ALLOWANCE)
    rig.clock.pass_(hours=2)
    placed(rig.client, "next", amount=ALLOWANCE)
    forgotten = rig.client.get_hold("forgotten")
    assert forgotten is not None
    assert forgotten.status is HoldStatus.EXPIRED


def test_extending_keeps_a_hold_from_the_sweep(rig: Any) -> None:
    first = placed(rig.client)
    assert rig.client.extend("h1", expires_in_seconds=60) == first
    rig.clock.pass_(minutes=50)
    assert rig.client.extend("h1", expires_in_seconds=3600).expires_at == rig.clock.now + timedelta(hours=1)
    rig.clock.pass_(minutes=50)
    assert rig.sweep() == 0
    assert rig.client.capture("h1", amount=1, usage={}).captured == 1


# Months, grants, tiers


def test_at_the_turn_of_the_month_the_rest_lapses_and_a_new_allowance_comes(rig: Any) -> None:
    placed(rig.client)
    rig.client.capture("h1", amount=5_000, usage={})
    rig.clock.now = datetime(2026, 5, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert money(rig.client)[0] == ALLOWANCE - 5_000
    rig.clock.now = datetime(2026, 6, 1, tzinfo=UTC)
    wallet = rig.client.wallet("ada")
    assert wallet.balance == ALLOWANCE
    assert [(entry.kind, entry.amount) for entry in wallet.entries[:2]] == [
        (TransactionKind.ALLOWANCE, ALLOWANCE),
        (TransactionKind.LAPSE, ALLOWANCE - 5_000),
    ]
    assert rig.client.wallet("ada") == wallet


def test_months_that_nobody_looked_at_are_not_made_up_for(rig: Any) -> None:
    rig.client.wallet("ada")
    rig.clock.now = datetime(2026, 11, 3, tzinfo=UTC)
    assert money(rig.client) == (ALLOWANCE, 0, ALLOWANCE)
    assert len(rig.client.wallet("ada").entries) == 3


def test_what_was_held_in_one_month_pays_in_the_next_beside_its_allowance(rig: Any) -> None:
    placed(rig.client, amount=4_000_000, expires_in_seconds=30 * 24 * 3600)
    rig.clock.now = datetime(2026, 6, 2, tzinfo=UTC)
    assert money(rig.client) == (ALLOWANCE + 4_000_000, 4_000_000, ALLOWANCE)
    rig.client.capture("h1", amount=1_000_000, usage={})
    # May's rest backed the hold; it lapses now that the hold is settled.
    assert money(rig.client) == (ALLOWANCE, 0, ALLOWANCE)


def test_a_hold_across_the_turn_that_is_released_lapses(rig: Any) -> None:
    placed(rig.client, amount=4_000_000, expires_in_seconds=30 * 24 * 3600)
    rig.clock.now = datetime(2026, 6, 2, tzinfo=UTC)
    rig.client.release("h1", reason="canceled")
    assert money(rig.client) == (ALLOWANCE, 0, ALLOWANCE)


def test_a_grant_is_given_once_and_outlives_the_month(rig: Any) -> None:
    first = rig.client.grant(grant_id="g1", account="ada", amount=70, description="for the paper")
    assert (first.account, first.amount, first.remaining, first.expires_at) == ("ada", 70, 70, None)
    assert rig.client.grant(grant_id="g1", account="ada", amount=70, description="again") == first
    assert money(rig.client)[0] == ALLOWANCE + 70
    for other in ({"account": "bea"}, {"amount": 71}):
        with pytest.raises(GrantDiffers):
            rig.client.grant(**{"grant_id": "g1", "account": "ada", "amount": 70, "description": "x", **other})
    rig.clock.now = datetime(2026, 6, 1, tzinfo=UTC)
    assert money(rig.client)[0] == ALLOWANCE + 70


def test_a_grant_with_an_end_lapses_at_it(rig: Any) -> None:
    rig.client.grant(
        grant_id="g1",
        account="ada",
        amount=70,
        description="for the course",
        expires_at=rig.clock.now + timedelta(hours=1),
    )
    placed(rig.client)
    rig.client.capture("h1", amount=5_000, usage={})
    assert money(rig.client)[0] == ALLOWANCE - 5_000 + 70
    rig.clock.pass_(hours=1)
    assert money(rig.client)[0] == ALLOWANCE - 5_000


@pytest.mark.parametrize("ends", [datetime(2026, 5, 20, 12, tzinfo=UTC), datetime(2027, 1, 1)])
def test_a_grant_ends_at_a_time_to_come_with_a_zone(rig: Any, ends: datetime) -> None:
    with pytest.raises(Invalid):
        rig.client.grant(grant_id="g1", account="ada", amount=70, description="x", expires_at=ends)
    assert money(rig.client)[0] == ALLOWANCE


def test_a_higher_tier_tops_up_and_a_lower_one_waits_for_the_month(rig: Any) -> None:
    placed(rig.client)
    rig.client.capture("h1", amount=5_000, usage={})
    raised = rig.client.assign_tier("ada", tier="services")
    assert (raised.tier, raised.balance) == ("services", 20_000_000 - 5_000)
    assert rig.client.assign_tier("ada", tier="services") == raised
    assert rig.client.assign_tier("ada", tier="general").balance == 20_000_000 - 5_000
    assert rig.client.assign_tier("ada", tier="services").balance == 20_000_000 - 5_000
    rig.client.assign_tier("ada", tier="general")
    rig.clock.now = datetime(2026, 6, 1, tzinfo=UTC)
    assert money(rig.client)[0] == ALLOWANCE
    with pytest.raises(NoSuchTier):
        rig.client.assign_tier("ada", tier="gold")


def test_prices_and_tiers_are_those_of_the_files(rig: Any) -> None:
    prices = rig.client.prices()
    # The golden vector of test_prices.py, with prices as they came.
    assert price_run(prices, cpu_seconds=5_099, memory_mb_seconds=13_400_773) == 7_760
    assert price_sync(prices) == 6_000
    assert rig.client.tiers() == rig.desk.tiers


# What is wrong


WRONG_HOLDS: list[tuple[str, Any]] = [
    ("hold_id", ""),
    ("hold_id", "a/../b"),
    ("hold_id", "x" * 129),
    ("hold_id", "h1\n"),
    ("account", ""),
    ("account", "x" * 256),
    ("account", "ada\x00"),
    ("account", " ada"),
    ("account", "ada\udc80"),
    ("amount", -1),
    ("amount", 10**12 + 1),
    ("amount", 1.5),
    ("amount", True),
    ("amount", "5"),
    ("purpose", Purpose(kind=PurposeKind.RUN, reference="")),
    ("purpose", Purpose(kind=PurposeKind.RUN, reference="x" * 201)),
    ("purpose", Purpose(kind=PurposeKind.RUN, reference="r", description="two\nlines")),
    ("expires_in_seconds", 0),
    ("expires_in_seconds", 10**9),
]


def test_a_wrong_hold_is_told_by_field_and_holds_nothing(rig: Any) -> None:
    right = {"hold_id": "h1", "account": "ada", "amount": 5_000, "purpose": PURPOSE, "expires_in_seconds": 3600}
    for field, wrong in WRONG_HOLDS:
        with pytest.raises(Invalid) as caught:
            rig.client.hold(**{**right, field: wrong})
        assert all(finding["field"].startswith(field) for finding in caught.value.findings), (field, wrong)
        assert caught.value.findings, (field, wrong)
        assert rig.client.get_hold("h1") is None, (field, wrong)
    assert money(rig.client) == (ALLOWANCE, 0, ALLOWANCE)


WRONG_USAGES: list[dict[str, Any]] = [
    {"cpu_seconds": -1},
    {"cpu_seconds": math.nan},
    {"cpu_seconds": math.inf},
    {"CPU": 1},
    {"cpu_seconds": True},
    {f"u{number}": 1 for number in range(33)},
]


def test_wrong_usage_captures_nothing(rig: Any) -> None:
    placed(rig.client)
    for usage in WRONG_USAGES:
        with pytest.raises(Invalid):
            rig.client.capture("h1", amount=1, usage=usage)
    assert money(rig.client) == (ALLOWANCE, 5_000, ALLOWANCE - 5_000)


def test_other_wrong_requests(rig: Any) -> None:
    placed(rig.client)
    for wrong in (
        lambda: rig.client.capture("h1", amount=-1, usage={}),
        lambda: rig.client.release("h1", reason=""),
        lambda: rig.client.extend("h1", expires_in_seconds=0),
        lambda: rig.client.statement("ada", limit=0),
        lambda: rig.client.statement("ada", limit=201),
        lambda: rig.client.statement("ada", before=0),
        lambda: rig.client.grant(grant_id="g", account="ada", amount=0, description="x"),
        lambda: rig.client.wallet(""),
        lambda: rig.client.wallet("ada\udc80"),
    ):
        with pytest.raises(Invalid):
            wrong()
    assert money(rig.client) == (ALLOWANCE, 5_000, ALLOWANCE - 5_000)


# Many at once


def test_two_first_spends_of_a_new_wallet_give_one_allowance(rig: Any) -> None:
    amount = 6_000_000
    for number in range(8):
        name = f"new-{number}"
        answers = at_once(2, lambda index, name=name: place(rig.client, f"{name}-{index}", account=name, amount=amount))
        assert sorted(type(answer).__name__ for answer in answers) == ["Hold", "Refusal"]
        assert money(rig.client, name) == (ALLOWANCE, amount, ALLOWANCE - amount)


def test_many_duplicates_have_one_effect(rig: Any) -> None:
    answers = at_once(64, lambda _: place(rig.client))
    assert {answer.id for answer in answers} == {"h1"}
    assert money(rig.client)[1] == 5_000
    settled = at_once(64, lambda _: rig.client.capture("h1", amount=3_000, usage={}))
    assert len(set(settled)) == 1
    assert money(rig.client) == (ALLOWANCE - 3_000, 0, ALLOWANCE - 3_000)


def test_one_id_for_two_wallets_at_once_is_one_hold(rig: Any) -> None:
    answers = at_once(8, lambda index: place(rig.client, account=f"user-{index}"))
    assert sum(isinstance(answer, Hold) for answer in answers) == 1
    assert sum(isinstance(answer, HoldDiffers) for answer in answers) == 7


def test_a_concurrent_drain_never_overdraws(rig: Any) -> None:
    answers = at_once(24, lambda index: place(rig.client, f"h{index}", amount=900_000))
    assert sum(isinstance(answer, Hold) for answer in answers) == 11
    assert sum(isinstance(answer, Refusal) for answer in answers) == 13
    assert money(rig.client) == (ALLOWANCE, 9_900_000, 100_000)


def test_capture_release_and_sweep_at_once_settle_once(rig: Any) -> None:
    for number in range(6):
        name = f"h{number}"
        placed(rig.client, name, expires_in_seconds=1)
        rig.clock.pass_(seconds=2)
        ways = [
            lambda name=name: rig.client.capture(name, amount=1_000, usage={}),
            lambda name=name: rig.client.release(name, reason="canceled"),
            lambda: rig.sweep(),
        ]
        at_once(3, lambda index, ways=ways: ways[index]())
        found = rig.client.get_hold(name)
        assert found is not None
        assert found.status is not HoldStatus.HELD
    captured = rig.client.statement("ada", limit=200).entries
    spent = sum(entry.amount for entry in captured if entry.kind is TransactionKind.CAPTURE)
    assert money(rig.client) == (ALLOWANCE - spent, 0, ALLOWANCE - spent)


def test_many_grants_at_once_are_exact(rig: Any) -> None:
    answers = at_once(
        50, lambda index: rig.client.grant(grant_id=f"g{index}", account="ada", amount=7, description="x")
    )
    assert all(getattr(answer, "amount", None) == 7 for answer in answers)
    assert money(rig.client)[0] == ALLOWANCE + 350


def test_wallets_meet_at_the_platform_without_deadlock(rig: Any) -> None:
    names = [f"user-{number}" for number in range(12)]

    def live(index: int) -> None:
        for turn in range(4):
            placed(rig.client, f"{index}-{turn}", account=names[(index + turn) % 12])
            rig.client.capture(f"{index}-{turn}", amount=1_000, usage={})

    assert at_once(12, live) == [None] * 12
    assert sum(money(rig.client, name)[0] for name in names) == 12 * ALLOWANCE - 48_000
