"""Doors of runs, quotes and results."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from swath_marketplace.api.openapi.door import Door, Word, page_of
from swath_marketplace.domain.added_value import Per
from swath_marketplace.domain.keeping import ResultsState
from swath_marketplace.domain.runs import RunPurpose, RunStatus


class RunError(Word):
    """Why a run did not finish."""

    code: str
    message: str
    cell: int | None
    """0-based index of the cell in the notebook."""
    traceback: str | None


class RunRefusal(Word):
    """Why the wallet would not hold a run's price."""

    code: str
    message: str
    retry_at: datetime | None


class Estimate(Word):
    """What a run was foretold to cost, in millicredits, and to take."""

    quote_id: str
    p50: int
    p95: int
    upper: int
    hold: int
    ceiling: int
    p50_seconds: float
    p95_seconds: float
    basis: str
    """``history``, ``benchmark`` or ``cold-start``."""
    observations: int
    explanation: str
    price_version: str
    valid_until: datetime


class AddedValue(Word):
    """What the author gets."""

    per: Per
    millicredits: int


class Cost(Word):
    """What an ended run's cost was for."""

    resources_millicredits: int
    added_value_millicredits: int


class Usage(Word):
    """What a run took."""

    cpu_seconds: float
    wall_seconds: float
    memory_mb: int
    peak_memory_bytes: int


class Place(Word):
    """Where a waiting run stands."""

    runs_before: int
    wait_seconds: int | None


class Checkpoint(Word):
    """A running run was asked to save what it has."""

    code: str
    message: str
    asked_at: datetime


class Output(Word):
    """One output of a run; its bytes stand at `href`."""

    name: str
    media_type: str
    bytes: int
    sha256: str
    description: str
    href: str


class Run(Word):
    """One call of one version."""

    id: str
    algorithm: str
    owner: str
    name: str
    version: str
    digest: str
    caller: str
    purpose: RunPurpose
    status: RunStatus
    progress: float
    parameters: dict[str, Any]
    error: RunError | None
    refusal: RunRefusal | None
    quote_millicredits: int
    """What is held for it at most."""
    budget_millicredits: int | None
    ceiling_millicredits: int | None
    estimate: Estimate | None
    added_value: AddedValue | None
    cost_millicredits: int | None
    """Known when it has ended."""
    cost: Cost | None
    usage: Usage | None
    queue: Place | None
    checkpoint: Checkpoint | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    outputs: list[Output]
    results_state: ResultsState | None
    """Whether the outputs' files are there: ``expiring`` in their last week. Null while the run goes on."""
    kept_until: datetime | None
    """Until when they are kept; null: for ever, or it is being found out."""
    results_expired_at: datetime | None
    inputs: list[dict[str, Any]]
    observation: dict[str, Any] | None
    environment: dict[str, Any] | None
    links: dict[str, str]


class Quote(Word):
    """What a run would cost; amounts in millicredits."""

    algorithm: str
    version: str
    digest: str
    hold_millicredits: int
    ceiling_millicredits: int | None
    estimate: Estimate | None
    added_value: AddedValue | None


_OUTPUTS = {
    "type": "array",
    "title": "Outputs",
    "items": {"$ref": "#/components/schemas/Output"},
}
_TO_RUN = dict.fromkeys(
    ("get_run", "cancel_run", "get_log", "list_results", "get_receipt", "get_lineage_of_run", "reproduce_run"),
    "run_id=id",
)

DOORS = {
    "POST runs": Door(
        id="create_run",
        answer=Run,
        also={
            200: "The run that the same key and request made before, or one that has ended, as `Prefer` waits.",
            202: "It goes on, as `Prefer` agreed to.",
        },
        refusals=(402, 404, 409),
        leads=_TO_RUN,
    ),
    "POST quotes": Door(id="quote_run", answer=Quote, refusals=(404, 409)),
    "GET runs": Door(id="list_runs", answer=page_of("Runs", "runs", Run)),
    "GET runs/{run_id}": Door(id="get_run", answer=Run),
    "DELETE runs/{run_id}": Door(id="cancel_run", answer=Run),
    "GET runs/{run_id}/events": Door(id="follow_run", answer="text/event-stream"),
    "GET runs/{run_id}/log": Door(id="get_log", answer="text/plain", refusals=(410,)),
    "GET runs/{run_id}/results": Door(id="list_results", answer=_OUTPUTS),
    "GET runs/{run_id}/results/{name}": Door(
        id="get_result",
        answer="*/*",
        also={206: "Parts of it, as `Range` asks.", 304: "The caller has it: `If-None-Match` names its sha256."},
        refusals=(409, 410, 416),
    ),
    "HEAD runs/{run_id}/results/{name}": Door(id="head_result", answer="*/*", also={304: "Had."}, refusals=(409, 410)),
}
