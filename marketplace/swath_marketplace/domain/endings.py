"""How a run ended: a pure judgement over what was seen outside the sandbox and what was claimed inside.

What stands outside (`ProcessEnd`, written by the warden) is believed; what a run says of itself (`Claim`) is believed
only where nothing outside contradicts it, and never where it would save the caller money.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from swath_marketplace.domain.runs import Checkpoint, ErrorInfo, RunStatus

#: What a run may say of itself. None of them makes a run free of charge, whatever it says.
CLAIMABLE_CODES = frozenset(
    {
        "cell-failed",
        "exited-early",
        "kernel-died",
        "time-limit",
        "memory-limit",
        "output-missing",
        "output-invalid",
        "internal",
    }
)

#: How a run ends that does as it was asked: it leaves off before all is done.
_BROKEN_OFF = frozenset({"exited-early", "output-missing"})

_KILLED = {
    "memory-limit": "the run took more memory than its version may and was ended",
    "time-limit": "the run took more time than its version may and was ended",
    "disk-limit": "the run wrote more than a run may and was ended",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessEnd:
    """How the sandboxed process ended, as its warden saw it."""

    reason: str
    """``exited``, ``time-limit``, ``memory-limit``, ``disk-limit``, ``stopped``, ``failed-to-start`` or
    ``warden-failed``."""
    exit_code: int | None
    signal: int | None
    cpu_seconds: float
    wall_seconds: float
    peak_memory_bytes: int
    oom_kills: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """What the run reports of itself, checked for form."""

    finished: bool
    error: ErrorInfo | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """The judgement."""

    outcome: RunStatus
    error: ErrorInfo | None = None
    platform_fault: bool = False


def judge(
    *,
    end: ProcessEnd | None,
    claim: Claim | None,
    cancel_wanted: bool,
    declared: Sequence[str],
    found: Collection[str],
    checkpoint: Checkpoint | None = None,
    stopped_for: ErrorInfo | None = None,
) -> Ending:
    """How the run ended.

    Parameters
    ----------
    end
        What the warden saw, ``None`` when the warden itself is gone without a word.
    claim
        What the run says; ``None`` when it says nothing that can be read.
    cancel_wanted
        Whether the caller asked for an end.
    declared
        Names of the outputs that the version's interface promises.
    found
        Names of the outputs that are there, seen from outside.
    checkpoint
        What it was asked while it ran. One that was stopped for it, or broke off by itself, ended for its reason; one
        that finished all the same is finished, and one that failed in another way says in which.
    stopped_for
        Why others than its caller wanted the end; then nothing is charged for one that was stopped.
    """
    if stopped_for and cancel_wanted and (end is None or end.reason == "stopped"):
        return Ending(outcome=RunStatus.ERROR, error=stopped_for, platform_fault=True)
    if end is None:
        if cancel_wanted:
            # Nobody knows what it used, so nothing is charged.
            return Ending(outcome=RunStatus.CANCELED, platform_fault=True)
        return _fault("runner-lost", "the process that held the run is gone; nothing is charged")
    if end.reason == "stopped":
        if cancel_wanted:
            return Ending(outcome=RunStatus.CANCELED)
        if checkpoint:
            return _error(_asked(checkpoint, claim))
        return _fault("killed", "the run was stopped from outside without its caller's wish; nothing is charged")
    if end.reason == "failed-to-start":
        return _fault("failed-to-start", "the run's sandbox could not be started; nothing is charged")
    if end.reason == "warden-failed":
        return _fault("runner-lost", "the process that held the run failed; nothing is charged")
    if end.reason in _KILLED:
        where = claim.error.cell if claim and claim.error else None
        return _error(ErrorInfo(code=end.reason, message=_KILLED[end.reason], cell=where))
    ending = _of_exit(end, claim, declared=declared, found=found)
    if checkpoint and ending.error and ending.error.code in _BROKEN_OFF:
        return _error(_asked(checkpoint, claim))
    return ending


def _of_exit(end: ProcessEnd, claim: Claim | None, *, declared: Sequence[str], found: Collection[str]) -> Ending:
    if claim is None:
        if end.oom_kills:
            return _error(ErrorInfo(code="memory-limit", message=_KILLED["memory-limit"]))
        # Not the platform's fault: a notebook can end its own runner, and would then be free of charge.
        how = f"by signal {end.signal}" if end.signal else f"with exit code {end.exit_code}"
        return _error(ErrorInfo(code="killed", message=f"the run's process ended {how} without a report"))
    if claim.error is not None:
        if claim.error.code == "kernel-died" and end.oom_kills:
            return _error(ErrorInfo(code="memory-limit", message=_KILLED["memory-limit"], cell=claim.error.cell))
        return _error(_claimed(claim.error))
    if not claim.finished or end.exit_code != 0:
        return _error(
            ErrorInfo(code="killed", message=f"the run reported no error but its process ended with {end.exit_code}")
        )
    missing = [name for name in declared if name not in found]
    if missing:
        return _error(ErrorInfo(code="output-missing", message=f"declared and not there: {', '.join(missing)}"))
    return Ending(outcome=RunStatus.FINISHED)


def _asked(checkpoint: Checkpoint, claim: Claim | None) -> ErrorInfo:
    return ErrorInfo(
        code=checkpoint.code, message=checkpoint.message, cell=claim.error.cell if claim and claim.error else None
    )


def _claimed(error: ErrorInfo) -> ErrorInfo:
    # ``internal`` is the runner's own failure, as it says; being said inside, it is not a reason to charge nothing.
    return error if error.code in CLAIMABLE_CODES else replace(error, code="killed")


def _error(error: ErrorInfo) -> Ending:
    return Ending(outcome=RunStatus.ERROR, error=error)


def _fault(code: str, message: str) -> Ending:
    return Ending(outcome=RunStatus.ERROR, error=ErrorInfo(code=code, message=message), platform_fault=True)
