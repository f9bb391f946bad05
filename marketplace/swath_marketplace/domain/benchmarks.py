"""Rounds of benchmarks: every scenario of a version run by the platform, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from swath.contract.comparison import Comparison


class Trigger(StrEnum):
    """Why a round was made."""

    PUBLISH = "publish"
    """A version or its dossier is new."""
    SCHEDULE = "schedule"
    ASKED = "asked"
    """By the author or an operator."""


class ScenarioOutcome(StrEnum):
    """What came of a scenario."""

    GREEN = "green"
    """Both runs brought back what they had to, and the same; or the call was refused as it had to be."""
    RED = "red"
    """The version did not do what the scenario says."""
    PASSED_OVER = "passed-over"
    """The archive next door lacks a collection that it needs."""
    UNKNOWN = "unknown"
    """The platform was at fault; says nothing about the version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenarioResult:
    """One scenario of one round."""

    scenario: str
    outcome: ScenarioOutcome
    message: str
    """One sentence: what came, and if it is red which output or cell failed."""
    run_ids: tuple[str, ...] = ()
    """Its runs, in the order of their start: two from the same lock in a clean room, compared with the references and
    with each other. A scenario that is refused before it runs has none."""
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    """Output -> the first run's against the reference."""
    repeated: Mapping[str, Comparison] = field(default_factory=dict)
    """Output -> the second run's against the first's."""
    cell: int | None = None
    """0-based cell that failed, where one did."""
    wall_seconds: float | None = None
    """Median over its runs."""
    cost_millicredits: int | None = None
    """Median over its runs, as their settlement took it."""

    @property
    def failing(self) -> tuple[str, Comparison] | None:
        """The first output that is not as it has to be, and what its comparison found; the reference counts first."""
        found = [*self.comparisons.items(), *self.repeated.items()]
        return next(((name, one) for name, one in found if not one.verdict.same), None)

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "scenario": self.scenario,
            "outcome": self.outcome.value,
            "message": self.message,
            "run_ids": list(self.run_ids),
            "comparisons": {name: one.as_dict() for name, one in self.comparisons.items()},
            "repeated": {name: one.as_dict() for name, one in self.repeated.items()},
            "cell": self.cell,
            "wall_seconds": self.wall_seconds,
            "cost_millicredits": self.cost_millicredits,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ScenarioResult:
        """The result that `as_dict` wrote."""
        return cls(
            scenario=data["scenario"],
            outcome=ScenarioOutcome(data["outcome"]),
            message=data["message"],
            run_ids=tuple(data["run_ids"]),
            comparisons={name: Comparison.from_dict(one) for name, one in data["comparisons"].items()},
            repeated={name: Comparison.from_dict(one) for name, one in data["repeated"].items()},
            cell=data["cell"],
            wall_seconds=data["wall_seconds"],
            cost_millicredits=data["cost_millicredits"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One round over all scenarios of a version's dossier. Appended when it has ended, never changed."""

    id: str
    algorithm_id: str
    version_digest: str
    dossier_digest: str
    environment_lock_sha256: str
    trigger: Trigger
    asked_by: str
    started_at: datetime
    ended_at: datetime
    results: tuple[ScenarioResult, ...]
    number: int = 0
    """Within its version, from 1."""

    @property
    def green(self) -> bool:
        """Whether it is a green re-run: something was green and nothing was red or unknown."""
        outcomes = {result.outcome for result in self.results}
        return ScenarioOutcome.GREEN in outcomes and outcomes <= {ScenarioOutcome.GREEN, ScenarioOutcome.PASSED_OVER}


class RoundState(StrEnum):
    """How far a round is."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A round as it was asked for; it stands from then on, ended or not."""

    id: str
    algorithm_id: str
    owner: str
    name: str
    version: str
    version_digest: str
    dossier_digest: str
    environment_lock_sha256: str
    trigger: Trigger
    asked_by: str
    asked_at: datetime
    number: int = 0
    """Within its version, from 1; given by the store."""
    state: RoundState = RoundState.WAITING
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def path(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"

    def as_round(self, results: tuple[ScenarioResult, ...], *, ended_at: datetime) -> Round:
        """The round that it has become.

        Raises
        ------
        ValueError
            It never began.
        """
        if self.started_at is None:
            raise ValueError(f"round {self.id} never began")
        return Round(
            id=self.id,
            algorithm_id=self.algorithm_id,
            version_digest=self.version_digest,
            dossier_digest=self.dossier_digest,
            environment_lock_sha256=self.environment_lock_sha256,
            trigger=self.trigger,
            asked_by=self.asked_by,
            started_at=self.started_at,
            # A clock that was put back makes no round end before it began.
            ended_at=max(ended_at, self.started_at),
            results=results,
            number=self.number,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundRun:
    """One of the runs of a round's scenario: the run, or why there is none."""

    scenario: str
    ordinal: int
    """0 for the first, 1 for its repetition."""
    run_id: str | None = None
    failure: Mapping[str, str] | None = None
    """``code`` and ``message`` of why it could not be made."""


def run_key(round_id: str, scenario: str, ordinal: int) -> str:
    """The idempotency key of a scenario's run: a crash after it was made finds the very same run again."""
    return f"round:{round_id}:{scenario}:{ordinal}"
