"""What every `QuotaClient` promises about metering, and what its stores keep."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from swath_quota.client import (
    EventResult,
    Fault,
    Hold,
    HoldStatus,
    NoSuchHold,
    Outcome,
    Purpose,
    PurposeKind,
    UsageEvent,
    UsageEventDiffers,
)
from swath_service.errors import Invalid

ALLOWANCE = 10_000_000
AT = datetime(2026, 5, 20, 12, tzinfo=UTC)
HOUR = {"cpu_seconds": 3600.0, "memory_mb_seconds": 1024.0 * 3600, "wall_seconds": 3600.0}


def place(client: Any, hold_id: str = "h1", *, kind: PurposeKind = PurposeKind.LAB, **changed: Any) -> Hold:
    purpose = Purpose(kind=kind, reference=f"server-{hold_id}", description="a server")
    asked = {"account": "ada", "amount": 5_000, "purpose": purpose, "expires_in_seconds": 3600, **changed}
    answer = client.hold(hold_id=hold_id, **asked)
    assert isinstance(answer, Hold)
    return answer


def event(sequence: int, hold_id: str = "h1", *, part: float = 0.0, **changed: Any) -> UsageEvent:
    """What a meter shows after `part` of an hour of one core and 1 GB."""
    made: dict[str, Any] = {
        "id": f"{hold_id}-{sequence}",
        "meter": f"lab-{hold_id}",
        "hold_id": hold_id,
        "account": "ada",
        "kind": PurposeKind.LAB,
        "sequence": sequence,
        "usage": {name: value * part for name, value in HOUR.items()},
        "at": AT,
    }
    return UsageEvent(**{**made, **changed})


def captured(client: Any, hold_id: str = "h1") -> tuple[HoldStatus, int]:
    found = client.get_hold(hold_id)
    return found.status, found.captured


# The stream


def test_a_report_is_taken_once_and_told_event_by_event(rig: Any) -> None:
    place(rig.client)
    first = [event(1, part=0.1), event(2, part=0.2)]
    told = rig.client.report_usage(first)
    assert told.results == tuple(EventResult(id=one.id, outcome=Outcome.ACCEPTED) for one in first)
    again = rig.client.report_usage([*first, event(3, part=0.3), event(3, part=0.3)])
    assert [result.outcome for result in again.results] == ["duplicate", "duplicate", "accepted", "duplicate"]
    found = rig.client.progress("h1")
    assert (found.meter, found.usage["cpu_seconds"]) == ("lab-h1", pytest.approx(1080.0))


def test_lost_late_doubled_and_reordered_events_change_nothing(rig: Any) -> None:
    stream = [event(number, part=number / 20) for number in range(1, 21)]
    dice = random.Random(7)
    for index in range(4):
        hold_id = f"h{index}"
        place(rig.client, hold_id)
        told = [replace(one, id=f"{hold_id}-{one.sequence}", meter=f"lab-{hold_id}", hold_id=hold_id) for one in stream]
        kept = [one for one in told[:-1] if dice.random() < 0.6] + [told[-1]]
        kept += dice.choices(kept, k=8)
        dice.shuffle(kept)
        for start in range(0, len(kept), 5):
            # The source's clock steps to and fro meanwhile.
            part = [replace(one, at=AT + timedelta(days=dice.randint(-40, 40))) for one in kept[start : start + 5]]
            rig.client.report_usage(part)
        settlement = rig.client.settle(hold_id, usage={}, fault=Fault.NONE)
        assert settlement.captured == 2_500
    assert rig.client.wallet("ada").balance == ALLOWANCE - 4 * 2_500


def test_an_id_and_a_number_mean_one_event(rig: Any) -> None:
    place(rig.client)
    place(rig.client, "h2")
    rig.client.report_usage([event(1, part=0.1)])
    for other in (
        event(1, part=0.2),
        event(1, part=0.1, final=True),
        event(1, part=0.1, id="another"),
        event(2, part=0.2, meter="lab-other"),
        event(2, "h2", meter="lab-h1"),
        event(1, "h2", id="h1-1"),
    ):
        with pytest.raises(UsageEventDiffers) as caught:
            rig.client.report_usage([event(7, part=0.7), other])
        assert caught.value.findings[0]["field"].startswith("events[1].")
    # Nothing of a refused report is taken.
    assert rig.client.progress("h1").usage["cpu_seconds"] == pytest.approx(360.0)
    assert rig.client.progress("h2").meter is None


def test_less_than_before_is_kept_and_changes_nothing(rig: Any) -> None:
    place(rig.client)
    rig.client.report_usage([event(1, part=0.5)])
    told = rig.client.report_usage([event(2, part=0.1), event(3, part=0.2)])
    assert [result.decreasing for result in told.results] == [True, True]
    assert rig.client.progress("h1").usage == {name: value / 2 for name, value in HOUR.items()}


def test_every_fault_of_a_report_is_told_at_once(rig: Any) -> None:
    place(rig.client)
    wrong = [
        event(0),
        event(1, id="a/b"),
        event(2, usage={"cpu_seconds": -1.0}),
        event(3, usage={"cpu_seconds": float("inf")}),
        event(4, usage={"CPU": 1.0}),
        event(5, usage={"cpu_seconds": 1e19}),
    ]
    with pytest.raises(Invalid) as caught:
        rig.client.report_usage(wrong)
    assert len(caught.value.findings) >= len(wrong)
    with pytest.raises(Invalid) as caught:
        rig.client.report_usage(
            [event(1, "nobodys"), event(2, account="bea"), event(3, kind=PurposeKind.RUN), event(4)]
        )
    fields = {finding["field"] for finding in caught.value.findings}
    assert fields == {"events[0].hold_id", "events[1].account", "events[2].kind"}
    for number in (0, 501):
        with pytest.raises(Invalid):
            rig.client.report_usage([event(n) for n in range(1, number + 1)])
    assert rig.client.progress("h1").meter is None


def test_a_report_may_be_full_and_of_many_holds(rig: Any) -> None:
    for index in range(5):
        place(rig.client, f"h{index}")
    events = [event(n, f"h{index}", part=n / 100) for n in range(1, 101) for index in range(5)]
    assert len(rig.client.report_usage(events).results) == 500
    assert rig.client.progress("h4").cost == 2_500


def test_many_that_report_the_same_at_once_are_one(rig: Any) -> None:
    place(rig.client)
    barrier = threading.Barrier(8)

    def send(_: int) -> list[str]:
        barrier.wait(timeout=30)
        told = rig.client.report_usage([event(1, part=0.1), event(2, part=0.2)])
        return [result.outcome for result in told.results]

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(send, range(8)))
    assert [outcome for answer in told for outcome in answer].count("accepted") == 2
    assert rig.client.progress("h1").cost == 500


# Settling


def test_usage_is_priced_and_captured_and_the_rest_returned(rig: Any) -> None:
    place(rig.client)
    rig.client.report_usage([event(1, part=0.5)])
    settlement = rig.client.settle("h1", usage=HOUR, fault=Fault.NONE)
    assert (settlement.status, settlement.captured, settlement.returned) == (HoldStatus.CAPTURED, 2_500, 2_500)
    assert rig.client.settle("h1", usage=HOUR, fault=Fault.NONE) == settlement
    found = rig.client.get_hold("h1")
    assert found.usage == HOUR
    assert (rig.client.wallet("ada").balance, rig.client.wallet("ada").held) == (ALLOWANCE - 2_500, 0)


def test_a_run_pays_the_batch_fee_and_needs_no_heartbeat(rig: Any) -> None:
    place(rig.client, kind=PurposeKind.RUN)
    assert rig.client.settle("h1", usage=HOUR, fault=Fault.USER).captured == 4_500
    assert rig.client.progress("h1").meter == "h1"


def test_the_hold_is_the_most_and_the_usage_says_so(rig: Any) -> None:
    place(rig.client, amount=1_000)
    assert rig.client.settle("h1", usage=HOUR, fault=Fault.NONE).captured == 1_000
    assert rig.client.get_hold("h1").usage == {**HOUR, "capped": 1.0}


def test_by_the_platforms_fault_nothing_is_paid(rig: Any) -> None:
    place(rig.client)
    rig.client.report_usage([event(1, part=0.5)])
    settlement = rig.client.settle("h1", usage=HOUR, fault=Fault.PLATFORM)
    assert (settlement.status, settlement.captured) == (HoldStatus.RELEASED, 0)
    assert rig.client.settle("h1", usage=HOUR, fault=Fault.PLATFORM) == settlement
    assert rig.client.wallet("ada").available == ALLOWANCE


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.USER])
def test_by_the_users_fault_what_was_used_is_paid(rig: Any, fault: Fault) -> None:
    place(rig.client)
    assert rig.client.settle("h1", usage=HOUR, fault=fault).captured == 2_500


def test_a_hold_is_settled_by_one_usage(rig: Any) -> None:
    place(rig.client)
    rig.client.settle("h1", usage=HOUR, fault=Fault.NONE)
    with pytest.raises(UsageEventDiffers):
        rig.client.settle("h1", usage={}, fault=Fault.NONE)
    with pytest.raises(UsageEventDiffers):
        rig.client.settle("h1", usage=HOUR, fault=Fault.PLATFORM)
    with pytest.raises(NoSuchHold):
        rig.client.settle("h9", usage=HOUR, fault=Fault.NONE)
    with pytest.raises(Invalid):
        rig.client.settle("h1", usage={"cpu_seconds": -1.0}, fault=Fault.NONE)


def test_what_comes_after_the_settlement_changes_nothing(rig: Any) -> None:
    place(rig.client)
    rig.client.settle("h1", usage={"cpu_seconds": 3600.0}, fault=Fault.NONE)
    told = rig.client.report_usage([event(1, part=1.0, meter="h1"), event(2, part=2.0)])
    assert [(result.outcome, result.late) for result in told.results] == [("accepted", True), ("accepted", True)]
    assert captured(rig.client) == (HoldStatus.CAPTURED, 1_500)
    assert rig.client.progress("h1").usage == {"cpu_seconds": 3600.0}
    totals = rig.audit().usage
    assert (totals.meters, totals.events, totals.late_events) == (1, 3, 2)
    assert totals.usage == {"lab": {"cpu_seconds": 3600.0}}


def test_a_hold_that_ended_otherwise_says_how(rig: Any) -> None:
    place(rig.client)
    rig.client.release("h1", reason="never started")
    assert rig.client.settle("h1", usage=HOUR, fault=Fault.NONE).status is HoldStatus.RELEASED
    place(rig.client, "h2", expires_in_seconds=1)
    rig.clock.pass_(seconds=2)
    assert rig.sweep() == 1
    settlement = rig.client.settle("h2", usage=HOUR, fault=Fault.NONE)
    assert (settlement.status, settlement.captured) == (HoldStatus.EXPIRED, 0)


def test_many_that_settle_at_once_are_one(rig: Any) -> None:
    place(rig.client)
    rig.client.report_usage([event(1, part=0.5)])
    barrier = threading.Barrier(8)

    def settle(_: int) -> Any:
        barrier.wait(timeout=30)
        return rig.client.settle("h1", usage=HOUR, fault=Fault.NONE)

    with ThreadPoolExecutor(8) as pool:
        assert len({repr(answer) for answer in pool.map(settle, range(8))}) == 1
    assert rig.client.wallet("ada").balance == ALLOWANCE - 2_500


# Nobody settles


def test_an_overdue_hold_pays_what_was_used_up_to_the_last_report(rig: Any) -> None:
    place(rig.client, "used")
    place(rig.client, "unused")
    place(rig.client, "alive", expires_in_seconds=9000)
    rig.client.report_usage([event(1, "used", part=0.4), event(1, "alive", part=0.4)])
    rig.clock.pass_(hours=2)
    assert (rig.sweep_meters(), rig.sweep()) == (1, 1)
    assert captured(rig.client, "used") == (HoldStatus.CAPTURED, 1_000)
    assert captured(rig.client, "unused") == (HoldStatus.EXPIRED, 0)
    assert captured(rig.client, "alive") == (HoldStatus.HELD, 0)
    assert (rig.sweep_meters(), rig.sweep()) == (0, 0)
    # The holder was not dead after all: it is told what became of its hold, and no more is taken.
    assert rig.client.settle("used", usage=HOUR, fault=Fault.NONE).captured == 1_000


def test_a_final_meter_is_settled_though_its_source_said_no_more(rig: Any) -> None:
    place(rig.client)
    rig.client.report_usage([event(1, part=0.4, final=True)])
    # Its source may still say whose fault the end was.
    assert rig.sweep_meters() == 0
    rig.clock.pass_(minutes=2)
    assert rig.sweep_meters() == 1
    assert captured(rig.client) == (HoldStatus.CAPTURED, 1_000)
    assert rig.sweep_meters() == 0


# In progress


def test_progress_tells_cost_share_and_how_long_the_hold_lasts(rig: Any) -> None:
    place(rig.client)
    empty = rig.client.progress("h1")
    assert (empty.cost, empty.share, empty.rate_per_hour, empty.seconds_left) == (0, 0.0, None, None)
    rig.client.report_usage([event(1, part=0.5)])
    rig.clock.pass_(days=3)
    once = rig.client.progress("h1")
    # One report: the rate over the whole life, by the source's seconds, whatever the clocks say.
    assert (once.cost, once.share, once.rate_per_hour, once.seconds_left) == (1_250, 0.25, 2_500, 5_400)
    idle = {**event(1, part=0.5).usage, "wall_seconds": 3600.0, "memory_mb_seconds": 1024.0 * 3600}
    rig.client.report_usage([event(2, usage=idle)])
    twice = rig.client.progress("h1")
    # The processor idled since: 1 GB alone is 1 credit an hour.
    assert (twice.cost, twice.rate_per_hour) == (1_750, 1_000)
    assert twice.seconds_left == 3_250 * 3600 // 1_000
    assert (twice.first_seen_at, twice.last_seen_at) == (AT, AT + timedelta(days=3))
    rig.client.settle("h1", usage={}, fault=Fault.NONE)
    done = rig.client.progress("h1")
    assert (done.status, done.cost, done.rate_per_hour, done.final) == (HoldStatus.CAPTURED, 1_750, None, True)
    with pytest.raises(NoSuchHold):
        rig.client.progress("h9")


def test_pages_of_usage_have_every_meter_once_newest_first(rig: Any) -> None:
    for index in range(7):
        place(rig.client, f"h{index}", amount=1_000)
        rig.client.report_usage([event(1, f"h{index}", part=0.1)])
        rig.clock.pass_(seconds=index % 2)
    pages, before = [], None
    while True:
        page = rig.client.usage("ada", limit=3, before=before)
        pages.append([found.hold_id for found in page.meters])
        before = page.next_before
        if before is None:
            break
    assert pages == [["h6", "h5", "h4"], ["h3", "h2", "h1"], ["h0"]]
    assert page.meters[0].cost == 250
    assert rig.client.usage("bea").meters == ()
    for wrong in ("x", "aGVsbG8=", "é"):
        with pytest.raises(Invalid):
            rig.client.usage("ada", before=wrong)
    with pytest.raises(Invalid):
        rig.client.usage("ada", limit=201)


def test_a_fault_of_the_platform_that_is_told_late_is_made_good(rig: Any) -> None:
    place(rig.client)
    rig.client.report_usage([event(1, part=0.4)])
    rig.clock.pass_(hours=2)
    assert rig.sweep_meters() == 1
    assert rig.client.wallet("ada").balance == ALLOWANCE - 1_000
    for _ in range(2):
        assert rig.client.settle("h1", usage=HOUR, fault=Fault.PLATFORM).captured == 1_000
        assert rig.client.wallet("ada").balance == ALLOWANCE


def test_a_wallet_in_want_of_credits_voids_no_hold_that_was_used(rig: Any) -> None:
    place(rig.client, "used", amount=ALLOWANCE // 2)
    place(rig.client, "unused", amount=ALLOWANCE // 2)
    rig.client.report_usage([event(1, "used", part=0.4)])
    rig.clock.pass_(hours=2)
    place(rig.client, "next", amount=ALLOWANCE // 2)
    assert captured(rig.client, "unused") == (HoldStatus.EXPIRED, 0)
    assert captured(rig.client, "used") == (HoldStatus.HELD, 0)
    assert rig.sweep_meters() == 1
    assert captured(rig.client, "used") == (HoldStatus.CAPTURED, 1_000)
