"""Two runs beside each other, or two versions: what their comparison found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from swath.contract.comparison import Comparison, Tolerance, Verdict, worst
from swath.contract.diff import InterfaceDiff

from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.runs import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class RunComparison:
    """One run held against another."""

    expected: Run
    """What counts as right."""
    found: Run
    comparisons: Mapping[str, Comparison]
    """Output -> what was found; also of outputs that one of the two alone has."""
    tolerances: Mapping[str, Tolerance]
    """Output -> what it was allowed to be apart."""
    scenario: str | None = None
    """Whose tolerances those are, where they are a scenario's."""

    @property
    def verdict(self) -> Verdict:
        """The worst of the outputs'."""
        return worst(self.comparisons)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScenarioComparison:
    """What two versions brought back for the scenario of one name."""

    runs: RunComparison | None
    """Of the first runs of their latest rounds; ``None`` where they cannot be held against each other."""
    message: str = ""
    """Why not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionComparison:
    """One version held against another of the same algorithm."""

    expected: AlgorithmVersion
    """What counts as right: as a rule the older one."""
    found: AlgorithmVersion
    interface: InterfaceDiff
    """From `expected` to `found`."""
    scenarios: Mapping[str, ScenarioComparison]
    """Of every scenario that the latest round of one of the two went through."""

    @property
    def same_notebook(self) -> bool:
        """Whether both are the very same notebook."""
        return self.expected.notebook_sha256 == self.found.notebook_sha256

    @property
    def same_environment(self) -> bool:
        """Whether both run with the same packages."""
        return self.expected.environment_lock_sha256 == self.found.environment_lock_sha256
