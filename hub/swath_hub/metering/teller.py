"""Everything that is asked of the quota service in a server's name. Blocking: the hub calls it in threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import TypeVar

from swath_quota.client import Prices, Purpose, PurposeKind, Refusal
from swath_service.errors import Forbidden, SwathError, Unauthenticated, Unavailable

from swath_hub.metering import decisions
from swath_hub.metering.decisions import MeterView, Policy, Warn
from swath_hub.metering.gauge import Gauge, Reading, since_boot
from swath_hub.metering.port import Fault, LabQuota, Standing, UsageEvent
from swath_hub.metering.record import HeldFor, Phase, Record
from swath_hub.metering.records import Records
from swath_hub.metering.usage import Usage, most_per_hour, price, quantities

log = logging.getLogger(__name__)
T = TypeVar("T")
#: Steps of one look at a server: an extension that is refused, one for what is left, both warnings, and the end.
_MOST_STEPS = 6
#: After a silence nobody asks for so long, or every server of a full hub would wait for its own time-out.
_QUIET_SECONDS = 10.0
#: How long what a wallet has left is believed.
_WALLET_SECONDS = 60.0
_MOST_EVENTS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """What one look at a server came to."""

    record: Record
    alive: bool
    warnings: tuple[Warn, ...] = ()
    stop: bool = False
    """Its credits are used up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A no to the first hour."""

    refusal: Refusal
    needed: int
    """Millicredits that were asked for."""


class Teller:
    """Holds, reports and settles for Lab servers; every method may be repeated after a crash.

    Parameters
    ----------
    clock
        Seconds since the machine booted.
    now
        The time of day, for people.
    """

    def __init__(
        self,
        quota: LabQuota,
        *,
        gauge: Gauge,
        records: Records,
        policy: Policy,
        clock: Callable[[], float] = since_boot,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._quota, self._gauge, self._records, self._policy = quota, gauge, records, policy
        self._clock, self._now = clock, now
        self._quiet_until = 0.0
        self._prices: dict[str, Prices] = {}
        # Known of this run of the hub alone: until when a hold stands, and what its wallet has on top of it.
        self._stands: dict[str, float] = {}
        self._free: dict[str, tuple[float, int]] = {}

    def standing(self, user: str) -> Standing:
        """The user's limits.

        Raises
        ------
        Unavailable
        """
        return self._ask(lambda: self._quota.standing(user))

    def admit(self, record: Record) -> Record | Refused:
        """Hold the first hour for a server that is about to start. A refused record is forgotten.

        Raises
        ------
        Unavailable
            `record` is kept: either `begin_unpaid` or `close` it.
        """
        answer = self._open(self._records.save(record))
        if isinstance(answer, Refused):
            self._records.forget(record)
        return answer

    def keep(self, record: Record) -> Record:
        """Remember a change that was made elsewhere."""
        return self._records.save(record)

    def load(self) -> list[Record]:
        """All that was not settled before this start."""
        return self._records.load()

    def read(self, record: Record) -> Reading:
        """What the server has used."""
        return self._gauge.read(record.handle)

    def end_orphan(self, record: Record) -> bool:
        """End a server that runs and that the hub does not know."""
        return self._gauge.end(record.handle)

    def beat(self, record: Record) -> Beat:
        """Look at a running server: note what it used, keep its hold ahead of it, tell who is to be told."""
        reading = self._gauge.read(record.handle)
        record = self._records.save(replace(record, usage=record.usage.joined(reading.usage)))
        if not reading.alive:
            return Beat(record=record, alive=False)
        warnings: list[Warn] = []
        stop = False
        try:
            for _ in range(_MOST_STEPS):
                if record.hold is None:
                    answer = self._open(record)
                    if stop := isinstance(answer, Refused):
                        break
                    record = answer
                step = decisions.next_step(self._view(record), self._policy)
                if isinstance(step, decisions.Extend):
                    record = self._extend(record, step)
                elif isinstance(step, decisions.Warn):
                    record = self._records.save(replace(record, warned=record.warned | {step.kind}))
                    warnings.append(step)
                else:
                    stop = isinstance(step, decisions.Stop)
                    break
        except Unavailable as silence:
            log.warning("The quota service does not answer; %s's server goes on: %s", record.user, silence)
        return Beat(record=record, alive=True, warnings=tuple(warnings), stop=stop)

    def close(self, record: Record, *, platforms_fault: bool = False) -> Record:
        """Note what a server that has ended used in all; `settle` does the rest."""
        usage = record.usage.joined(self._gauge.read(record.handle).usage)
        return self._records.save(
            replace(record, phase=Phase.ENDED, usage=usage, fault=Fault.PLATFORM if platforms_fault else record.fault)
        )

    def settle(self, record: Record) -> bool:
        """Pay for a closed record, once; whether it is done."""
        try:
            if record.hold is None:
                self._void(record)
            else:
                self.report([record])
                self._settle(record.hold, record)
        except Unavailable:
            return False
        except (Unauthenticated, Forbidden):
            log.exception("The hub's token is not good for the wallet of %s; tried again later", record.user)
            return False
        except SwathError as answer:
            # Its time was over, or an operator ended it: what happened stands.
            log.warning("The hold of %s's server is closed already: %s", record.user, answer)
        self._records.forget(record)
        for known in (self._stands, self._free):
            known.pop(record.id, None)
        return True

    def report(self, records: Iterable[Record]) -> None:
        """Send what each has used so far into the usage stream. What is lost is in the next one."""
        events = [self._event(record) for record in records if record.hold is not None]
        for first in range(0, len(events), _MOST_EVENTS):
            self._report(events[first : first + _MOST_EVENTS])

    def _report(self, events: Sequence[UsageEvent]) -> None:
        try:
            self._ask(lambda: self._quota.report_usage(events))
        except Unavailable:
            log.warning("The quota service does not answer; what %d servers used is told later", len(events))
        except SwathError:
            log.exception("What %d servers used was refused", len(events))

    # ---- holds

    def _open(self, record: Record) -> Record | Refused:
        """Place a hold from now on, under an id that is noted first."""
        prices = self._price_list("")
        amount = ceil(most_per_hour(prices, record.reserved) * self._policy.ahead_seconds / 3600)
        answer = self._place(record, amount)
        if isinstance(answer, Refusal) and record.phase is Phase.RUNNING and 0 < answer.left < amount:
            # It runs: better paid as far as it goes than not at all.
            answer = self._place(replace(record, holds=record.holds + 1, unanswered=False), answer.left)
        return Refused(refusal=answer, needed=amount) if isinstance(answer, Refusal) else answer

    def _place(self, record: Record, amount: int) -> Record | Refusal:
        self._void(record)
        record = self._records.save(replace(record, holds=record.holds + 1, unanswered=True))
        answer = self._ask(
            lambda: self._quota.hold(
                hold_id=record.hold_id,
                account=record.user,
                amount=amount,
                purpose=Purpose(kind=PurposeKind.LAB, reference=record.id, description=f"Lab server, {record.title}"),
                expires_in_seconds=self._policy.stand_seconds,
            )
        )
        if isinstance(answer, Refusal):
            return answer
        since = record.usage if record.phase is Phase.RUNNING else Usage()
        held = HeldFor(
            id=answer.id, payer=answer.account, amount=answer.amount, price_version=answer.price_version, since=since
        )
        self._stands[record.id] = self._clock() + self._policy.stand_seconds
        self._free.pop(record.id, None)
        return self._records.save(replace(record, hold=held, unanswered=False))

    def _void(self, record: Record) -> None:
        """Give back a hold that was asked for and whose answer never came.

        One that is known to have ended is left alone: what was captured of it was used.
        """
        if not record.unanswered:
            return
        try:
            self._ask(lambda: self._quota.settle(record.hold_id, usage={}, fault=Fault.PLATFORM))
        except Unavailable:
            raise
        except SwathError as answer:
            log.info("No hold %s to give back: %s", record.hold_id, answer)

    def _extend(self, record: Record, step: decisions.Extend) -> Record:
        hold = record.hold
        assert hold is not None
        try:
            answer = self._ask(lambda: self._quota.extend(hold.id, expires_in_seconds=step.seconds, amount=step.amount))
        except Unavailable:
            raise
        except SwathError as closed:
            # Expired while we or the machine were away, or ended by an operator: a new one pays from here on.
            log.warning("The hold of %s's server is closed; another is asked for: %s", record.user, closed)
            return self._records.save(replace(record, hold=None))
        if isinstance(answer, Refusal):
            lacking = step.amount - hold.amount
            self._free[record.id] = (self._clock(), answer.left if answer.left < lacking else 0)
            return record
        self._stands[record.id] = self._clock() + step.seconds
        at, free = self._free.get(record.id, (0.0, 0))
        self._free[record.id] = (at, max(0, free - (answer.amount - hold.amount)))
        return self._records.save(replace(record, hold=replace(hold, amount=answer.amount)))

    def _settle(self, hold: HeldFor, record: Record) -> None:
        usage = quantities(record.usage.since(hold.since), record.reserved)
        done = self._ask(lambda: self._quota.settle(hold.id, usage=usage, fault=record.fault))
        log.info("The server of %s is settled: %d millicredits of %d held", record.user, done.captured, hold.amount)

    # ---- what is known

    def _view(self, record: Record) -> MeterView:
        hold = record.hold
        assert hold is not None
        prices = self._price_list(hold.price_version)
        return MeterView(
            spent=price(prices, usage=record.usage.since(hold.since), reserved=record.reserved),
            held=hold.amount,
            free=self._known_free(record, hold),
            per_hour=most_per_hour(prices, record.reserved),
            stands_seconds=self._stands.get(record.id, 0.0) - self._clock(),
            warned=record.warned,
        )

    def _known_free(self, record: Record, hold: HeldFor) -> int | None:
        at, free = self._free.get(record.id, (None, 0))
        if at is not None and 0 <= self._clock() - at < _WALLET_SECONDS:
            return free
        try:
            free = self._ask(lambda: self._quota.wallet(hold.payer)).available
        except Unavailable:
            return None
        self._free[record.id] = (self._clock(), max(0, free))
        return max(0, free)

    def _price_list(self, version: str) -> Prices:
        """The list that a hold has frozen, which never changes; the one in force now when `version` is empty."""
        if not version:
            return self._ask(lambda: self._quota.prices(None))
        if version not in self._prices:
            self._prices[version] = self._ask(lambda: self._quota.prices(version))
        return self._prices[version]

    def _event(self, record: Record) -> UsageEvent:
        hold = record.hold
        assert hold is not None
        usage, final = record.usage.since(hold.since), record.phase is Phase.ENDED
        # Grows with the server's age, also over restarts, without being kept anywhere; odd unless final.
        sequence = int(usage.wall_seconds * 1000) * 2 + 1 + final
        return UsageEvent(
            id=f"{hold.id}.{sequence}",
            meter=hold.id,
            hold_id=hold.id,
            account=record.user,
            kind=PurposeKind.LAB,
            sequence=sequence,
            usage=quantities(usage, record.reserved),
            final=final,
            fault=record.fault if final else Fault.NONE,
            at=self._now(),
        )

    def _ask(self, call: Callable[[], T]) -> T:
        if self._clock() < self._quiet_until:
            raise Unavailable(
                code="quota-unreachable", message="the quota service did not answer a moment ago", mend="try again"
            )
        try:
            return call()
        except Unavailable:
            self._quiet_until = self._clock() + _QUIET_SECONDS
            raise
