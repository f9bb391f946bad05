"""A run's changes keep the invariants, whatever order they are tried in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swath_marketplace.domain import transitions
from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.endings import Ending
from swath_marketplace.domain.runs import ErrorInfo, RefusalInfo, Run, RunStatus, SettlementKind, Stage, Usage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def new_run(**changes: object) -> Run:
    given_: dict[str, object] = {
        "id": "a1",
        "algorithm_id": "x",
        "owner": "ada",
        "name": "double",
        "version": "1.0.0",
        "digest": "sha256:0",
        "caller": "bob",
        "parameters": {},
        "resources": Resources(),
        "quote_millicredits": 1000,
        "created_at": NOW,
    }
    return Run(**{**given_, **changes})  # type: ignore[arg-type]


FINISHED = Ending(outcome=RunStatus.FINISHED)
FAILED = Ending(outcome=RunStatus.ERROR, error=ErrorInfo(code="cell-failed", message="no"))
FAULT = Ending(outcome=RunStatus.ERROR, error=ErrorInfo(code="runner-lost", message="no"), platform_fault=True)


def ended(run: Run, ending: Ending) -> Run:
    return transitions.ended(run, ending, usage=Usage(), outputs=())


STEPS = {
    "refused": lambda run: transitions.refused(run, RefusalInfo(code="no", message="no"), at=NOW),
    "held": lambda run: transitions.held(run, at=NOW),
    "slotted": lambda run: transitions.slotted(run, at=NOW),
    "handle": lambda run: transitions.with_handle(run, {"pid": 1}),
    "started": lambda run: transitions.started(run, at=NOW),
    "over": transitions.process_over,
    "finished": lambda run: ended(run, FINISHED),
    "failed": lambda run: ended(run, FAILED),
    "fault": lambda run: ended(run, FAULT),
    "canceled": lambda run: transitions.never_started(run, RunStatus.CANCELED),
    "captured": lambda run: transitions.settled(run, SettlementKind.CAPTURED, captured=500, at=NOW),
    "overcharged": lambda run: transitions.settled(run, SettlementKind.CAPTURED, captured=1001, at=NOW),
    "released": lambda run: transitions.settled(run, SettlementKind.RELEASED, captured=0, at=NOW),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=30))
def test_any_order_of_steps_keeps_the_invariants(names: list[str]) -> None:
    run, terminal_seen = new_run(), None
    for name in names:
        try:
            run = STEPS[name](run)
        except transitions.ForbiddenTransition:
            continue
        assert terminal_seen is None, "a terminal run changed"
        assert run.terminal == (run.settlement is not None)
        if run.terminal:
            terminal_seen = name
            assert run.status.terminal
            assert run.cost_millicredits is not None
            assert 0 <= run.cost_millicredits <= run.quote_millicredits
            assert (run.status is RunStatus.FINISHED) == (run.error is None and run.refusal is None) or (
                run.status is RunStatus.CANCELED
            )
        else:
            assert not run.status.terminal, "nobody is told an end before it is settled"
            assert run.cost_millicredits is None, "nor what it costs"


def test_the_walk_of_a_run_that_finishes() -> None:
    run = new_run()
    told = [run.status.value]
    for name in ("held", "slotted", "handle", "started", "over", "finished", "captured"):
        run = STEPS[name](run)
        told.append(run.status.value)
    assert told == ["created", "queued", "queued", "queued", "running", "running", "running", "finished"]
    assert run.cost_millicredits == 500
    assert run.handles == {"pid": 1}


def test_cost_never_exceeds_what_is_held() -> None:
    run = new_run()
    for name in ("held", "slotted", "started", "over", "failed"):
        run = STEPS[name](run)
    with pytest.raises(transitions.ForbiddenTransition):
        STEPS["overcharged"](run)
    assert transitions.settled(run, SettlementKind.CAPTURED, captured=1000, at=NOW).cost_millicredits == 1000


def test_a_fault_of_the_platform_is_released() -> None:
    run = new_run()
    for name in ("held", "slotted", "started", "over", "fault", "released"):
        run = STEPS[name](run)
    assert (run.cost_millicredits, run.platform_fault) == (0, True)


@pytest.mark.parametrize("stage", [Stage.CREATED, Stage.HELD, Stage.STARTING, Stage.RUNNING])
def test_nothing_is_settled_before_its_end_is_decided(stage: Stage) -> None:
    run = new_run()
    for name in ("held", "slotted", "started")[: list(Stage).index(stage)]:
        run = STEPS[name](run)
    assert run.stage is stage
    for name in ("captured", "released"):
        with pytest.raises(transitions.ForbiddenTransition):
            STEPS[name](run)


def test_a_refused_run_never_had_a_hold() -> None:
    with pytest.raises(transitions.ForbiddenTransition):
        STEPS["refused"](STEPS["held"](new_run()))
