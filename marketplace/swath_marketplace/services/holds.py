"""The money of a run: quoted, held before anything starts, and settled exactly once after it."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime

from swath_quota.client import (
    Hold,
    HoldCaptured,
    HoldExpired,
    HoldReleased,
    HoldStatus,
    NoSuchHold,
    Prices,
    Purpose,
    PurposeKind,
    QuotaClient,
    Refusal,
    price_run,
)
from swath_service.errors import SwathError, Unavailable

from swath_marketplace.domain import transitions
from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.clock import Clock, iso
from swath_marketplace.domain.runs import Desired, ErrorInfo, RefusalInfo, Run, RunStatus, SettlementKind, Usage

log = logging.getLogger(__name__)

#: A hold outlives its run by this much: a queue may be long, and the reconciler may be down.
_MARGIN_SECONDS = 7 * 24 * 3600
_PRICES_SECONDS = 60.0


class Cashier:
    """Asks the quota service, in words of runs.

    Every method is idempotent: a hold's name is the run's, so a retry after any crash changes nothing.
    """

    def __init__(self, quota: QuotaClient, *, clock: Clock) -> None:
        self._quota = quota
        self._clock = clock
        self._lock = threading.Lock()
        self._prices: tuple[float, Prices] | None = None

    def prices(self) -> Prices:
        """The prices in force.

        Raises
        ------
        Unavailable
            When the quota service does not tell them.
        """
        return self._current_prices()

    def quote(self, resources: Resources) -> int:
        """The most that a run of `resources` can cost, in millicredits: all cores busy to its time limit.

        Raises
        ------
        Unavailable
            When the quota service does not tell its prices.
        """
        return price_run(
            self._current_prices(),
            cpu_seconds=resources.cpus * resources.wall_seconds,
            memory_mb_seconds=float(resources.memory_mb * resources.wall_seconds),
            batch=True,
        )

    def cost(self, usage: Usage) -> int:
        """What a run that took `usage` costs, in millicredits.

        Raises
        ------
        Unavailable
            When the quota service does not tell its prices.
        """
        return price_run(
            self._current_prices(),
            cpu_seconds=usage.cpu_seconds,
            memory_mb_seconds=usage.memory_mb * usage.wall_seconds,
            batch=True,
        )

    def ask(self, run: Run) -> Run:
        """`run` after its hold was asked for: held, refused, or on its way out when its end is wanted.

        Raises
        ------
        Unavailable
            When the quota service does not answer; the run stays as it is and this is asked again.
        """
        answer = self._quota.hold(
            hold_id=run.hold_id,
            account=run.caller,
            amount=run.quote_millicredits,
            purpose=Purpose(
                kind=PurposeKind.RUN, reference=run.id, description=f"{run.owner}/{run.name}@{run.version}"
            ),
            expires_in_seconds=run.resources.wall_seconds + _MARGIN_SECONDS,
        )
        if run.desired is Desired.CANCELED:
            # The hold was asked for all the same: a call that a crash cut off may have placed it already.
            return transitions.never_started(run, RunStatus.CANCELED)
        return self._answered(run, answer, at=self._clock())

    def settle(self, run: Run) -> Run:
        """`run` after its hold was captured or released.

        Raises
        ------
        Unavailable
            When the quota service does not answer; this is asked again.
        """
        if run.usage is None or run.platform_fault or not run.cost_millicredits:
            return self._release(run)
        usage = run.usage
        try:
            settlement = self._quota.capture(
                run.hold_id,
                amount=run.cost_millicredits,
                usage={
                    "cpu_seconds": round(usage.cpu_seconds, 3),
                    "memory_mb_seconds": round(usage.memory_mb * usage.wall_seconds, 3),
                    "wall_seconds": round(usage.wall_seconds, 3),
                },
            )
        except (HoldExpired, HoldReleased, NoSuchHold) as error:
            # The credits went back to the caller before we came; they are not asked for twice.
            log.error("run %s cost %s and its hold is gone: %s", run.id, run.cost_millicredits, error.code)
            return transitions.settled(run, SettlementKind.RELEASED, captured=0, at=self._clock())
        return transitions.settled(run, SettlementKind.CAPTURED, captured=settlement.captured, at=self._clock())

    def _answered(self, run: Run, answer: Hold | Refusal, *, at: datetime) -> Run:
        if isinstance(answer, Refusal):
            refusal = RefusalInfo(code=answer.code, message=answer.message, retry_at=iso(answer.retry_at))
            return transitions.refused(run, refusal, at=at)
        if answer.status is not HoldStatus.HELD:
            # A replay answers the hold as it now stands: it was placed long ago and somebody voided it.
            why = ErrorInfo(code="hold-gone", message=f"what was held for this run is {answer.status.value} already")
            return transitions.never_started(run, RunStatus.ERROR, error=why)
        return transitions.held(run, at=at)

    def _release(self, run: Run) -> Run:
        reason = run.error.code if run.error else (run.outcome or RunStatus.ERROR).value
        try:
            self._quota.release(run.hold_id, reason=reason)
        except NoSuchHold:
            pass
        except HoldCaptured:
            log.error("run %s owes nothing and its hold was captured", run.id)
        return transitions.settled(run, SettlementKind.RELEASED, captured=0, at=self._clock())

    def _current_prices(self) -> Prices:
        with self._lock:
            kept = self._prices
        if kept and kept[0] > time.monotonic():
            return kept[1]
        try:
            prices = self._quota.prices()
        except SwathError as error:
            # Prices change rarely, and a run that is over must not wait for the next price list.
            if kept is not None:
                return kept[1]
            raise Unavailable(
                code="quota-unavailable",
                message="the quota service does not tell its prices, so nothing can be started",
                mend="try again in a few seconds",
            ) from error
        with self._lock:
            self._prices = (time.monotonic() + _PRICES_SECONDS, prices)
        return prices
