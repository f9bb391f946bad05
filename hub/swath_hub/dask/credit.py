"""How a living cluster stands with its owner's credits: pure, from its account."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from swath_hub.dask.accounts import Account, Load, Moment, Phase


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """How far money looks ahead."""

    ahead_seconds: float = 3600
    """What is held covers so long; it is extended when half of it is used."""
    least_seconds: float = 300
    """A worker is started only if it can be paid for so long."""
    low_seconds: float = 900
    """When credits last no longer than this, the owner is told."""
    grace_seconds: float = 60
    """Between the end of the workers and that of the cluster, when credits are used up."""
    tick_seconds: float = 5
    """Between two looks at every cluster."""
    hold_seconds: int = 6 * 3600
    """How long a hold stands without being extended: a gateway may be down for that long."""


class Step(StrEnum):
    """What is to be done about a cluster."""

    NOTHING = "nothing"
    WARN = "warn"
    """Tell the owner that credits end soon."""
    STARVE = "starve"
    """End the workers, and tell."""
    REVIVE = "revive"
    """There are credits again."""
    CLOSE = "close"
    """The grace is over."""


def next_step(account: Account, *, bare: Load, least: Load, now: Moment, terms: Terms) -> Step:
    """What is to be done, once the wallet has been asked for all that it can give.

    Workers end while what is held still pays for the scheduler's grace, so that no more is used than is held.

    Parameters
    ----------
    bare
        The cluster without workers.
    least
        The cluster with one worker.
    """
    if account.phase is Phase.STARVED and account.starved_at is not None:
        if account.lasts_seconds(least) >= terms.least_seconds + terms.grace_seconds:
            return Step.REVIVE
        return Step.CLOSE if now.since(account.starved_at) >= terms.grace_seconds else Step.NOTHING
    if account.phase is not Phase.LIVE:
        return Step.NOTHING
    used = account.amount - account.left()
    grace = account.needs(bare, terms.grace_seconds) - used
    # Two looks: one until this is seen again, one for the workers to end.
    until_seen = account.needs(account.load, 2 * terms.tick_seconds) - used
    if account.left() < grace + until_seen:
        return Step.STARVE
    return Step.WARN if account.lasts_seconds(account.load) <= terms.low_seconds else Step.NOTHING
