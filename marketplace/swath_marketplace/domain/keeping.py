"""How long the files of a run are kept: its caller's tier says so when it ends, and no later change takes it back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.errors import ResultsExpired
from swath_marketplace.domain.runs import Run

#: In the place of a time: the tier keeps results for ever.
FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)
#: Name of the limit of a tier, in days.
RESULTS_DAYS = "results.days"
#: So long before the end a run's results are said to expire.
NOTICE = timedelta(days=7)
#: A run whose time was found out late, as those from before there was any, is kept at least so long from then.
_LATE, _GRACE = timedelta(days=1), timedelta(days=14)


class ResultsState(StrEnum):
    """What becomes of the files that a run left."""

    KEPT = "kept"
    EXPIRING = "expiring"
    """They will be removed within a week."""
    EXPIRED = "expired"
    """They were removed; what they were is told by their hashes, and the run can be run again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """Why a run's files are kept beyond their time."""

    run_id: str
    reason: str
    """Of whom pins, one word: ``example``, ``export``. The same reason twice is one pin."""
    pinned_by: str
    pinned_at: datetime


def kept_until(ended_at: datetime, *, keep: timedelta | None, now: datetime) -> datetime:
    """Until when the files of a run that ended then are kept.

    Parameters
    ----------
    keep
        What the caller's tier gives; ``None``: for ever.
    now
        When that is found out.
    """
    if keep is None:
        return FOR_EVER
    until = ended_at + keep
    return max(until, now + _GRACE) if now - ended_at > _LATE else until


def state_of(run: Run, *, now: datetime) -> ResultsState | None:
    """What becomes of a run's files; ``None`` while it goes on."""
    if not run.terminal:
        return None
    if run.results_expired_at is not None:
        return ResultsState.EXPIRED
    if run.kept_until is not None and run.kept_until - now <= NOTICE:
        return ResultsState.EXPIRING
    return ResultsState.KEPT


def expired(run: Run) -> ResultsExpired:
    """What is said to who asks for files that are gone."""
    when = run.results_expired_at or run.kept_until
    return ResultsExpired(
        code="results-expired",
        message=f"the files of this run were kept{f' until {when:%Y-%m-%d}' if when else ''}, and are gone",
        mend="run it again with the same parameters, or reproduce it, which compares by the receipt's hashes",
        extra={"run": run.id, "expired_at": iso(run.results_expired_at)},
    )
