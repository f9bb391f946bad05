"""Reports: what a user says is wrong with an algorithm, a version or a review, and what an operator answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

#: Shorter than this nobody says what is wrong.
LEAST_CHARACTERS = 20
MOST_CHARACTERS = 5_000


class ReportKind(StrEnum):
    """What is wrong."""

    WRONG_RESULTS = "wrong-results"
    SECURITY = "security"
    LICENCE = "licence"
    ABUSE = "abuse"
    OTHER = "other"


class ReportState(StrEnum):
    """How far a report has come. An answered one changes no more."""

    OPEN = "open"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """One report by one user."""

    id: str
    kind: ReportKind
    algorithm_id: str
    owner: str
    name: str
    version: str | None = None
    digest: str | None = None
    review: int | None = None
    """Number of the review within its version, when it is of a review."""
    about: str
    """Whose it is: the author's, or, of a review, the reviewer's."""
    text: str
    reporter: str
    """Told to operators alone."""
    at: datetime
    state: ReportState = ReportState.OPEN
    answer: str | None = None
    answered_by: str | None = None
    answered_at: datetime | None = None

    @property
    def subject(self) -> str:
        """What it is about, in words."""
        path = f"{self.owner}/{self.name}" + (f" {self.version}" if self.version else "")
        return f"review {self.review} of {path}" if self.review is not None else path
