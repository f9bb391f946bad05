"""Two runs beside each other: what the comparison of their outputs found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from swath.contract.comparison import Comparison, Tolerance, Verdict, worst

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
