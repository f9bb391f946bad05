"""Everything that is known about a version when it is assessed. Gathered by a service, judged by the criteria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from swath.contract.interface import Interface
from swath.contract.scenarios import Scenario

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.benchmarks import Round, ScenarioOutcome, ScenarioResult
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.reviews import Review
from swath_marketplace.domain.runs import RunStatus

CARD = "README.md"
LIFECYCLE = "LIFECYCLE.md"
_CONCLUSIVE = (ScenarioOutcome.GREEN, ScenarioOutcome.RED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A file of a dossier that people read."""

    sha256: str
    bytes: int
    text: str = ""
    """Empty for what is no UTF-8 text."""


class By(StrEnum):
    """Whose run it was."""

    OTHERS = "others"
    """Neither the author nor the platform, for a result of their own."""
    AUTHOR = "author"
    PLATFORM = "platform"
    """A benchmark, or a reproduction: made to look at the version, whoever asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFact:
    """What counts of a run that has ended."""

    run_id: str
    by: By
    caller: str
    outcome: RunStatus
    error_code: str | None = None
    platform_fault: bool = False
    cost_millicredits: int | None = None
    quoted_p95_millicredits: int | None = None
    """Of its quote: 95 of 100 such runs cost no more. ``None`` where there was no quote."""
    ended_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """What the largest run that finished was asked for."""

    run_id: str
    area_km2: float
    days: float
    """From the first day of its period to the last; 1 where it has no period."""

    @property
    def km2_days(self) -> float:
        """Area times days."""
        return self.area_km2 * self.days


@dataclass(frozen=True, kw_only=True, slots=True)
class Logging:
    """What the event log of one finished run tells."""

    run_id: str
    cells: int
    """Cells whose end it tells."""
    messages: int
    """Different messages of its own progress, as ``swath.progress`` tells them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Everything that is known about a version at one moment."""

    version: AlgorithmVersion
    interface: Interface
    now: datetime
    dossier: Dossier | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)
    """Of the dossier's own folder, by name: card, policy of its life, report of a validation."""
    results: Mapping[str, ScenarioResult] = field(default_factory=dict)
    """Scenario of the dossier -> its latest result that says something (`latest_results`)."""
    green_at: datetime | None = None
    """End of the last green round (`last_green`)."""
    runs: Sequence[RunFact] = ()
    """Runs that have ended, newest first, as many as any criterion looks at."""
    largest: Scale | None = None
    logging: Logging | None = None
    """Of the latest run that finished and has a log."""
    reviews: Sequence[Review] = ()
    sandboxed: bool = True
    """Whether runs are isolated here; an operator can give that up."""

    @property
    def card(self) -> str:
        """Text of the card; empty where there is none."""
        document = self.documents.get(CARD)
        return document.text if document else ""

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios of the dossier."""
        return self.dossier.scenarios if self.dossier else ()

    @property
    def accepting(self) -> tuple[Scenario, ...]:
        """Scenarios that bring something back."""
        return tuple(scenario for scenario in self.scenarios if scenario.refused is None)

    @property
    def refusing(self) -> tuple[Scenario, ...]:
        """Scenarios that must be refused."""
        return tuple(scenario for scenario in self.scenarios if scenario.refused is not None)


def latest_results(
    dossier: Dossier, *, dossiers: Sequence[Dossier], rounds: Sequence[Round], lock_sha256: str
) -> Mapping[str, ScenarioResult]:
    """Scenario of `dossier` -> its latest green or red result.

    A result counts for as long as its scenario reads the same, so that a new card does not make a version unproven.
    What was passed over, and what the platform failed at, says nothing about the version: an earlier result stands.

    Parameters
    ----------
    dossiers
        Every dossier of the version.
    rounds
        The version's, newest last.
    lock_sha256
        Of the version's environment; a round in another one says nothing.
    """
    found: dict[str, ScenarioResult] = {}
    for one in rounds:
        if one.environment_lock_sha256 != lock_sha256:
            continue
        same = _unchanged(dossier, one, dossiers)
        found |= {
            result.scenario: result
            for result in one.results
            if result.scenario in same and result.outcome in _CONCLUSIVE
        }
    return found


def last_green(
    dossier: Dossier, *, dossiers: Sequence[Dossier], rounds: Sequence[Round], lock_sha256: str
) -> datetime | None:
    """When the last green round ended in which every scenario of `dossier` was as it is now."""
    names = {scenario.name for scenario in dossier.scenarios}
    ends = [
        one.ended_at
        for one in rounds
        if one.green and one.environment_lock_sha256 == lock_sha256 and names <= _unchanged(dossier, one, dossiers)
    ]
    return max(ends, default=None)


def _unchanged(dossier: Dossier, one: Round, dossiers: Sequence[Dossier]) -> set[str]:
    """Names of the scenarios that were, in the round's dossier, what they are in `dossier`."""
    if one.dossier_digest == dossier.digest:
        return {scenario.name for scenario in dossier.scenarios}
    of_round = next((other for other in dossiers if other.digest == one.dossier_digest), None)
    then = {scenario.name: scenario for scenario in of_round.scenarios} if of_round else {}
    return {scenario.name for scenario in dossier.scenarios if then.get(scenario.name) == scenario}
