"""Watching what running runs cost: holds are extended in time, or the run is asked to checkpoint and then stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass

from swath_quota.client import HoldStatus, Prices, QuotaClient, Refusal
from swath_service.errors import SwathError, Unavailable

from swath_marketplace.domain import budgets, transitions
from swath_marketplace.domain.budgets import BUDGET_REACHED, CREDITS_EXHAUSTED, Account, Need, Price, Spending
from swath_marketplace.domain.clock import Clock, iso
from swath_marketplace.domain.runs import Checkpoint, Desired, Run
from swath_marketplace.executors.protocol import Executor, Going
from swath_marketplace.services.tariff import price_with
from swath_marketplace.store.runs import RunStore

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
#: After a wallet said no, it is asked again so much later, or at the last moment.
_REFUSED_SECONDS = 15.0
_MARGIN_SECONDS = 7 * 24 * 3600


@dataclass
class _Watched:
    """What is known of a run between two looks."""

    looked_at: float = 0.0
    prices: Prices | None = None
    """Those that its hold was placed under."""
    refused_at: float = float("-inf")


class BudgetWatch:
    """Sees to it that no running run outgrows what is held for it.

    Everything that matters is saved in the run, in the quota service or in the run's folder: a watch that begins anew
    goes on where the last one died. A quota service that does not answer stops no run; what such a run uses beyond its
    hold is not charged.

    Parameters
    ----------
    grace_seconds
        From the request for a checkpoint to the stop.
    """

    def __init__(
        self, *, quota: QuotaClient, executor: Executor, store: RunStore, clock: Clock, grace_seconds: float
    ) -> None:
        self._quota = quota
        self._executor = executor
        self._store = store
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}

    @property
    def ending_seconds(self) -> float:
        """How long a run may go on after it has to be asked to checkpoint."""
        return budgets.ending_seconds(grace_seconds=self._grace_seconds, stop_seconds=self._executor.stop_seconds)

    def due(self, run: Run) -> bool:
        """Whether it is time to look at `run` again."""
        with self._lock:
            watched = self._watched.setdefault(run.id, _Watched())
            now = time.monotonic()
            if now - watched.looked_at < _LOOK_SECONDS:
                return False
            watched.looked_at = now
            return True

    def watch(self, run: Run) -> Run:
        """`run`, which is running, after a look at what it costs: saved, when that changed anything.

        Raises
        ------
        LeaseLost
        """
        if run.desired is not Desired.FINISHED:
            return run
        going = self._executor.usage(run)
        if run.checkpoint is None and going is not None:
            run = self._account_for(run, going)
        if run.checkpoint is not None:
            self._see_through(run, run.checkpoint, going)
        return run

    def forget(self, held: Collection[str]) -> None:
        """Drop what is kept of runs other than `held`."""
        with self._lock:
            for run_id in self._watched.keys() - set(held):
                del self._watched[run_id]

    def _account_for(self, run: Run, going: Going) -> Run:
        with self._lock:
            watched = self._watched.setdefault(run.id, _Watched())
        try:
            run = self._acquainted(run, watched)
        except SwathError as error:
            log.warning("what run %s costs cannot be told: %s", run.id, error.code)
            return run
        assert watched.prices is not None
        price = price_with(watched.prices, run.added_value)
        account = _account(run, price)
        now = budgets.spending(
            run.resources,
            price,
            cpu_seconds=going.cpu_seconds,
            wall_seconds=going.wall_seconds,
            ending_seconds=min(self.ending_seconds, self._left(run, going)),
        )
        match budgets.need(account, now):
            case Need.NOTHING:
                return run
            case Need.CHECKPOINT:
                return self._ask(run, going, BUDGET_REACHED)
            case Need.EXTENSION:
                soon = time.monotonic() - watched.refused_at < _REFUSED_SECONDS
                return run if soon else self._extend(run, watched, account=account, now=now)[0]
            case Need.EXTENSION_NOW:
                return self._extend_or_ask(run, watched, going=going, now=now, account=account)

    def _extend_or_ask(self, run: Run, watched: _Watched, *, going: Going, now: Spending, account: Account) -> Run:
        run, answered = self._extend(run, watched, account=account, now=now)
        still = now.at_end >= run.quote_millicredits and run.quote_millicredits < account.ceiling
        if not (answered and still):
            return run
        return self._ask(run, going, BUDGET_REACHED if run.quote_millicredits >= account.most else CREDITS_EXHAUSTED)

    def _extend(self, run: Run, watched: _Watched, *, account: Account, now: Spending) -> tuple[Run, bool]:
        """`run` after more was asked for, and whether the quota service answered."""
        wanted = budgets.extended(account, now)
        answer: int | Refusal | None
        try:
            answer = self._ask_wallet(run, wanted)
            if isinstance(answer, Refusal) and answer.left > 0 and run.quote_millicredits + answer.left < wanted:
                # All that there is, then.
                answer = self._ask_wallet(run, run.quote_millicredits + answer.left)
        except Unavailable as error:
            log.warning("the hold of run %s cannot be extended now: %s", run.id, error.code)
            return run, False
        except SwathError as error:
            # An answer, too: the hold is gone, or its payer may not spend any more.
            log.warning("the hold of run %s is not extended: %s", run.id, error.code)
            answer = None
        if not isinstance(answer, int):
            watched.refused_at = time.monotonic()
            return run, True
        return self._store.save(transitions.hold_extended(run, answer)), True

    def _ask_wallet(self, run: Run, amount: int) -> int | Refusal:
        lasting = run.resources.wall_seconds + _MARGIN_SECONDS
        answer = self._quota.extend(run.hold_id, expires_in_seconds=lasting, amount=amount)
        return answer if isinstance(answer, Refusal) else answer.amount

    def _acquainted(self, run: Run, watched: _Watched) -> Run:
        """Learn what the run's hold is; a watch that died after an extension may not have saved it."""
        if watched.prices is not None:
            return run
        hold = self._quota.get_hold(run.hold_id)
        watched.prices = self._quota.prices((hold.price_version or None) if hold else None)
        if hold is None or hold.status is not HoldStatus.HELD or hold.amount <= run.quote_millicredits:
            return run
        return self._store.save(transitions.hold_extended(run, hold.amount))

    def _ask(self, run: Run, going: Going, code: str) -> Run:
        what = "its budget" if code == BUDGET_REACHED else "what the wallet holds for it"
        checkpoint = Checkpoint(
            code=code,
            message=f"{what}, {budgets.credits_of(run.quote_millicredits)} credits, is nearly used; "
            f"the run is stopped in {self._grace_seconds:g} s",
            asked_at=self._clock(),
            stop_after_seconds=going.wall_seconds + self._grace_seconds,
        )
        log.info("run %s is asked to checkpoint: %s", run.id, code)
        return self._store.save(transitions.checkpoint_asked(run, checkpoint))

    def _see_through(self, run: Run, checkpoint: Checkpoint, going: Going | None) -> None:
        told = {"code": checkpoint.code, "message": checkpoint.message, "asked_at": iso(checkpoint.asked_at)}
        # Saved before it is told, and told again after a crash in between.
        self._executor.ask_checkpoint(run, told)
        if going is not None:
            over = going.wall_seconds >= checkpoint.stop_after_seconds
        else:
            over = (self._clock() - checkpoint.asked_at).total_seconds() >= self._grace_seconds
        if over:
            self._executor.stop(run)

    def _left(self, run: Run, going: Going) -> float:
        """How long it can go on at all: to its time limit and the end of a stop."""
        return max(0.0, run.resources.wall_seconds - going.wall_seconds) + self._executor.stop_seconds


def _account(run: Run, price: Price) -> Account:
    resources = run.resources
    return Account(
        held=run.quote_millicredits,
        budget=run.budget_millicredits,
        ceiling=price(resources.cpus * resources.wall_seconds, float(resources.memory_mb * resources.wall_seconds)),
    )
