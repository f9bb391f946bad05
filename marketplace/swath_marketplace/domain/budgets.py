"""When the hold of a running run is extended, and when the run is asked to save what it has: pure rules over its use.

The hold is extended while the budget and the wallet allow, from the moment at which four fifths of what it gives beyond
the fee are used. Where it cannot grow, the run is asked to checkpoint as late as the hold still covers what comes then:
the grace in which it saves, the stop, and the time until somebody looks, all at full use of its cores and memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.runs import ErrorInfo

BUDGET_REACHED = "budget-reached"
CREDITS_EXHAUSTED = "credits-exhausted"
CODES = frozenset({BUDGET_REACHED, CREDITS_EXHAUSTED})
#: From the need to ask to the asking: the pause between two looks, and a slow answer of the quota service.
SLACK_SECONDS = 3.0
_EXTEND_FROM = 0.8

#: Millicredits for CPU-seconds and MB-seconds, the fee included; never less for more.
Price = Callable[[float, float], int]


class Need(StrEnum):
    """What a look at a run comes to."""

    NOTHING = "nothing"
    EXTENSION = "extension"
    """More should be held; it can go on for a while without."""
    EXTENSION_NOW = "extension-now"
    """More must be held now, or it is asked to checkpoint."""
    CHECKPOINT = "checkpoint"
    """Its budget is all held, and lasts just for a checkpoint."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What may be spent on one run, in millicredits."""

    held: int
    budget: int | None
    ceiling: int
    """The most that its resources can cost until its time limit."""

    @property
    def most(self) -> int:
        """What may be held in the end."""
        return self.ceiling if self.budget is None else min(self.budget, self.ceiling)

    @property
    def covered(self) -> bool:
        """Whether nothing can come to more than is held: its time limit ends it first."""
        return self.held >= self.ceiling


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending:
    """What a running run has used and what that costs, in millicredits."""

    fee: int
    """Of the run as such, before it used anything."""
    spent: int
    at_end: int
    """What it may have cost when it is over, if it is asked to checkpoint now and uses all that it may until then."""


def spending(
    resources: Resources, price: Price, *, cpu_seconds: float | None, wall_seconds: float, ending_seconds: float
) -> Spending:
    """What a run has come to.

    Parameters
    ----------
    cpu_seconds
        Measured; ``None`` where nothing measures it, which is counted as all that it could use.
    ending_seconds
        How long it may go on after it was asked to checkpoint.
    """
    cpu = resources.cpus * wall_seconds if cpu_seconds is None else cpu_seconds
    return Spending(
        fee=price(0.0, 0.0),
        spent=price(cpu, resources.memory_mb * wall_seconds),
        at_end=price(cpu + resources.cpus * ending_seconds, resources.memory_mb * (wall_seconds + ending_seconds)),
    )


def ending_seconds(*, grace_seconds: float, stop_seconds: float) -> float:
    """How long a run may go on after the moment at which it has to be asked."""
    return grace_seconds + stop_seconds + SLACK_SECONDS


def need(account: Account, now: Spending) -> Need:
    """What `account` needs for a run that has come to `now`."""
    if account.covered:
        return Need.NOTHING
    last_moment = now.at_end >= account.held
    if account.held >= account.most:
        return Need.CHECKPOINT if last_moment else Need.NOTHING
    if last_moment:
        return Need.EXTENSION_NOW
    used, given = now.spent - now.fee, account.held - now.fee
    return Need.EXTENSION if used >= _EXTEND_FROM * given else Need.NOTHING


def extended(account: Account, now: Spending) -> int:
    """What to hold next: twice what is held beyond the fee, at least enough for another ending, at most what may be."""
    enough = now.at_end + (now.at_end - now.spent)
    return min(account.most, max(now.fee + 2 * (account.held - now.fee), enough))


def least_hold(resources: Resources, price: Price, *, seconds: float) -> int:
    """The least that is worth starting with: the fee, and twice the `seconds` of an ending, at full use."""
    whole = float(resources.wall_seconds)
    ceiling, one, two = (
        price(resources.cpus * lasting, resources.memory_mb * lasting)
        for lasting in (whole, min(seconds, whole), min(2 * seconds, whole))
    )
    # Of tiny resources both endings may round to one price, and the run would be asked to checkpoint as it starts.
    return min(ceiling, max(two, one + 1))


def finally_told(error: ErrorInfo, *, held: int, cost: int) -> ErrorInfo:
    """`error` of a run that ended for want of credits, with what it came to."""
    if error.code not in CODES:
        return error
    what = "its budget" if error.code == BUDGET_REACHED else "what the wallet would hold for it"
    return replace(
        error,
        message=f"the run reached {what}, {credits_of(held)} credits, and cost {credits_of(cost)}; "
        "it was asked to save what it had, and what it emitted is kept as its results",
    )


def credits_of(millicredits: int) -> str:
    """Credits for people."""
    return f"{millicredits // 1000:,}.{millicredits % 1000:03d}".rstrip("0").rstrip(".")
