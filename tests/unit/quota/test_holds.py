from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from swath_quota.domain import errors, holds
from swath_quota.domain.holds import Hold, HoldStatus, Purpose, PurposeKind
from swath_service.errors import SwathError

AT = datetime(2026, 5, 4, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)
OVER = AT + timedelta(hours=2)


def make(amount: int = 100) -> Hold:
    return Hold(
        id="h",
        account="ada",
        member="ada",
        amount=amount,
        allocations=(("g", amount),),
        purpose=Purpose(kind=PurposeKind.RUN, reference="r"),
        created_at=AT,
        expires_at=AT + timedelta(hours=1),
    )


HELD = make()
CAPTURED = holds.capture(HELD, amount=40, usage={}, at=LATER)
RELEASED = holds.release(HELD, reason="canceled", at=LATER)
EXPIRED = holds.expire(HELD, at=OVER)
Verb = Callable[[Hold], Hold]


def capture(hold: Hold) -> Hold:
    return holds.capture(hold, amount=40, usage={"cpu_seconds": 1.5}, at=LATER)


def release(hold: Hold) -> Hold:
    return holds.release(hold, reason="again", at=OVER)


def extend(hold: Hold) -> Hold:
    return holds.extend(hold, expires_at=OVER)


def expire(hold: Hold) -> Hold:
    return holds.expire(hold, at=OVER)


SAME = "same"


@pytest.mark.parametrize(
    ("before", "verb", "after"),
    [
        (HELD, capture, HoldStatus.CAPTURED),
        (HELD, release, HoldStatus.RELEASED),
        (HELD, extend, HoldStatus.HELD),
        (HELD, expire, HoldStatus.EXPIRED),
        (CAPTURED, capture, SAME),
        (CAPTURED, release, errors.HoldCaptured),
        (CAPTURED, extend, errors.HoldCaptured),
        (CAPTURED, expire, SAME),
        (RELEASED, capture, errors.HoldReleased),
        (RELEASED, release, SAME),
        (RELEASED, extend, errors.HoldReleased),
        (RELEASED, expire, SAME),
        (EXPIRED, capture, errors.HoldExpired),
        (EXPIRED, release, SAME),
        (EXPIRED, extend, errors.HoldExpired),
        (EXPIRED, expire, SAME),
    ],
)
def test_every_step_from_every_status(before: Hold, verb: Verb, after: object) -> None:
    if isinstance(after, type) and issubclass(after, SwathError):
        with pytest.raises(after) as caught:
            verb(before)
        assert errors.Codes.TYPES[caught.value.code] is after
    elif after is SAME:
        assert verb(before) is before
    else:
        assert verb(before).status is after


def test_a_capture_leaves_the_rest() -> None:
    settled = holds.settlement_of(capture(HELD))
    assert (settled.captured, settled.returned, settled.transaction_id) == (40, 60, "capture:h")
    nothing = holds.settlement_of(holds.capture(HELD, amount=0, usage={}, at=LATER))
    assert (nothing.status, nothing.returned, nothing.transaction_id) == (HoldStatus.CAPTURED, 100, None)


def test_a_capture_is_at_most_the_hold_and_once() -> None:
    with pytest.raises(errors.CaptureExceedsHold) as caught:
        holds.capture(HELD, amount=101, usage={}, at=LATER)
    assert caught.value.findings[0]["field"] == "amount"
    with pytest.raises(errors.CapturedDifferently):
        holds.capture(CAPTURED, amount=41, usage={}, at=LATER)


def test_a_hold_is_not_voided_before_its_time() -> None:
    assert holds.expire(HELD, at=LATER) is HELD
    assert holds.expire(HELD, at=HELD.expires_at).status is HoldStatus.EXPIRED


def test_extending_never_shortens() -> None:
    assert holds.extend(HELD, expires_at=LATER) is HELD
    assert holds.extend(HELD, expires_at=OVER).expires_at == OVER
    assert holds.extend(HELD, expires_at=LATER, amount=99, allocations=(("g", 99),)) is HELD


def test_a_hold_that_grew_is_still_the_one_first_asked_for() -> None:
    grown = holds.extend(HELD, expires_at=LATER, amount=150, allocations=(("g", 100), ("h", 50)))
    assert (grown.amount, grown.asked, grown.expires_at) == (150, 100, HELD.expires_at)
    assert holds.check_replay(grown, account="ada", amount=100, purpose=HELD.purpose) is grown
    with pytest.raises(errors.HoldDiffers):
        holds.check_replay(grown, account="ada", amount=150, purpose=HELD.purpose)


@pytest.mark.parametrize(
    "changed",
    [
        {"account": "bea"},
        {"amount": 99},
        {"purpose": Purpose(kind=PurposeKind.LAB, reference="r")},
        {"purpose": Purpose(kind=PurposeKind.RUN, reference="other")},
    ],
)
def test_a_replay_must_be_the_same(changed: dict[str, object]) -> None:
    same = {"account": "ada", "amount": 100, "purpose": Purpose(kind=PurposeKind.RUN, reference="r", description="!")}
    assert holds.check_replay(CAPTURED, **same) is CAPTURED  # type: ignore[arg-type]
    with pytest.raises(errors.HoldDiffers) as caught:
        holds.check_replay(HELD, **{**same, **changed})  # type: ignore[arg-type]
    assert "ada" not in caught.value.message


@pytest.mark.parametrize(
    "changed",
    [
        {"captured": 1},
        {"allocations": ()},
        {"allocations": (("g", 99),)},
        {"status": HoldStatus.CAPTURED, "captured": 101, "resolved_at": LATER},
        {"status": HoldStatus.RELEASED},
        {"resolved_at": LATER},
    ],
)
def test_an_impossible_hold_cannot_be_made(changed: dict[str, object]) -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="hold h"):
        replace(HELD, **changed)  # type: ignore[arg-type]
