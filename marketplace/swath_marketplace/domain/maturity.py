"""How mature a version is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from swath_marketplace.domain.algorithms import AlgorithmVersion


class MaturityLevel(StrEnum):
    """Lowest first."""

    PROTOTYPE = "prototype"
    INCUBATING = "incubating"
    VERIFIED = "verified"
    VALIDATED = "validated"
    OPERATIONAL = "operational"

    @property
    def rank(self) -> int:
        """0 for the lowest."""
        return _RANKS[self]

    @property
    def may_earn(self) -> bool:
        """Whether an author may ask for added value."""
        return self.rank >= EARNING_FROM.rank


_RANKS = {level: rank for rank, level in enumerate(MaturityLevel)}
#: What no mark says.
LOWEST = MaturityLevel.PROTOTYPE
#: The lowest level that earns.
EARNING_FROM = MaturityLevel.VERIFIED


@dataclass(frozen=True, kw_only=True, slots=True)
class MaturityMark:
    """That somebody set the level of a version. Appended, never changed; the latest counts."""

    algorithm_id: str
    digest: str
    """Of the version."""
    sequence: int
    """Number of the mark within its version, from 1."""
    level: MaturityLevel
    reason: str
    set_by: str
    at: datetime


class MaturitySource(Protocol):
    """Where the level of a version comes from.

    Promises: answers what holds now, so that a level which falls counts for the next run; never remembers.
    """

    def level_of(self, version: AlgorithmVersion) -> MaturityLevel:
        """The level of `version`; `LOWEST` where nobody said anything."""
        ...
