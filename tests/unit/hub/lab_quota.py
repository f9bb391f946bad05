"""A quota service for tests of the meters: one wallet a user, prices, and everything that was asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from swath_hub.metering.port import Fault, UsageEvent
from swath_quota.client import HoldExpired, NoSuchHold, Prices, Purpose, Refusal, price_run
from swath_service.errors import Unavailable

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
VERSION = "2023-11-01"
#: One credit an hour for a GB, one and a half for a processor.
PRICES = Prices(
    effective_on=date(2023, 11, 1), per_cpu_hour=1500, per_gb_hour=1000, per_batch_run=2000, per_sync_call=6000
)


@dataclass
class Held:
    """A hold, as far as a holder sees it."""

    id: str
    account: str
    amount: int
    price_version: str = VERSION
    status: str = "held"
    captured: int = 0


@dataclass
class LabQuotaDouble:
    """Keeps the promises of `LabQuota` for one wallet a user, in whole millicredits."""

    wallets: dict[str, int] = field(default_factory=dict)
    holds: dict[str, Held] = field(default_factory=dict)
    events: dict[str, UsageEvent] = field(default_factory=dict)
    settled: dict[str, tuple[dict[str, float], Fault]] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    down: bool = False
    lose_answers: int = 0
    """So many next answers to `hold` are lost after the hold was placed."""

    def _asked(self, what: str) -> None:
        self.calls.append(what)
        if self.down:
            raise Unavailable(code="quota-unreachable", message="silent", mend="")

    def free(self, account: str) -> int:
        held = sum(hold.amount for hold in self.holds.values() if hold.account == account and hold.status == "held")
        return self.wallets.get(account, 0) - held

    def _refusal(self, account: str) -> Refusal:
        return Refusal(code="credits-exhausted", message="not enough", retry_at=None, limit=0, left=self.free(account))

    def hold(
        self, *, hold_id: str, account: str, amount: int, purpose: Purpose, expires_in_seconds: int
    ) -> Held | Refusal:
        self._asked("hold")
        assert purpose.kind == "lab"
        if hold_id in self.holds:
            return self.holds[hold_id]
        if amount > self.free(account):
            return self._refusal(account)
        self.holds[hold_id] = held = Held(hold_id, account, amount)
        if self.lose_answers:
            self.lose_answers -= 1
            raise Unavailable(code="quota-unreachable", message="the answer is lost", mend="")
        return Held(held.id, held.account, held.amount)

    def _open(self, hold_id: str) -> Held:
        if hold_id not in self.holds:
            raise NoSuchHold(code="no-such-hold", message=hold_id, mend="")
        if self.holds[hold_id].status != "held":
            raise HoldExpired(code="hold-expired", message=hold_id, mend="")
        return self.holds[hold_id]

    def extend(self, hold_id: str, *, expires_in_seconds: int, amount: int | None = None) -> Held | Refusal:
        self._asked("extend")
        hold = self._open(hold_id)
        more = max(0, (amount or 0) - hold.amount)
        if more > self.free(hold.account):
            return self._refusal(hold.account)
        hold.amount += more
        return Held(hold.id, hold.account, hold.amount)

    def wallet(self, account: str) -> Any:
        self._asked("wallet")

        @dataclass
        class Wallet:
            available: int

        return Wallet(self.free(account))

    def prices(self, version: str | None = None) -> Prices:
        self._asked("prices")
        assert version in (None, VERSION)
        return PRICES

    def report_usage(self, events: Sequence[UsageEvent]) -> None:
        self._asked("report_usage")
        for event in events:
            known = self.events.setdefault(event.id, event)
            assert (known.usage, known.final) == (event.usage, event.final), "an id is taken by another event"

    def settle(self, hold_id: str, *, usage: Mapping[str, float], fault: Fault) -> Held:
        self._asked("settle")
        if hold_id in self.settled:
            assert self.settled[hold_id] == (usage, fault), "settled before, differently"
            return self.holds[hold_id]
        hold = self._open(hold_id)
        self.settled[hold_id] = (dict(usage), fault)
        if fault is Fault.PLATFORM:
            hold.status = "released"
            return hold
        cost = price_run(
            PRICES,
            cpu_seconds=usage.get("cpu_seconds", 0.0),
            memory_mb_seconds=usage.get("memory_mb_seconds", 0.0),
            batch=False,
        )
        hold.status, hold.captured = "captured", min(cost, hold.amount)
        self.wallets[hold.account] -= hold.captured
        return hold

    def expire(self, hold_id: str) -> None:
        """As the sweep does with an overdue hold."""
        self.holds[hold_id].status = "expired"

    def standing(self, account: str) -> Any:
        self._asked("standing")
        limits = self.limits

        @dataclass
        class State:
            hard: int | None

        class Standing:
            def limit(self, name: str) -> State | None:
                return State(limits[name]) if name in limits else None

        return Standing()
