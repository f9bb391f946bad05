"""Rounds of benchmarks: every scenario of a version run by the platform, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

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

    @property
    def green(self) -> bool:
        """Whether it is a green re-run: something was green and nothing was red or unknown."""
        outcomes = {result.outcome for result in self.results}
        return ScenarioOutcome.GREEN in outcomes and outcomes <= {ScenarioOutcome.GREEN, ScenarioOutcome.PASSED_OVER}
