"""Doors of rounds, breaks, drift and notices."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from swath_marketplace.api.openapi.comparisons import Compared
from swath_marketplace.api.openapi.door import Door, Word, page_of


class ScenarioResult(Word):
    """What came of a scenario."""

    scenario: str
    outcome: str
    message: str
    run_ids: list[str]
    comparisons: dict[str, Compared]
    repeated: dict[str, Compared]
    cell: int | None
    wall_seconds: float | None
    cost_millicredits: int | None


class RoundRun(Word):
    """A run of a round, or why there is none."""

    scenario: str
    ordinal: int
    run: str | None
    failure: dict[str, str] | None


class EndedRound(Word):
    """A round that has ended."""

    id: str
    version_digest: str
    dossier_digest: str
    environment_lock_sha256: str
    trigger: str
    asked_by: str
    state: str
    green: bool | None
    started_at: datetime | None
    ended_at: datetime | None
    results: list[ScenarioResult]
    links: dict[str, str]


class Round(EndedRound):
    """A round as it stands."""

    algorithm: str
    version: str
    number: int
    asked_at: datetime
    runs: list[RoundRun]


class Break(Word):
    """A scenario that went red."""

    id: str
    algorithm: str
    version: str
    version_digest: str
    scenario: str
    message: str
    output: str | None
    cell: int | None
    comparison: Compared | None
    runs: list[str]
    opened_at: datetime
    closed_at: datetime | None
    closed_why: str | None
    links: dict[str, str | None]


class Notice(Word):
    """Something that the caller ought to know."""

    id: str
    kind: str
    text: str
    at: datetime
    read_at: datetime | None
    links: dict[str, str | None]


class Drift(Word):
    """How time, cost and outputs of each scenario moved."""

    scenarios: dict[str, dict[str, Any]]


_VERSION = "algorithms/{owner}/{name}/versions/{version}"

DOORS = {
    f"GET {_VERSION}/rounds": Door(
        id="list_rounds", answer=page_of("Rounds", "rounds", EndedRound, open=(list[Round], ...))
    ),
    f"POST {_VERSION}/rounds": Door(id="ask_round", answer=Round, refusals=(409,), leads={"get_round": "round_id=id"}),
    f"GET {_VERSION}/drift": Door(id="get_drift", answer=Drift),
    "GET rounds/{round_id}": Door(id="get_round", answer=Round),
    "GET rounds/{round_id}/pictures/{scenario}/{kind}/{name}": Door(id="get_round_picture", answer="image/png"),
    "GET breaks": Door(id="list_breaks", answer=page_of("Breaks", "breaks", Break)),
    "GET notices": Door(id="list_notices", answer=page_of("Notices", "notices", Notice)),
    "POST notices/{notice_id}/read": Door(id="read_notice", answer=Notice),
}
