"""The card of an algorithm: everything by which somebody judges whether to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from swath.contract.diff import InterfaceDiff
from swath.contract.interface import Interface
from swath.contract.semver import Bump

from swath_marketplace.domain.added_value import AddedValuePrice
from swath_marketplace.domain.algorithms import Algorithm, AlgorithmVersion
from swath_marketplace.domain.assessments import Standing
from swath_marketplace.domain.citing import Citation
from swath_marketplace.domain.dossiers import Dossier
from swath_marketplace.domain.maturity import MaturityLevel
from swath_marketplace.domain.reviews import Review
from swath_marketplace.domain.runs import OutputFile
from swath_marketplace.domain.statistics import Statistics


@dataclass(frozen=True, kw_only=True, slots=True)
class ExampleOutput:
    """One real output of the example."""

    file: OutputFile
    kept: bool
    """Whether the file is still here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A scenario of the version that the platform has run, with what came of it. Everybody may see it."""

    scenario: str
    title: str
    parameters: Mapping[str, Any]
    """Bound: defaults filled in. The scenario's, which stand in the dossier for everybody; nobody's own."""
    round_id: str
    run_id: str
    """Of the platform; to others than operators it is not there, only its outputs are."""
    ended_at: datetime
    outputs: tuple[ExampleOutput, ...]
    wall_seconds: float | None
    cost_millicredits: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionNote:
    """One version in the list of versions."""

    version: AlgorithmVersion
    level: MaturityLevel
    changelog: str
    """The author's words, Markdown; empty where there are none."""
    computed: Sequence[str]
    """What can be told without the author."""
    predecessor: AlgorithmVersion | None
    """The next lower version, yanked or not; ``None`` for the first."""
    changes: InterfaceDiff | None
    """Of the interface, since the predecessor."""
    bump: Bump | None
    """The step that the number took."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What is asked for the algorithm, and what a run of the example would cost whoever looks."""

    asked: AddedValuePrice | None
    quote: Mapping[str, Any] | None
    """In millicredits: ``p50``, ``p95``, ``hold``, ``ceiling``, ``added_value``; ``None`` where none can be had now."""
    why_none: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """Everything about one version of an algorithm."""

    algorithm: Algorithm
    version: AlgorithmVersion
    interface: Interface
    dossier: Dossier | None
    readme: str
    """The author's card, Markdown; empty where there is none."""
    standing: Standing
    reviews: Sequence[Review]
    example: Example | None
    versions: Sequence[VersionNote]
    """Newest first."""
    statistics: Statistics
    price: Price
    citation: Citation
    favourite: bool
    follows: bool
