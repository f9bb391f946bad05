"""The money of a run: quoted, held before anything starts, and settled exactly once after it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from swath_quota.client import (
    Fault,
    Hold,
    HoldCaptured,
    HoldStatus,
    NoSuchHold,
    NoSuchPrices,
    Observation,
    ObservationSource,
    Prices,
    Purpose,
    PurposeKind,
    QuotaClient,
    QuoteRequest,
    Refusal,
    Reserved,
    price_run,
)
from swath_service.errors import Invalid, SwathError, Unavailable

from swath_marketplace.domain import budgets, transitions
from swath_marketplace.domain.added_value import AddedValue
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.clock import Clock, iso
from swath_marketplace.domain.runs import (
    Desired,
    ErrorInfo,
    Estimate,
    RefusalInfo,
    Run,
    RunPurpose,
    RunStatus,
    SettlementKind,
    Usage,
)
from swath_marketplace.services.tariff import added_at, asked_of, delivered, price_with

log = logging.getLogger(__name__)

#: A hold outlives its run by this much: a queue may be long, and the reconciler may be down.
_MARGIN_SECONDS = 7 * 24 * 3600
_PRICES_SECONDS = 60.0
_MB = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a run will cost, in millicredits."""

    hold: int
    """What is held before it starts."""
    ceiling: int
    """The most that its version's limits allow."""
    estimate: Estimate | None
    """Of the resources; ``None`` when the quota service foretold nothing; then the ceiling is held."""
    added_value: AddedValue | None = None
    """What the author gets on top; its bound is part of `hold`."""


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

    def quote(
        self,
        quote_id: str,
        version: AlgorithmVersion,
        *,
        features: Mapping[str, float],
        ending_seconds: float,
        budget: int | None = None,
        added_value: AddedValue | None = None,
    ) -> Offer:
        """What a run of `version` will cost and what is to be held for it. Nothing is held yet.

        Parameters
        ----------
        quote_id
            The same id with the same version and features is the same quote.
        ending_seconds
            How long a run may go on after it has to be asked to checkpoint; what is held covers at least two of that.
        budget
            The most that it may cost, in millicredits: it caps what is held.
        added_value
            What the run agrees to; the most that it can come to is held as well.

        Raises
        ------
        Invalid
            The budget is so small that nothing could be done with it.
        Unavailable
            When the quota service tells neither a quote nor its prices, now or lately.
        """
        resources, prices = version.resources, self._current_prices()
        least = budgets.least_hold(resources, price_with(prices, added_value), seconds=ending_seconds)
        _check_budget(budget, least=least)
        most_cpu = resources.cpus * resources.wall_seconds
        memory = float(resources.memory_mb * resources.wall_seconds)
        bare = ceiling = price_run(prices, cpu_seconds=most_cpu, memory_mb_seconds=memory, batch=True)
        estimate = self._estimate(quote_id, version, features)
        if estimate is not None:
            bare, ceiling = min(estimate.hold, estimate.ceiling), estimate.ceiling
        most = ceiling + added_at(added_value, cpu_seconds=most_cpu)
        bound = added_at(added_value, cpu_seconds=_most_cpu(prices, bare, most=most_cpu))
        # Below the least it would be asked to checkpoint as soon as it starts.
        hold = min(most, max(bare + bound, least))
        if budget is not None:
            hold, bound = min(budget, hold), min(budget, bound)
        agreed = replace(added_value, bound=bound) if added_value else None
        return Offer(hold=hold, ceiling=most, estimate=estimate, added_value=agreed)

    def observe(self, run: Run) -> None:
        """Tell the quota service what `run`, whose hold is settled, used, so that quotes to come learn from it.

        Raises
        ------
        Unavailable
            When the quota service does not answer; this is asked again.
        """
        usage = run.usage
        if usage is None or run.platform_fault or run.outcome is None or not usage.wall_seconds:
            return
        observation = Observation(
            id=run.hold_id,
            kind=PurposeKind.RUN,
            subject=run.digest,
            features=run.features,
            usage=_metered(run, usage),
            finished=run.outcome is RunStatus.FINISHED,
            at=self._clock(),
            source=ObservationSource.BENCHMARK if run.purpose is RunPurpose.BENCHMARK else ObservationSource.USE,
            quote_id=run.estimate.quote_id if run.estimate else "",
        )
        try:
            self._quota.observe(observation)
        except Unavailable:
            raise
        except SwathError as error:
            # What is learnt is worth less than that the run ends.
            log.error("what run %s used could not be told: %s", run.id, error.code)

    def cost(self, usage: Usage, *, price_version: str | None = None, added_value: AddedValue | None = None) -> int:
        """What a run that took `usage` and did not finish costs, in millicredits.

        Under the prices it was quoted with, by default today's, and with what it agreed to.

        Raises
        ------
        Unavailable
            When the quota service does not tell its prices.
        """
        prices = self._current_prices()
        resources = price_run(
            prices if price_version in (None, prices.version) else self._prices_of(price_version, otherwise=prices),
            cpu_seconds=usage.cpu_seconds,
            memory_mb_seconds=usage.memory_mb * usage.wall_seconds,
            batch=True,
        )
        return resources + added_at(added_value, cpu_seconds=usage.cpu_seconds, finished=False)

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
                kind=PurposeKind.RUN,
                reference=run.id,
                description=f"{run.owner}/{run.name}@{run.version}",
                algorithm=f"{run.owner}/{run.name}",
            ),
            expires_in_seconds=run.resources.wall_seconds + _MARGIN_SECONDS,
            price_version=price_version_of(run),
            added_value=asked_of(run.added_value),
        )
        if run.desired is Desired.CANCELED:
            # The hold was asked for all the same: a call that a crash cut off may have placed it already.
            return transitions.unwanted(run)
        return self._answered(run, answer, at=self._clock())

    def settle(self, run: Run) -> Run:
        """`run` after its hold was settled: what it used is priced by the quota service, which has the last word.

        A run that never started has used nothing, and its hold is released.

        Raises
        ------
        Unavailable
            When the quota service does not answer; this is asked again.
        """
        if run.usage is None:
            return self._release(run)
        fault = _fault_of(run)
        used = _metered(run, run.usage)
        if run.outcome is RunStatus.FINISHED:
            used |= delivered(run.added_value)
        try:
            settlement = self._quota.settle(run.hold_id, usage=used, fault=fault)
        except NoSuchHold:
            log.error("run %s is over and there is no hold of it", run.id)
            return transitions.settled(run, SettlementKind.RELEASED, captured=0, at=self._clock())
        if settlement.status is HoldStatus.CAPTURED:
            taken, added = settlement.captured, settlement.added_value
            return transitions.settled(run, SettlementKind.CAPTURED, captured=taken, added=added, at=self._clock())
        if fault is not Fault.PLATFORM:
            # The credits went back to the caller before we came; they are not asked for twice.
            log.error("run %s is over and its hold was %s before", run.id, settlement.status)
        return transitions.settled(run, SettlementKind.RELEASED, captured=0, at=self._clock())

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

    def _estimate(self, quote_id: str, version: AlgorithmVersion, features: Mapping[str, float]) -> Estimate | None:
        reserved = Reserved(
            cpus=version.resources.cpus,
            memory_mb=version.resources.memory_mb,
            wall_seconds=version.resources.wall_seconds,
        )
        request = QuoteRequest(
            quote_id=quote_id, kind=PurposeKind.RUN, subject=version.digest, reserved=reserved, features=features
        )
        try:
            told = self._quota.quote(request)
        except SwathError as error:
            # A run waits for its hold, not for a foretelling: without one, all that its limits allow is held.
            log.warning("no quote for %s %s: %s", version.path, version.version, error.code)
            return None
        return Estimate(
            quote_id=told.id,
            p50=told.p50,
            p95=told.p95,
            upper=told.upper,
            hold=told.hold,
            ceiling=told.ceiling,
            p50_seconds=told.p50_seconds,
            p95_seconds=told.p95_seconds,
            basis=told.basis.value,
            observations=told.observations,
            explanation=told.explanation,
            price_version=told.price_version,
            valid_until=told.valid_until.isoformat(),
        )

    def _prices_of(self, version: str | None, *, otherwise: Prices) -> Prices:
        try:
            return self._quota.prices(version)
        except NoSuchPrices:
            log.error("the price list %s is gone; today's is used", version)
            return otherwise

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


def _most_cpu(prices: Prices, resources: int, *, most: float) -> float:
    """The most CPU-seconds, up to `most`, that `resources` millicredits can have paid for."""
    if not prices.per_cpu_hour:
        return most
    # Half a millicredit more: the price was rounded.
    left = max(0.0, resources + 0.5 - prices.per_batch_run)
    return min(most, left * 3600 / prices.per_cpu_hour)


def price_version_of(run: Run) -> str | None:
    """The price list that the run was quoted with, which is the one it pays by; ``None`` for the one in force."""
    return run.estimate.price_version if run.estimate else None


def _fault_of(run: Run) -> Fault:
    """Who is to blame for how `run` ended."""
    if run.platform_fault:
        return Fault.PLATFORM
    return Fault.USER if run.error else Fault.NONE


def _metered(run: Run, usage: Usage) -> dict[str, float]:
    """What `run` used, from the start of its process on: time in the queue is not among it.

    Rounded, so that a repetition after a crash says the same as what was stored.
    """
    return {
        "cpu_seconds": round(usage.cpu_seconds, 3),
        "memory_mb_seconds": round(usage.memory_mb * usage.wall_seconds, 3),
        "wall_seconds": round(usage.wall_seconds, 3),
        "storage_mb": round(sum(output.bytes for output in run.outputs) / _MB, 6),
        "transfer_mb": 0.0,
    }


def _check_budget(budget: int | None, *, least: int) -> None:
    if budget is not None and budget < least:
        mend = f"allow at least {least} millicredits, or ask for a quote first; what is not used is given back"
        raise Invalid(
            code="budget-too-small",
            message=f"with {budget} millicredits this run would be stopped before it could do anything",
            mend=mend,
            findings=[{"field": "budget_millicredits", "message": f"below {least}", "mend": mend}],
            extra={"least_millicredits": least},
        )
