"""What runs show: their logs, their cost against the quote, the largest of them, how often they succeed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from swath_marketplace.domain import budgets
from swath_marketplace.domain.criteria.protocol import Finding, criterion
from swath_marketplace.domain.evidence import By, Evidence, RunFact
from swath_marketplace.domain.runs import RunStatus


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class BasicLogging:
    """A run's event log tells which of its cells ended: who follows it sees where it is."""

    key: ClassVar[str] = "basic-logging"
    title: ClassVar[str] = "A log that tells its steps"
    cells: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether the log of the latest finished run tells the end of enough cells."""
        log = evidence.logging
        cells = log.cells if log else 0
        return Finding(
            met=cells >= self.cells,
            told=f"the log of run {log.run_id} tells the end of {cells} cells" if log else "no log of a finished run",
            mend="run it once; its steps are told when they stand in cells of their own",
            evidence={"run": log.run_id if log else None, "cells": cells},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class AdvancedLogging:
    """A run says in words of its own what it is doing: messages of ``swath.progress`` in its event log."""

    key: ClassVar[str] = "advanced-logging"
    title: ClassVar[str] = "A log that tells what is done, in words"
    messages: int

    def check(self, evidence: Evidence) -> Finding:
        """Whether the log of the latest finished run has enough different messages."""
        log = evidence.logging
        messages = log.messages if log else 0
        return Finding(
            met=messages >= self.messages,
            told=f"the log of run {log.run_id} has {messages} messages of its own" if log else "no log of a run",
            mend=f"tell at least {self.messages} steps with swath.progress(fraction, message) and publish again",
            evidence={"run": log.run_id if log else None, "messages": messages},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class CostCalibrated:
    """Quotes can be believed: what runs cost stays below what their quote said 95 of 100 would."""

    key: ClassVar[str] = "cost-calibrated"
    title: ClassVar[str] = "Quotes that hold"
    runs: int
    """So many quoted runs have finished at least."""
    last: int
    """So many of them count, the newest."""
    share: float
    """Of them within the quote's 95th percentile."""

    def check(self, evidence: Evidence) -> Finding:
        """Whether enough quoted runs finished, and enough of them within their quote; whoever asked for them."""
        quoted = [
            (run.cost_millicredits, run.quoted_p95_millicredits)
            for run in evidence.runs
            if run.outcome is RunStatus.FINISHED
            and run.cost_millicredits is not None
            and run.quoted_p95_millicredits is not None
        ][: self.last]
        within = sum(cost <= p95 for cost, p95 in quoted)
        share = within / len(quoted) if quoted else 0.0
        few = len(quoted) < self.runs
        return Finding(
            met=not few and share >= self.share,
            told=f"{len(quoted)} quoted runs have finished; asked for: {self.runs}"
            if few
            else f"{within} of {len(quoted)} runs cost what their quote said or less",
            mend="wait until more runs are known; the platform's own rounds count"
            if few
            else "let the cost follow from the parameters: an extent, a period, a resolution; quotes learn from them",
            evidence={"runs": len(quoted), "within": within, "share": round(share, 4)},
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleShown:
    """It has finished at a large scale: the area times the days that a run was asked for."""

    key: ClassVar[str] = "scale"
    title: ClassVar[str] = "Shown at large scale"
    km2_days: float

    def check(self, evidence: Evidence) -> Finding:
        """Whether the largest run that finished was large enough."""
        largest = evidence.largest
        shown = largest.km2_days if largest else 0.0
        return Finding(
            met=shown >= self.km2_days,
            told=f"run {largest.run_id} finished over {largest.area_km2:,.0f} km² and {largest.days:,.0f} days"
            if largest
            else "no finished run tells an area",
            mend=f"let a run finish over at least {self.km2_days:,.0f} km² x days, its box and period given as"
            " parameters",
            evidence={
                "run": largest.run_id if largest else None,
                "area_km2": round(largest.area_km2, 3) if largest else None,
                "days": round(largest.days, 3) if largest else None,
                "km2_days": round(shown, 3),
            },
        )


@criterion
@dataclass(frozen=True, kw_only=True, slots=True)
class SuccessRate:
    """Others rely on it, and it does not fail them."""

    key: ClassVar[str] = "success-rate"
    title: ClassVar[str] = "Runs of others succeed"
    runs: int
    """So many runs of others have ended at least."""
    callers: int
    """Made by so many different people at least."""
    last: int
    """So many of them count, the newest."""
    share: float
    """Of them finished."""

    def check(self, evidence: Evidence) -> Finding:
        """Whether others' runs are enough, and enough of them finished.

        What the platform is at fault for, what a caller cancelled or did not pay on for, is no failure of the version.
        """
        theirs = [run for run in evidence.runs if _counts(run)][: self.last]
        finished = sum(run.outcome is RunStatus.FINISHED for run in theirs)
        share = finished / len(theirs) if theirs else 0.0
        callers = len({run.caller for run in theirs})
        few = len(theirs) < self.runs or callers < self.callers
        errors = Counter(run.error_code or "error" for run in theirs if run.outcome is not RunStatus.FINISHED)
        return Finding(
            met=not few and share >= self.share,
            told=f"{len(theirs)} runs of {callers} others have ended; asked for: {self.runs} of {self.callers}"
            if few
            else f"{finished} of the last {len(theirs)} runs of others finished",
            mend="it comes with use by others than its author and the platform"
            if few
            else "see why the runs failed, and publish a version that does not fail so",
            evidence={
                "runs": len(theirs),
                "finished": finished,
                "share": round(share, 4),
                "callers": callers,
                "errors": dict(errors.most_common(20)),
            },
        )


def _counts(run: RunFact) -> bool:
    ended = run.outcome in (RunStatus.FINISHED, RunStatus.ERROR)
    return run.by is By.OTHERS and ended and not run.platform_fault and run.error_code not in budgets.CODES
