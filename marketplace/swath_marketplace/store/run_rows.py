"""Between a run of the domain and a row of ``runs``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from swath_marketplace.domain.added_value import AddedValue
from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.runs import (
    Checkpoint,
    Desired,
    ErrorInfo,
    Estimate,
    OutputFile,
    RefusalInfo,
    Run,
    RunPurpose,
    RunStatus,
    SettlementKind,
    Stage,
    Usage,
)
from swath_marketplace.store.tables import runs

_ENDING = (Stage.RUNNING.value, Stage.COLLECTING.value, Stage.SETTLING.value)


def status_is(status: RunStatus) -> sa.ColumnElement[bool]:
    """The condition under which `Run.status` is `status`."""
    if status.terminal:
        return sa.and_(runs.c.stage == Stage.TERMINAL.value, runs.c.outcome == status.value)
    started, queued = runs.c.started_at.is_not(None), runs.c.queued_at.is_not(None)
    ending = runs.c.stage.in_(_ENDING)
    if status is RunStatus.RUNNING:
        return sa.and_(ending, started)
    if status is RunStatus.QUEUED:
        waits = runs.c.stage.in_([Stage.HELD.value, Stage.STARTING.value])
        return sa.or_(waits, sa.and_(ending, ~started, queued))
    return sa.or_(runs.c.stage == Stage.CREATED.value, sa.and_(ending, ~started, ~queued))


def run_of(row: sa.Row[Any]) -> Run:
    """The run in `row`."""
    return Run(
        id=row.id,
        algorithm_id=row.algorithm_id,
        owner=row.owner,
        name=row.name,
        version=row.version,
        digest=row.digest,
        caller=row.caller,
        parameters=row.parameters,
        resources=Resources.from_dict(row.resources),
        quote_millicredits=row.quote_millicredits,
        budget_millicredits=row.budget_millicredits,
        created_at=row.created_at,
        stage=Stage(row.stage),
        desired=Desired(row.desired),
        stopped_for=ErrorInfo.from_dict(row.stopped_for) if row.stopped_for else None,
        outcome=RunStatus(row.outcome) if row.outcome else None,
        settlement=SettlementKind(row.settlement) if row.settlement else None,
        handles=row.handles,
        error=ErrorInfo.from_dict(row.error) if row.error else None,
        refusal=RefusalInfo(**row.refusal) if row.refusal else None,
        platform_fault=row.platform_fault,
        progress=row.progress,
        usage=Usage(**row.usage) if row.usage else None,
        cost_millicredits=row.cost_millicredits,
        outputs=tuple(OutputFile(**output) for output in row.outputs),
        inputs=tuple(row.inputs),
        observation=row.observation,
        environment=row.environment,
        checkpoint=Checkpoint.from_dict(row.checkpoint) if row.checkpoint else None,
        queued_at=row.queued_at,
        admitted_at=row.admitted_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        estimate=Estimate(**row.estimate) if row.estimate else None,
        features=row.features or {},
        added_value=AddedValue.from_dict(row.added_value) if row.added_value else None,
        ceiling_millicredits=row.ceiling_millicredits,
        purpose=RunPurpose(row.purpose),
        kept_until=row.kept_until,
        results_expired_at=row.results_expired_at,
        generation=row.generation,
    )


def values_of(run: Run) -> dict[str, Any]:
    """What the reconciler writes of `run`: not what was asked, nor what is wanted, nor the lease."""
    return {
        "stage": run.stage.value,
        "quote_millicredits": run.quote_millicredits,
        "outcome": run.outcome.value if run.outcome else None,
        "settlement": run.settlement.value if run.settlement else None,
        "handles": dict(run.handles),
        "error": run.error.as_dict() if run.error else None,
        "refusal": run.refusal.as_dict() if run.refusal else None,
        "platform_fault": run.platform_fault,
        "progress": run.progress,
        "usage": run.usage.as_dict() if run.usage else None,
        "cost_millicredits": run.cost_millicredits,
        "added_value": run.added_value.as_dict() if run.added_value else None,
        "outputs": [output.as_dict() for output in run.outputs],
        "inputs": [dict(item) for item in run.inputs],
        "observation": dict(run.observation) if run.observation else None,
        "environment": dict(run.environment) if run.environment else None,
        "checkpoint": run.checkpoint.as_dict() if run.checkpoint else None,
        "queued_at": run.queued_at,
        "admitted_at": run.admitted_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }
