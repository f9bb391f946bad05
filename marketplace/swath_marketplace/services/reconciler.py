"""The only writer of a run's status: it brings every open run forward until each has ended and is settled."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from swath_service.errors import Unavailable
from swath_service.loops import Loop

from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import LeaseLost
from swath_marketplace.domain.fairness import Slots
from swath_marketplace.domain.runs import Desired, Run, Stage
from swath_marketplace.executors.protocol import Executor, Seen
from swath_marketplace.services.budgets import BudgetWatch
from swath_marketplace.services.events import EventLogs
from swath_marketplace.services.holders import free_gone, new_holder
from swath_marketplace.services.steps import Stepper
from swath_marketplace.services.terms import TermsBook
from swath_marketplace.store.runs import RunStore

log = logging.getLogger(__name__)

_BUSY_PAUSE_SECONDS = 0.05
_IDLE_PAUSE_SECONDS = 1.0
_PROGRESS_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 15.0
#: After so many unforeseen failures in a row a run is ended at the platform's cost.
_GIVE_UP_AFTER = 6


class Companion(Protocol):
    """What works as long as the reconciler does, in a thread of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass
class _Trouble:
    failures: int = 0
    not_before: float = 0.0


class Reconciler:
    """Looks at every run it holds the lease of, and steps those that can go on; a few at a time, each in one thread.

    Several may work on one database: leases divide the runs among them, and a run whose holder died is taken over when
    its lease is over, or at once when the dead holder was a process of this machine.
    """

    def __init__(
        self,
        *,
        store: RunStore,
        executor: Executor,
        stepper: Stepper,
        events: EventLogs,
        budgets: BudgetWatch,
        slots: Slots,
        terms: TermsBook,
        clock: Clock,
        lease_seconds: float = 15.0,
        workers: int = 4,
        companions: Sequence[Companion] = (),
    ) -> None:
        self._store = store
        self._executor = executor
        self._stepper = stepper
        self._events = events
        self._budgets = budgets
        self._slots = slots
        self._terms = terms
        self._clock = clock
        self._lease = timedelta(seconds=lease_seconds)
        self._workers = workers
        self._companions = tuple(companions)
        self.holder = new_holder()
        self._loop = Loop("reconciler", self._step, every_seconds=_IDLE_PAUSE_SECONDS)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._in_flight: set[str] = set()
        self._trouble: dict[str, _Trouble] = {}
        self._progress_read: dict[str, float] = {}

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self.take_over()
        self._pool = ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="run")
        self._loop.start()
        for companion in self._companions:
            companion.start()

    def stop(self) -> None:
        """End; runs go on, and the next reconciler takes them over at once."""
        for companion in self._companions:
            companion.stop()
        self._loop.stop()
        if self._pool:
            self._pool.shutdown(wait=True)
        self._terms.close()
        self._store.let_go(self.holder)

    def wake(self) -> None:
        """There is something to do: look now instead of in a moment."""
        self._loop.wake()

    def lease_until(self) -> datetime:
        """When a lease that begins now ends."""
        return self._clock() + self._lease

    def take_over(self) -> None:
        """Free the runs of holders that were processes of this machine and are gone."""
        free_gone(self._store)

    @contextmanager
    def handling(self, run_id: str) -> Iterator[None]:
        """Keep the loop's hands off a run that another thread of this process is stepping."""
        with self._lock:
            self._in_flight.add(run_id)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight.discard(run_id)
            self.wake()

    def advance(self, run: Run) -> Run:
        """Step `run` in the calling thread, which is inside `handling`; what goes wrong is left to the loop.

        The run is committed: its caller is told of it, and not of a trouble that it may well survive.
        """
        try:
            return self._stepper.advance(run)
        except LeaseLost:
            return self._store.get(run.id) or run
        except Unavailable as error:
            log.warning("run %s waits: %s", run.id, error.message)
        except Exception:
            log.exception("run %s could not be stepped from %s", run.id, run.stage.value)
        self._failed(run.id, counts=False)
        return run

    def look(self) -> bool:
        """One look at everything; steps what can be stepped. Answers whether any run is held."""
        until = self._clock() + self._lease
        self._store.claim(holder=self.holder, now=self._clock(), until=until)
        self._admit()
        leased = self._store.leased(self.holder)
        if any(end - self._clock() < self._lease / 2 for _, end in leased):
            self._store.renew(self.holder, until=self._clock() + self._lease)
        free = [run for run, _ in leased if self._is_free(run.id)]
        seen = self._executor.check([run for run in free if run.stage is Stage.RUNNING])
        for run in free:
            observed = seen.get(run.id)
            if observed and observed.seen is Seen.RUNNING and run.desired is Desired.FINISHED:
                self._note_progress(run)
                if not self._budgets.due(run):
                    continue
            self._dispatch(run)
        self._tidy({run.id for run, _ in leased})
        return bool(leased)

    def _admit(self) -> None:
        callers = self._store.queue.waiting_callers()
        if callers:
            terms = self._terms.of(callers)
            now = self._clock()
            self._store.admit(holder=self.holder, until=now + self._lease, slots=self._slots, now=now, terms=terms)

    def _step(self) -> float | None:
        return _BUSY_PAUSE_SECONDS if self.look() else None

    def _dispatch(self, run: Run) -> None:
        with self._lock:
            self._in_flight.add(run.id)
        if self._pool is None:
            self._work(run)
        else:
            self._pool.submit(self._work, run)

    def _work(self, run: Run) -> None:
        try:
            with self._lock:
                trouble = self._trouble.get(run.id)
            if trouble and trouble.failures >= _GIVE_UP_AFTER:
                run = self._stepper.give_up(run)
            after = self._stepper.advance(run)
            with self._lock:
                self._trouble.pop(run.id, None)
            if after.stage is not run.stage:
                self.wake()
        except LeaseLost:
            log.info("run %s belongs to another reconciler now", run.id)
        except Unavailable as error:
            log.warning("run %s waits: %s", run.id, error.message)
            self._failed(run.id, counts=False)
        except Exception:
            log.exception("run %s could not be stepped from %s", run.id, run.stage.value)
            self._failed(run.id)
        finally:
            with self._lock:
                self._in_flight.discard(run.id)

    def _failed(self, run_id: str, *, counts: bool = True) -> None:
        with self._lock:
            trouble = self._trouble.setdefault(run_id, _Trouble())
            trouble.failures += 1 if counts else 0
            pause = min(_LONGEST_BACKOFF_SECONDS, 0.25 * 2 ** min(trouble.failures, 6) if counts else 1.0)
            trouble.not_before = time.monotonic() + pause

    def _is_free(self, run_id: str) -> bool:
        with self._lock:
            trouble = self._trouble.get(run_id)
            waits = trouble is not None and trouble.not_before > time.monotonic()
            return run_id not in self._in_flight and not waits

    def _note_progress(self, run: Run) -> None:
        now = time.monotonic()
        if now - self._progress_read.get(run.id, 0.0) < _PROGRESS_SECONDS:
            return
        self._progress_read[run.id] = now
        fraction = self._events.progress(run.id)
        if fraction > run.progress + 0.005:
            try:
                self._store.save(replace(run, progress=fraction))
            except LeaseLost:
                log.info("run %s belongs to another reconciler now", run.id)

    def _tidy(self, held: set[str]) -> None:
        for run_id in self._progress_read.keys() - held:
            del self._progress_read[run_id]
        self._budgets.forget(held)
        with self._lock:
            for run_id in self._trouble.keys() - held:
                del self._trouble[run_id]
