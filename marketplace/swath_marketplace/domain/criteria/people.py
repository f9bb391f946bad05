"""What people say who are not the author."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from swath_marketplace.domain.criteria.protocol import Finding, criterion
from swath_marketplace.domain.evidence import Evidence
from swath_marketplace.domain.reviews import ReviewKind, ReviewVerdict, in_force


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class TechnicalReview:
    """Somebody else looked at code, interface and scenarios."""

    key: ClassVar[str] = "technical-review"
    title: ClassVar[str] = "A technical review"
    least: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether enough reviewers approve and none rejects."""
        return _reviewed(evidence, ReviewKind.TECHNICAL, least=self.least)


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionalReview:
    """Somebody else looked at method and results."""

    key: ClassVar[str] = "functional-review"
    title: ClassVar[str] = "A functional review"
    least: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether enough reviewers approve and none rejects."""
        return _reviewed(evidence, ReviewKind.FUNCTIONAL, least=self.least)


def _reviewed(evidence: Evidence, kind: ReviewKind, *, least: int) -> Finding:
    found = in_force(evidence.reviews, kind, author=evidence.version.owner)
    approved = [one.reviewer for one in found if one.verdict is ReviewVerdict.APPROVE]
    rejected = [one.reviewer for one in found if one.verdict is ReviewVerdict.REJECT]
    if rejected:
        told, mend = f"rejected by {rejected[0]}", "mend what the review says and ask its writer to look again"
    else:
        told = f"{len(approved)} {kind.value} reviews approve; asked for: {least}"
        mend = f"ask one of the operator's reviewers for a {kind.value} review (swath review)"
    return Finding(
        met=not rejected and len(approved) >= least,
        told=told,
        mend=mend,
        evidence={"approved_by": approved[:20], "rejected_by": rejected[:20]},
    )
