"""A quota service in memory, and a machine's clock that tests set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from swath_hub.dask.accounts import Moment
from swath_quota.client import (
    Fault,
    Hold,
    HoldCaptured,
    HoldExpired,
    HoldReleased,
    HoldStatus,
    NoSuchHold,
    Prices,
    Refusal,
    Settlement,
    UsageEvent,
    price_run,
)
from swath_service.errors import Unavailable

PRICES = Prices(
    effective_on=date(2023, 11, 1), per_cpu_hour=1500, per_gb_hour=1000, per_batch_run=2000, per_sync_call=6000
)
_CLOSED = {
    HoldStatus.CAPTURED: HoldCaptured,
    HoldStatus.RELEASED: HoldReleased,
    HoldStatus.EXPIRED: HoldExpired,
}


@dataclass
class Quota:
    """One wallet for everybody, by the promises of `DaskQuota`.

    `lose_answers_at` names calls (counted from 1) that are done and whose answers are lost.
    """

    credits: int = 10**6
    limits: list[Any] = field(default_factory=list)
    down: bool = False
    holds: dict[str, Hold] = field(default_factory=dict)
    events: dict[str, UsageEvent] = field(default_factory=dict)
    calls: int = 0
    lose_answers_at: set[int] = field(default_factory=set)

    @property
    def left(self) -> int:
        held = sum(hold.amount for hold in self.holds.values() if hold.is_open)
        return self.credits - held - sum(hold.captured for hold in self.holds.values())

    def _called(self) -> None:
        if self.down:
            raise Unavailable(code="quota-unreachable", message="silence")
        self.calls += 1

    def _answer(self, answer: Any) -> Any:
        if self.calls in self.lose_answers_at:
            raise Unavailable(code="quota-unreachable", message="the answer is lost")
        return answer

    def _refusal(self) -> Refusal:
        return Refusal(code="credits-exhausted", message="no credits", retry_at=None, limit=0, left=max(0, self.left))

    def _open(self, hold_id: str) -> Hold:
        if hold_id not in self.holds:
            raise NoSuchHold(code="no-such-hold", message=hold_id)
        if not self.holds[hold_id].is_open:
            raise _CLOSED[self.holds[hold_id].status](code="hold-closed", message=hold_id)
        return self.holds[hold_id]

    def prices(self, version: str | None = None) -> Prices:
        self._called()
        return self._answer(PRICES)

    def hold(self, *, hold_id: str, account: str, amount: int, purpose: Any, price_version: str, **_: Any) -> Any:
        self._called()
        assert price_version == "2023-11-01"
        if hold_id in self.holds:
            assert self.holds[hold_id].amount >= amount, "a hold is repeated only as it was"
            return self._answer(self.holds[hold_id])
        if amount > self.left:
            return self._answer(self._refusal())
        now = datetime.now(UTC)
        made = {
            "id": hold_id,
            "account": account,
            "member": account,
            "amount": amount,
            "purpose": purpose,
            "price_version": price_version,
            "created_at": now,
            "expires_at": now + timedelta(hours=1),
        }
        made["allocations"] = (("the only grant", amount),)
        # What a gateway reads of a hold, whatever else the service keeps of it.
        self.holds[hold_id] = Hold(**{one.name: made[one.name] for one in fields(Hold) if one.name in made})
        return self._answer(self.holds[hold_id])

    def extend(self, hold_id: str, *, expires_in_seconds: int, amount: int | None = None) -> Any:
        self._called()
        before = self._open(hold_id)
        if (amount or 0) - before.amount > self.left:
            return self._answer(self._refusal())
        total = max(before.amount, amount or 0)
        grown: dict[str, Any] = {"amount": total, "allocations": (("the only grant", total),)}
        self.holds[hold_id] = replace(before, **{name: grown[name] for name in grown if hasattr(before, name)})
        return self._answer(self.holds[hold_id])

    def expire(self, hold_id: str) -> None:
        """What the sweep does to a hold that nobody extended."""
        self.holds[hold_id] = replace(self.holds[hold_id], status=HoldStatus.EXPIRED, resolved_at=datetime.now(UTC))

    def report_usage(self, events: Sequence[UsageEvent]) -> object:
        self._called()
        for event in events:
            assert self.events.setdefault(event.id, event).usage == event.usage, "an event is sent only as it was"
        return self._answer(None)

    def settle(self, hold_id: str, *, usage: Mapping[str, float], fault: Fault) -> Settlement:
        self._called()
        hold = self.holds.get(hold_id)
        if hold is None or (hold.is_open and fault is Fault.PLATFORM):
            hold = replace(self._open(hold_id), status=HoldStatus.RELEASED, resolved_at=datetime.now(UTC))
        elif hold.is_open:
            price = price_run(
                PRICES, cpu_seconds=usage["cpu_seconds"], memory_mb_seconds=usage["memory_mb_seconds"], batch=False
            )
            status = HoldStatus.CAPTURED
            hold = replace(hold, status=status, captured=min(price, hold.amount), resolved_at=datetime.now(UTC))
        self.holds[hold_id] = hold
        assert hold.resolved_at is not None
        return self._answer(
            Settlement(
                hold_id=hold_id,
                account=hold.account,
                status=hold.status,
                captured=hold.captured,
                returned=hold.amount - hold.captured,
                transaction_id=None,
                settled_at=hold.resolved_at,
            )
        )

    def standing(self, account: str) -> Any:
        self._called()
        return self._answer(SimpleNamespace(limits=self.limits))


@dataclass
class Clock:
    """The machine's own clock."""

    seconds: float = 1000.0
    boot_id: str = "b1"

    def __call__(self) -> Moment:
        return Moment(boot_id=self.boot_id, seconds=self.seconds)

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def quota() -> Quota:
    return Quota()


@pytest.fixture
def clock() -> Clock:
    return Clock()
