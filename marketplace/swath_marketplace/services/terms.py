"""What callers' tiers say about the queue: asked of the quota service beside the work, never waited for by it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from swath_service.errors import SwathError

from swath_marketplace.domain.fairness import Terms

log = logging.getLogger(__name__)

CONCURRENT = "runs.concurrent"
_FRESH_SECONDS = 60.0
#: After a failure nothing is asked for so long: a silent service is not asked for each caller in turn.
_SILENT_SECONDS = 15.0
#: What a caller who was never seen is waited for; the others keep what was known.
_PATIENCE_SECONDS = 0.5
_MOST_CALLERS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    terms: Terms
    until: float


class TermsBook:
    """Weight and concurrency of each caller, kept for a minute.

    Promises
    --------
    - `of` never raises and hardly waits: a caller whom quota does not tell of has what was told last, or `Terms()`.
    - Safe from many threads.

    Parameters
    ----------
    standing
        The quota client's: tells of a caller the weight in the queue, smaller when degraded, and every effective
        limit. ``None`` where the client knows none: everybody has `Terms()`.
    """

    def __init__(
        self,
        standing: Callable[[str], Any] | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        patience: float | None = None,
    ) -> None:
        self._standing = standing
        self._monotonic = monotonic
        self._patience = _PATIENCE_SECONDS if patience is None else patience
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._asked: dict[str, Future[None]] = {}
        self._silent_until = -math.inf
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="terms")

    def of(self, callers: Iterable[str]) -> Mapping[str, Terms]:
        """The terms of `callers`."""
        wanted = list(callers)
        strangers = [future for caller in wanted if (future := self._refreshed(caller)) is not None]
        if strangers:
            wait(strangers, timeout=self._patience)
        with self._lock:
            return {caller: known.terms for caller in wanted if (known := self._known.get(caller)) is not None}

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _refreshed(self, caller: str) -> Future[None] | None:
        """See to it that `caller` is asked for when that is due; what to wait for when nothing is known."""
        with self._lock:
            known, now = self._known.get(caller), self._monotonic()
            fresh = known is not None and known.until > now
            if self._standing is None or fresh or caller in self._asked or now < self._silent_until:
                return None
            future = self._asked[caller] = self._pool.submit(self._ask, caller)
            return future if known is None else None

    def _ask(self, caller: str) -> None:
        assert self._standing is not None
        try:
            with self._lock:
                if self._monotonic() < self._silent_until:
                    return
            terms = terms_of(self._standing(caller))
            with self._lock:
                if len(self._known) >= _MOST_CALLERS:
                    self._known.clear()
                self._known[caller] = _Known(terms=terms, until=self._monotonic() + _FRESH_SECONDS)
        except (SwathError, AttributeError, TypeError, ValueError) as error:
            # Whatever is wrong over there, the queue goes on: with what was known, or with equal weights.
            log.warning("quota does not tell the standing of a caller: %s", getattr(error, "code", error))
            with self._lock:
                self._silent_until = self._monotonic() + _SILENT_SECONDS
        finally:
            with self._lock:
                self._asked.pop(caller, None)


def terms_of(standing: Any) -> Terms:
    """What a standing says about the queue.

    Raises
    ------
    ValueError
        Its weight is no number above zero.
    """
    weight = float(standing.weight)
    if not (math.isfinite(weight) and weight > 0):
        raise ValueError(f"{weight} is no weight in a queue")
    limit = standing.limit(CONCURRENT)
    return Terms(weight=weight, concurrent=None if limit is None else limit.hard)
