"""A reproduction: a run that is run again from what its receipt says, and the verdict on what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from swath.contract.comparison import Comparison, Tolerance, Verdict

from swath_marketplace.domain.origins import Origin


class Stage(StrEnum):
    """How far a reproduction has come."""

    ASKED = "asked"
    """Committed; what it needs is yet to be looked for, and its run to be started."""
    RUNNING = "running"
    """Its run is on its way, an ordinary one."""
    COMPARING = "comparing"
    """Its run has finished; the results are being compared."""
    ENDED = "ended"
    """The verdict is there. Nothing changes any more."""


class Outcome(StrEnum):
    """The verdict."""

    IDENTICAL = "identical"
    """Every output has the same bytes, or the same content in another encoding."""
    WITHIN = "within-tolerance"
    DIFFERS = "differs"
    CANNOT = "cannot"
    """It could not be run again, or not to its end; the causes say why."""


class CauseCode(StrEnum):
    """Why a verdict is what it is, or why there can be no other."""

    VERSION_GONE = "version-gone"
    VERSION_ALTERED = "version-altered"
    """What is stored under the version is not what its digest says."""
    VERSION_YANKED = "version-yanked"
    VERSION_REVOKED = "version-revoked"
    ENVIRONMENT_GONE = "environment-gone"
    INPUT_GONE = "input-gone"
    INPUT_REPLACED = "input-replaced"
    INPUT_ADDED = "input-added"
    """Something was read that the original did not read: the archive has grown, or what is read depends on chance."""
    INPUT_NOT_READ = "input-not-read"
    PACKAGES_CHANGED = "packages-changed"
    REFUSED = "refused"
    """The wallet of whoever asked, or a limit, did not allow the run."""
    RUN_FAILED = "run-failed"
    CANCELED = "canceled"
    PLATFORM_FAILED = "platform-failed"
    ORIGINAL_GONE = "original-gone"
    """The original's files are not there any more, or not for whoever asks: only hashes were compared."""
    NOT_COMPARED = "not-compared"
    """Nothing could compare contents; only hashes were compared."""
    CHANCE = "chance"
    """The notebook asks for chance, the clock or an order that nothing fixes; the message says where."""
    UNEXPLAINED = "unexplained"
    """Version, environment, inputs and parameters are the same, and the results are not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """One cause, in words for the author."""

    code: CauseCode
    message: str

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"code": self.code.value, "message": self.message}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cause:
        """The cause that `as_dict` wrote."""
        return cls(code=CauseCode(data["code"]), message=data["message"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduction:
    """One attempt, asked for and paid by one caller."""

    id: str
    origin: Origin
    asked_by: str
    asked_at: datetime
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    """By output, as they were when it was asked for; of one that is not named nothing may be apart."""
    tolerances_from: str = "exact"
    """``asked``, ``scenario <name>`` or ``exact``."""
    sees_original: bool = False
    """Whether who asked may see the original's files; who holds a receipt alone compares hashes."""
    budget_millicredits: int | None = None
    stage: Stage = Stage.ASKED
    run_id: str | None = None
    causes: tuple[Cause, ...] = ()
    outcome: Outcome | None = None
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    """By output, what the comparison with the original's found."""
    message: str = ""
    """One sentence."""
    ended_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing changes any more."""
        return self.stage is Stage.ENDED

    @property
    def run_key(self) -> str:
        """Idempotency key of its run: asked for again after a crash, it is the same run."""
        return f"reproduction-{self.id}"


class ForbiddenStep(Exception):
    """A change that no reproduction may make; it is a fault of the program."""


_ALLOWED: Mapping[Stage, frozenset[Stage]] = {
    Stage.ASKED: frozenset({Stage.RUNNING, Stage.ENDED}),
    Stage.RUNNING: frozenset({Stage.COMPARING, Stage.ENDED}),
    Stage.COMPARING: frozenset({Stage.ENDED}),
    Stage.ENDED: frozenset(),
}


def check(reproduction: Reproduction) -> Reproduction:
    """`reproduction`, when it keeps the invariants.

    Raises
    ------
    ForbiddenStep
        Naming the one that is broken.
    """
    over = reproduction.stage is Stage.ENDED
    if over != (reproduction.outcome is not None) or over != (reproduction.ended_at is not None):
        raise ForbiddenStep("a reproduction has an outcome, and a time of its end, if and only if it has ended")
    if reproduction.stage in (Stage.RUNNING, Stage.COMPARING) and reproduction.run_id is None:
        raise ForbiddenStep("a reproduction that runs or compares has a run")
    if reproduction.outcome is Outcome.CANNOT and not reproduction.causes:
        raise ForbiddenStep("what cannot be reproduced says why")
    if reproduction.outcome in (Outcome.IDENTICAL, Outcome.WITHIN) and reproduction.run_id is None:
        raise ForbiddenStep("nothing is the same that was not run")
    return reproduction


def started(reproduction: Reproduction, run_id: str, *, causes: Sequence[Cause]) -> Reproduction:
    """Its run has been asked for; `causes` are what is known already to have changed."""
    return _enter(reproduction, Stage.RUNNING, run_id=run_id, causes=tuple(causes))


def finished(reproduction: Reproduction) -> Reproduction:
    """Its run has finished."""
    return _enter(reproduction, Stage.COMPARING)


def ended(
    reproduction: Reproduction,
    outcome: Outcome,
    *,
    message: str,
    causes: Sequence[Cause],
    comparisons: Mapping[str, Comparison] | None = None,
    at: datetime,
) -> Reproduction:
    """The verdict."""
    return _enter(
        reproduction,
        Stage.ENDED,
        outcome=outcome,
        message=message,
        causes=tuple(causes),
        comparisons=dict(comparisons or {}),
        ended_at=at,
    )


def outcome_of(comparisons: Mapping[str, Comparison]) -> Outcome:
    """The verdict over all outputs. What cannot be compared is not the same, for its bytes are others."""
    verdicts = {one.verdict for one in comparisons.values()}
    if verdicts <= {Verdict.IDENTICAL}:
        return Outcome.IDENTICAL
    return Outcome.WITHIN if all(verdict.same for verdict in verdicts) else Outcome.DIFFERS


def _enter(reproduction: Reproduction, stage: Stage, **changes: Any) -> Reproduction:
    if stage not in _ALLOWED[reproduction.stage]:
        raise ForbiddenStep(f"a reproduction does not go from {reproduction.stage.value} to {stage.value}")
    return check(replace(reproduction, stage=stage, **changes))
