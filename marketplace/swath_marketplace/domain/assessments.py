"""Assessments: what the criteria said of a version at one time; and the level that follows from them.

The level of a version is a pure function of its assessments, of an operator's latest mark and of the time. It is the
highest level L such that

- the latest assessment meets every criterion of every level up to L, and
- for each of those levels that asks for fresh proof, the last green round ended less than its days before now, and
- L is no higher than the mark, where there is one,

or `LOWEST` where no level is. So it rises with the assessment that shows what was missing, falls with the one that
does not show it any more, and expires by itself when no round turns green. Nobody applies for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from swath_marketplace.domain.criteria.protocol import Criterion
from swath_marketplace.domain.evidence import Evidence
from swath_marketplace.domain.maturity import LOWEST, MaturityLevel, MaturityMark


class Cause(StrEnum):
    """Why an assessment was made."""

    PUBLISH = "publish"
    DOSSIER = "dossier"
    """Files beside the version changed."""
    ROUND = "round"
    """A round of its benchmarks ended."""
    REVIEW = "review"
    CRITERIA = "criteria"
    """The criteria file is another one."""
    CLOCK = "clock"
    """It was time to look at its runs again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelCriteria:
    """What one level asks for beyond those below it."""

    level: MaturityLevel
    criteria: tuple[Criterion, ...]
    fresh_days: int | None = None
    """Without a green round in so many days the level is lost; ``None``: nothing expires."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CriteriaFile:
    """One version of what the levels ask for."""

    version: str
    sha256: str
    """Of the file, hexadecimal."""
    levels: tuple[LevelCriteria, ...]
    """Every level once, lowest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one criterion said."""

    level: MaturityLevel
    """That asks for it."""
    criterion: str
    title: str
    met: bool
    told: str
    mend: str
    """Empty when it is met."""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "level": self.level.value,
            "criterion": self.criterion,
            "title": self.title,
            "met": self.met,
            "told": self.told,
            "mend": self.mend,
            "evidence": dict(self.evidence),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        """What `as_dict` wrote."""
        return cls(**{**data, "level": MaturityLevel(data["level"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment:
    """What every criterion said of a version at one time. Appended, never changed."""

    algorithm_id: str
    version_digest: str
    sequence: int
    """Number of the assessment within its version, from 1."""
    dossier_digest: str | None
    environment_lock_sha256: str
    criteria_version: str
    criteria_sha256: str
    cause: Cause
    results: tuple[Result, ...]
    """In the order of the criteria file."""
    fresh_days: Mapping[MaturityLevel, int]
    """Levels that ask for fresh proof -> how fresh, in days."""
    green_at: datetime | None
    """End of the last green round."""
    at: datetime

    @property
    def says(self) -> tuple[Any, ...]:
        """Everything but when and why it was made: another one that says the same tells nothing new."""
        bound = (self.dossier_digest, self.environment_lock_sha256, self.criteria_version, self.criteria_sha256)
        return (*bound, self.results, dict(self.fresh_days), self.green_at)

    @property
    def met(self) -> MaturityLevel:
        """The highest level of which, and of all below which, every criterion is met; how fresh it is aside."""
        lacking = min((result.level.rank for result in self.results if not result.met), default=len(MaturityLevel))
        return list(MaturityLevel)[max(lacking - 1, LOWEST.rank)]

    def expires_at(self, level: MaturityLevel) -> datetime | None:
        """When `level` is lost unless a round turns green before; ``None``: it does not expire.

        In the past where no round ever was green.
        """
        days = [days for one, days in self.fresh_days.items() if one.rank <= level.rank]
        if not days:
            return None
        return self.at if self.green_at is None else self.green_at + timedelta(days=min(days))

    def level_at(self, now: datetime) -> MaturityLevel:
        """What it is worth at `now`."""
        met = self.met.rank
        fresh = [
            level
            for level in MaturityLevel
            if level.rank <= met
            and ((end := self.expires_at(level)) is None or (self.green_at is not None and now < end))
        ]
        return fresh[-1] if fresh else LOWEST


def assess(evidence: Evidence, criteria: CriteriaFile, *, cause: Cause) -> Assessment:
    """What `criteria` say of `evidence`; its number is yet to be given."""
    version = evidence.version
    return Assessment(
        algorithm_id=version.algorithm_id,
        version_digest=version.digest,
        sequence=0,
        dossier_digest=evidence.dossier.digest if evidence.dossier else None,
        environment_lock_sha256=version.environment_lock_sha256,
        criteria_version=criteria.version,
        criteria_sha256=criteria.sha256,
        cause=cause,
        results=tuple(_result(one.level, criterion, evidence) for one in criteria.levels for criterion in one.criteria),
        fresh_days={one.level: one.fresh_days for one in criteria.levels if one.fresh_days is not None},
        green_at=evidence.green_at,
        at=evidence.now,
    )


def _result(level: MaturityLevel, criterion: Criterion, evidence: Evidence) -> Result:
    finding = criterion.check(evidence)
    return Result(
        level=level,
        criterion=criterion.key,
        title=criterion.title,
        met=finding.met,
        told=finding.told,
        mend="" if finding.met else finding.mend,
        evidence=finding.evidence,
    )


class Reason(StrEnum):
    """Why a level is what it is."""

    UNASSESSED = "unassessed"
    EARNED = "earned"
    FELL = "fell"
    """A criterion that was met is not any more."""
    EXPIRED = "expired"
    """Everything was met, and no round was green for too long."""
    MARKED = "marked"
    """An operator's mark."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """The level of a version at one time, and why."""

    level: MaturityLevel
    reason: Reason
    told: str
    """One sentence: the reason in words."""
    expires_at: datetime | None = None
    """When the level is lost unless a round turns green before."""
    latest: Assessment | None = None
    next_level: MaturityLevel | None = None
    """The level above what is earned; ``None`` at the top, and while nothing is known."""
    missing: tuple[Result, ...] = ()
    """What it takes for the next level, each with its mend."""


def stand(
    assessments: Sequence[Assessment], *, mark: MaturityMark | None, now: datetime, marks_raise: bool = False
) -> Standing:
    """The level that follows from `assessments` at `now`, as the module says.

    Parameters
    ----------
    assessments
        Of one version, newest last; the latest decides, earlier ones tell from where it fell.
    mark
        The operator's latest.
    marks_raise
        Whether a mark sets the level instead of bounding it: an operator's choice, which gives proof up.
    """
    earned = _earned(assessments, now) if assessments else _UNASSESSED
    if mark is None or mark.level is earned.level:
        return earned
    if mark.level.rank > earned.level.rank and not marks_raise:
        return earned
    how = "held down to" if mark.level.rank < earned.level.rank else "set to"
    return Standing(
        level=mark.level,
        reason=Reason.MARKED,
        told=f"{how} {mark.level.value} by an operator: {mark.reason}",
        expires_at=earned.expires_at if mark.level.rank < earned.level.rank else None,
        latest=earned.latest,
        next_level=earned.next_level,
        missing=earned.missing,
    )


_UNASSESSED = Standing(level=LOWEST, reason=Reason.UNASSESSED, told="it was never assessed")


def _earned(assessments: Sequence[Assessment], now: datetime) -> Standing:
    latest = assessments[-1]
    level = latest.level_at(now)
    above = next((one for one in MaturityLevel if one.rank == level.rank + 1), None)
    missing = [one for one in latest.results if not one.met and above and one.level.rank <= above.rank]
    stale = above is not None and level.rank < latest.met.rank
    if stale and above:
        missing.append(_fresh(latest, above))
    reason, told = _why(assessments, level, stale=stale)
    return Standing(
        level=level,
        reason=reason,
        told=told,
        expires_at=latest.expires_at(level),
        latest=latest,
        next_level=above,
        missing=tuple(missing),
    )


def _why(assessments: Sequence[Assessment], level: MaturityLevel, *, stale: bool) -> tuple[Reason, str]:
    latest = assessments[-1]
    if stale:
        ended = f"the last green round ended on {latest.green_at:%Y-%m-%d}" if latest.green_at else "no round was green"
        return Reason.EXPIRED, f"every criterion of {latest.met.value} is met, but {ended}"
    fell = _fall(assessments)
    if fell is None:
        lacking = any(not one.met and one.level is level for one in latest.results)
        every = (
            f"{level.value} is where every version begins" if lacking else f"every criterion of {level.value} is met"
        )
        return Reason.EARNED, every
    before, at, lost = fell
    return Reason.FELL, f"fell from {before.value} on {at:%Y-%m-%d}: " + "; ".join(
        f"{one.title}: {one.told}" for one in lost[:3]
    )


def _fall(assessments: Sequence[Assessment]) -> tuple[MaturityLevel, datetime, Sequence[Result]] | None:
    """From which level it came down, when, and what had been met before; ``None`` where it last rose or never moved."""
    latest = assessments[-1]
    after = latest
    for before in reversed(assessments[:-1]):
        if before.met is latest.met:
            after = before
            continue
        if before.met.rank < latest.met.rank:
            return None
        met = {(one.level, one.criterion) for one in before.results if one.met}
        lost = [one for one in latest.results if not one.met and (one.level, one.criterion) in met]
        wanted = [one for one in lost if one.level.rank <= before.met.rank]
        return before.met, after.at, wanted or [one for one in latest.results if not one.met][:1]
    return None


def _fresh(latest: Assessment, above: MaturityLevel) -> Result:
    """What a version lacks whose proof is too old."""
    days = min(days for level, days in latest.fresh_days.items() if level.rank <= above.rank)
    return Result(
        level=above,
        criterion="fresh-round",
        title="A fresh green round",
        met=False,
        told=f"no round was green within {days} days",
        mend="ask for a round (swath benchmark); while the algorithm is listed one is made every day",
        evidence={"green_at": latest.green_at.isoformat() if latest.green_at else None, "days": days},
    )
