"""Which change of a run is allowed: pure functions from a run to the run after it, and the invariants they keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from swath_marketplace.domain.endings import Ending
from swath_marketplace.domain.runs import (
    Checkpoint,
    ErrorInfo,
    OutputFile,
    RefusalInfo,
    Run,
    RunStatus,
    SettlementKind,
    Stage,
    Usage,
)

#: From each stage, the stages a run may enter. A run never goes back.
ALLOWED: Mapping[Stage, frozenset[Stage]] = {
    Stage.CREATED: frozenset({Stage.HELD, Stage.SETTLING, Stage.TERMINAL}),
    Stage.HELD: frozenset({Stage.STARTING, Stage.SETTLING}),
    Stage.STARTING: frozenset({Stage.STARTING, Stage.RUNNING, Stage.COLLECTING, Stage.SETTLING}),
    Stage.RUNNING: frozenset({Stage.RUNNING, Stage.COLLECTING}),
    Stage.COLLECTING: frozenset({Stage.SETTLING}),
    Stage.SETTLING: frozenset({Stage.TERMINAL}),
    Stage.TERMINAL: frozenset(),
}


class ForbiddenTransition(Exception):
    """A change that no run may make; it is a fault of the program."""


def check(run: Run) -> Run:
    """`run`, when it keeps the invariants.

    Raises
    ------
    ForbiddenTransition
        Naming the invariant that is broken.
    """
    terminal = run.stage is Stage.TERMINAL
    if terminal != (run.settlement is not None):
        raise ForbiddenTransition("a run is terminal if and only if it was refused or settled")
    if run.stage in (Stage.SETTLING, Stage.TERMINAL) and (run.outcome is None or not run.outcome.terminal):
        raise ForbiddenTransition("a run that is settled has an outcome")
    if run.outcome is RunStatus.FINISHED and (run.error or run.refusal):
        raise ForbiddenTransition("a finished run has no error")
    if run.outcome is RunStatus.ERROR and not (run.error or run.refusal):
        raise ForbiddenTransition("a run that ended in error says why")
    if (run.settlement is SettlementKind.REFUSED) != (terminal and run.refusal is not None):
        raise ForbiddenTransition("a run is refused if and only if it holds a refusal")
    if terminal != (run.cost_millicredits is not None):
        raise ForbiddenTransition("what a run costs is known if and only if it was refused or settled")
    if run.cost_millicredits is not None and not 0 <= run.cost_millicredits <= run.quote_millicredits:
        raise ForbiddenTransition("a run never costs more than was held")
    return run


def _enter(run: Run, stage: Stage, **changes: Any) -> Run:
    if stage not in ALLOWED[run.stage]:
        raise ForbiddenTransition(f"a run does not go from {run.stage.value} to {stage.value}")
    return check(replace(run, stage=stage, **changes))


def refused(run: Run, refusal: RefusalInfo, *, at: datetime) -> Run:
    """The wallet said no: the end, without a hold and without a charge."""
    return _enter(
        run,
        Stage.TERMINAL,
        outcome=RunStatus.ERROR,
        refusal=refusal,
        settlement=SettlementKind.REFUSED,
        cost_millicredits=0,
        ended_at=at,
    )


def held(run: Run, *, at: datetime) -> Run:
    """Its price is held; it waits for a slot."""
    return _enter(run, Stage.HELD, queued_at=at)


def slotted(run: Run, *, at: datetime) -> Run:
    """It was given a slot; the intention to start is saved before anything is started."""
    return _enter(run, Stage.STARTING, admitted_at=at)


def with_handle(run: Run, handle: Mapping[str, Any]) -> Run:
    """Another handle is there to be saved; handles accumulate."""
    return _enter(run, run.stage, handles={**run.handles, **handle})


def started(run: Run, *, at: datetime, environment: Mapping[str, Any] | None = None) -> Run:
    """Its process is there and every handle is saved; `environment` is what is installed there."""
    return _enter(run, Stage.RUNNING, started_at=run.started_at or at, environment=run.environment or environment)


def in_environment(run: Run, environment: Mapping[str, Any]) -> Run:
    """What is installed where it runs was looked at."""
    return _enter(run, run.stage, environment=environment)


def hold_extended(run: Run, amount: int) -> Run:
    """More is held for it while it runs: `amount` in all, never less than before."""
    return _enter(run, run.stage, quote_millicredits=max(amount, run.quote_millicredits))


def checkpoint_asked(run: Run, checkpoint: Checkpoint) -> Run:
    """It is asked to save what it has; the first request stands."""
    if run.stage is not Stage.RUNNING:
        raise ForbiddenTransition("only a running run is asked to checkpoint")
    return run if run.checkpoint else _enter(run, Stage.RUNNING, checkpoint=checkpoint)


def process_over(run: Run) -> Run:
    """Its process is gone, however it went."""
    return _enter(run, Stage.COLLECTING)


def ended(
    run: Run,
    ending: Ending,
    *,
    usage: Usage,
    outputs: tuple[OutputFile, ...],
    inputs: tuple[Mapping[str, Any], ...] = (),
    observation: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
) -> Run:
    """How it ended and what it used is decided; what that costs is decided by the settlement."""
    return _enter(
        run,
        Stage.SETTLING,
        outcome=ending.outcome,
        error=ending.error,
        platform_fault=ending.platform_fault,
        usage=usage,
        outputs=outputs,
        inputs=inputs,
        observation=observation,
        environment=environment or run.environment,
        progress=1.0 if ending.outcome is RunStatus.FINISHED else run.progress,
    )


def never_started(run: Run, outcome: RunStatus, *, error: ErrorInfo | None = None) -> Run:
    """It ends before any process of it existed: nothing is owed."""
    return _enter(run, Stage.SETTLING, outcome=outcome, error=error, platform_fault=error is not None)


def unwanted(run: Run) -> Run:
    """Its end was wanted before any process of it existed: by its caller, or for a reason that it ends with."""
    if run.stopped_for is None:
        return never_started(run, RunStatus.CANCELED)
    return never_started(run, RunStatus.ERROR, error=run.stopped_for)


def settled(run: Run, kind: SettlementKind, *, captured: int, at: datetime, added: int = 0) -> Run:
    """The hold is settled: the end; `added` of what was captured was for the author's added value."""
    terms = replace(run.added_value, paid=added) if run.added_value else None
    return _enter(run, Stage.TERMINAL, settlement=kind, cost_millicredits=captured, added_value=terms, ended_at=at)
