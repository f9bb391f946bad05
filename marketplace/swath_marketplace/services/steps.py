"""One step of one run: what the reconciler does to it, each idempotent, each saved before the next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from swath_marketplace.domain import budgets, transitions
from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.endings import Ending
from swath_marketplace.domain.runs import Desired, ErrorInfo, Run, RunStatus, Stage, Usage
from swath_marketplace.executors.protocol import Executor, Observation, Package, Seen, StartFailed
from swath_marketplace.services.budgets import BudgetWatch
from swath_marketplace.services.collecting import Collector
from swath_marketplace.services.holds import Cashier, price_version_of
from swath_marketplace.store.runs import RunStore

log = logging.getLogger(__name__)


class Environments(Protocol):
    """What is installed where runs take place. Never raises."""

    def named(self, environment: Environment) -> Mapping[str, Any]: ...

    def at_start(self, environment: Environment) -> Mapping[str, Any]: ...

    def at_end(self, run: Run) -> Mapping[str, Any] | None: ...


class Packages(Protocol):
    """Where a run's version, notebook and environment come from. Raises on anything that is not as it was published."""

    def package_of(self, run: Run) -> Package: ...


class Stepper:
    """Brings a leased run forward.

    Every method may be repeated after a crash at any point: holds and settlements go by the run's id, a start finds
    what was started before, and each save is fenced by the run's generation.
    """

    def __init__(
        self,
        *,
        store: RunStore,
        executor: Executor,
        cashier: Cashier,
        collector: Collector,
        budgets: BudgetWatch,
        packages: Packages,
        environments: Environments,
        clock: Clock,
        on_end: Callable[[Run], None] | None = None,
    ) -> None:
        self._store = store
        self._executor = executor
        self._cashier = cashier
        self._collector = collector
        self._budgets = budgets
        self._packages = packages
        self._environments = environments
        self._clock = clock
        self._on_end = on_end

    def advance(self, run: Run) -> Run:
        """Take steps until the run waits for something: a slot, its process, or nothing more.

        Raises
        ------
        LeaseLost
            Another reconciler has it now.
        Unavailable
            The quota service does not answer; try again later.
        """
        while True:
            after = self._step(run)
            if after.stage is run.stage:
                return after
            run = after
            if run.terminal or (run.stage is Stage.HELD and run.desired is Desired.FINISHED):
                return run

    def give_up(self, run: Run) -> Run:
        """End a run that fails for reasons of ours, without a charge, once nothing of it runs any more."""
        if run.stage not in (Stage.STARTING, Stage.RUNNING, Stage.COLLECTING):
            return run
        self._executor.stop(run)
        if self._look(run).seen is Seen.RUNNING:
            return run
        if run.stage is Stage.RUNNING:
            run = self._store.save(transitions.process_over(run))
        why = ErrorInfo(code="internal", message="the platform failed while it worked on this run; nothing is charged")
        return self._end(run, Ending(outcome=RunStatus.ERROR, error=why, platform_fault=True))

    def _step(self, run: Run) -> Run:
        match run.stage:
            case Stage.CREATED:
                asked = self._cashier.ask(run)
                return self._store.save(asked, keep_lease=asked.stage is not Stage.HELD)
            case Stage.HELD:
                return self._store.save(transitions.unwanted(run))
            case Stage.STARTING:
                return self._start(run)
            case Stage.RUNNING:
                return self._watch(run)
            case Stage.COLLECTING:
                return self._collect(run)
            case Stage.SETTLING:
                self._forget(run)
                settled = self._cashier.settle(run)
                # While the run is still held on to: until this is stored the step is repeated, harmlessly.
                self._cashier.observe(settled)
                ended = self._store.save(settled)
                if self._on_end:
                    # After the money, and never in its way: it raises nothing, and what it misses is swept up.
                    self._on_end(ended)
                return ended
            case Stage.TERMINAL:
                return run

    def _start(self, run: Run) -> Run:
        if run.desired is Desired.CANCELED:
            self._executor.stop(run)
            if self._look(run).seen is Seen.NEVER:
                return self._store.save(transitions.unwanted(run))
        package = self._packages.package_of(run)
        if package.revoked is not None and self._look(run).seen is Seen.NEVER:
            # It was asked for in the moment in which its version was revoked.
            self._executor.stop(run)
            return self._store.save(transitions.never_started(run, RunStatus.ERROR, error=package.revoked))
        try:
            for handle in self._executor.start(run, package):
                run = self._store.save(transitions.with_handle(run, handle))
        except StartFailed as error:
            log.error("run %s could not be started: %s", run.id, error)
            why = ErrorInfo(
                code="failed-to-start", message="the run's sandbox could not be started; nothing is charged"
            )
            return self._end(run, Ending(outcome=RunStatus.ERROR, error=why, platform_fault=True))
        named = self._environments.named(package.environment)
        run = self._store.save(transitions.started(run, at=self._clock(), environment=named))
        # While the process already goes, and is told to go: to look through an environment may take a moment.
        found = self._environments.at_start(package.environment)
        return run if found == run.environment else self._store.save(transitions.in_environment(run, found))

    def _watch(self, run: Run) -> Run:
        if run.desired is Desired.CANCELED:
            self._executor.stop(run)
        if self._look(run).seen is Seen.RUNNING:
            return self._budgets.watch(run)
        return self._store.save(transitions.process_over(run))

    def _collect(self, run: Run) -> Run:
        collected = self._collector.collect(run, self._look(run).end)
        ending, usage = collected.ending, collected.usage
        if ending.error and ending.error.code in budgets.CODES:
            cost = self._cashier.cost(usage, price_version=price_version_of(run), added_value=run.added_value)
            cost = min(cost, run.quote_millicredits)
            told = budgets.finally_told(ending.error, held=run.quote_millicredits, cost=cost)
            ending = replace(ending, error=told)
        ended = transitions.ended(
            run,
            ending,
            usage=usage,
            outputs=collected.outputs,
            inputs=collected.inputs,
            observation=collected.observation,
            environment=self._environments.at_end(run),
        )
        return self._store.save(ended)

    def _forget(self, run: Run) -> None:
        try:
            self._executor.forget(run)
        except Exception:
            # A full disk, say. Files that stay are a lesser harm than credits that stay held.
            log.exception("what run %s left could not be cleared", run.id)

    def _end(self, run: Run, ending: Ending) -> Run:
        return self._store.save(
            transitions.ended(run, ending, usage=Usage(memory_mb=run.resources.memory_mb), outputs=())
        )

    def _look(self, run: Run) -> Observation:
        return self._executor.check([run])[run.id]
