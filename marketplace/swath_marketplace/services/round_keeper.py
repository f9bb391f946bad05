"""Keeps rounds going: a thread that begins the one whose turn it is, steps it, and tells of its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from swath_service.errors import NotFound, Unavailable
from swath_service.loops import Loop

from swath_marketplace.domain.benchmarks import Order, RoundState
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.schedule import next_of
from swath_marketplace.services.holders import is_gone, new_holder
from swath_marketplace.services.registry import Registry
from swath_marketplace.services.round_clock import RoundClock
from swath_marketplace.services.round_ports import RoundListener
from swath_marketplace.services.round_retention import RoundRetention
from swath_marketplace.services.round_steps import NotYet, RoundStepper
from swath_marketplace.services.runs import PLATFORM_ACTOR
from swath_marketplace.store.rounds import RoundStore

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
_CLOCK_SECONDS = 300.0
_LEASE = timedelta(seconds=60)
_AGAIN_SECONDS = 15.0
#: After so many unforeseen failures in a row a round is ended: the others wait behind it.
_GIVE_UP_AFTER = 6


class RoundKeeper:
    """Looks once a second, or when it is woken; of several processes on one database one works, by a lease.

    Parameters
    ----------
    delay_seconds
        After a start the schedule waits so long: a service that has just come up serves people first. What somebody
        asks for, and what was published, does not wait.
    """

    def __init__(
        self,
        *,
        store: RoundStore,
        stepper: RoundStepper,
        rounds_clock: RoundClock,
        retention: RoundRetention,
        registry: Registry,
        clock: Clock,
        delay_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._stepper = stepper
        self._rounds_clock = rounds_clock
        self._retention = retention
        self._registry = registry
        self._clock = clock
        self._monotonic = monotonic
        self._schedule_at = monotonic() + delay_seconds
        self._not_before: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._listeners: list[RoundListener] = []
        self._holder = new_holder()
        self._loop = Loop("rounds", self._step_on, every_seconds=_PAUSE_SECONDS)

    def add_listener(self, listener: RoundListener) -> None:
        """Let `listener` know of each round that has ended; before `start`."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._take_over()
        self._loop.start()

    def stop(self) -> None:
        """End; an open round goes on where it is when the next keeper starts."""
        # A comparison may go on for minutes; it is made again.
        self._loop.stop(within_seconds=10)
        self._store.let_go(self._holder)

    def wake(self) -> None:
        """There is something to do: look now instead of in a moment."""
        self._loop.wake()

    def look(self) -> bool:
        """One look: ask for what is due, step the round that runs, tell of what has ended. Whether there is more."""
        schedule = self._monotonic() >= self._schedule_at
        open_rounds, untold = self._store.open(), self._due(self._store.untold())
        if not (schedule or open_rounds or untold):
            return False
        now = self._clock()
        if not self._store.lease(self._holder, now=now, until=now + _LEASE):
            return False
        if schedule:
            self._schedule_at = self._monotonic() + _CLOCK_SECONDS
            self._rounds_clock.look()
            self._retention.look()
            open_rounds = self._store.open()
        for order in untold:
            self._tell(order)
        running = self._running(open_rounds)
        if running is None or not self._due([running]):
            return False
        return self._step(running)

    def _running(self, open_rounds: Sequence[Order]) -> Order | None:
        """The round that runs; the next one begins when none does."""
        running = next((one for one in open_rounds if one.state is RoundState.RUNNING), None)
        if running is None:
            following = next_of(open_rounds)
            running = self._store.begin(following, at=self._clock()) if following else None
        return running

    def _step(self, order: Order) -> bool:
        try:
            if self._failures.get(order.id, 0) >= _GIVE_UP_AFTER:
                self._stepper.give_up(order)
            ended = self._stepper.step(order)
            self._failures.pop(order.id, None)
            if ended:
                self._tell(order)
            return ended
        except (NotYet, Unavailable) as error:
            log.warning("round %s waits: %s", order.id, error)
        except Exception:
            log.exception("round %s could not be stepped", order.id)
            self._failures[order.id] = self._failures.get(order.id, 0) + 1
        self._not_before[order.id] = self._monotonic() + _AGAIN_SECONDS
        return False

    def _tell(self, order: Order) -> None:
        """Tell everybody who listens of the end of `order`, and note that, so that each is told at least once."""
        ended = self._store.ended(order.id)
        if ended is None:
            return
        try:
            version = self._registry.version(PLATFORM_ACTOR, f"{order.path}@{order.version}")
            for listener in self._listeners:
                listener(ended, version)
        except NotFound:
            log.error("round %s: its version is gone", order.id)
        except Exception:
            log.exception("the end of round %s could not be told", order.id)
            self._not_before[order.id] = self._monotonic() + _AGAIN_SECONDS
            return
        self._not_before.pop(order.id, None)
        self._store.told(order.id, at=self._clock())

    def _due(self, orders: Sequence[Order]) -> Sequence[Order]:
        now = self._monotonic()
        return [one for one in orders if self._not_before.get(one.id, now) <= now]

    def _take_over(self) -> None:
        """Free the lease of a holder that was a process of this machine and is gone."""
        holder = self._store.holder()
        if holder is None:
            return
        if is_gone(holder):
            self._store.let_go(holder)

    def _step_on(self) -> float | None:
        return 0.0 if self.look() else None
