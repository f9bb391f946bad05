"""Keeps reproductions going: a thread that advances those it holds the lease of, until each has its verdict."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from swath_service.errors import Unavailable
from swath_service.loops import Loop

from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.errors import LeaseLost
from swath_marketplace.domain.reproductions import Reproduction
from swath_marketplace.executors.comparer import ComparerUnavailable
from swath_marketplace.services.holders import free_gone, new_holder
from swath_marketplace.services.reproducing import Reproducer
from swath_marketplace.store.reproductions import ReproductionStore

log = logging.getLogger(__name__)

_BUSY_PAUSE_SECONDS = 0.25
_IDLE_PAUSE_SECONDS = 2.0
_LONGEST_BACKOFF_SECONDS = 60.0
#: After so many failures in a row it is ended with what is known.
_GIVE_UP_AFTER = 8
#: Longer than a comparison may take; the leases of a process of this machine that died are taken over at once.
_LEASE = timedelta(minutes=15)


class ReproductionKeeper:
    """Advances open reproductions. Several may work on one database."""

    def __init__(self, *, store: ReproductionStore, reproducer: Reproducer, clock: Clock) -> None:
        self._store = store
        self._reproducer = reproducer
        self._clock = clock
        self.holder = new_holder()
        self._loop = Loop("reproductions", self._step, every_seconds=_IDLE_PAUSE_SECONDS)
        self._trouble: dict[str, tuple[int, float]] = {}

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self.take_over()
        self._loop.start()

    def stop(self) -> None:
        """End; the next keeper takes over at once."""
        self._loop.stop()
        self._store.let_go(self.holder)

    def wake(self) -> None:
        """There is something to do."""
        self._loop.wake()

    def take_over(self) -> None:
        """Free what holders hold that were processes of this machine and are gone."""
        free_gone(self._store)

    def look(self) -> bool:
        """Advance everything that can go on, once; answers whether anything is open."""
        now = self._clock()
        held = self._store.claim(holder=self.holder, now=now, until=now + _LEASE)
        for one in held:
            failures, not_before = self._trouble.get(one.id, (0, 0.0))
            if not_before > time.monotonic():
                continue
            self._advance(one, failures)
        open_now = {one.id for one in held}
        self._trouble = {key: value for key, value in self._trouble.items() if key in open_now}
        return bool(held)

    def _advance(self, one: Reproduction, failures: int) -> None:
        """Advance one; what goes wrong with it must not keep the others from going on."""
        try:
            if failures >= _GIVE_UP_AFTER:
                self._reproducer.give_up(one, holder=self.holder)
            else:
                self._reproducer.advance(one, holder=self.holder)
            self._trouble.pop(one.id, None)
        except LeaseLost:
            log.info("reproduction %s belongs to another process now", one.id)
        except Unavailable as error:
            # The quota service comes back; until then nothing has failed.
            log.warning("reproduction %s waits: %s", one.id, error.message)
            self._trouble[one.id] = (failures, time.monotonic() + 1.0)
        except (ComparerUnavailable, OSError) as error:
            log.warning("reproduction %s waits: %s", one.id, error)
            self._trouble[one.id] = _later(failures)
        except Exception:
            log.exception("reproduction %s could not be advanced from %s", one.id, one.stage.value)
            self._trouble[one.id] = _later(failures)

    def _step(self) -> float | None:
        return _BUSY_PAUSE_SECONDS if self.look() else None


def _later(failures: int) -> tuple[int, float]:
    return failures + 1, time.monotonic() + min(_LONGEST_BACKOFF_SECONDS, 0.5 * 2 ** min(failures, 8))
