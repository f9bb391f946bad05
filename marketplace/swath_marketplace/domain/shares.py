"""What each caller took of the machine lately: use that halves every half-life, charged when a run gets its slot.

A run is charged its reserved cores and memory times its time limit at the moment it gets a slot (the entry penalty: a
burst pays before it runs), and the seconds that it really kept them once it has ended. Both charges stand at the moment
of admission, so a caller's share is a plain sum over runs and can always be computed again from them:

    share(t) = sum over runs of  resources x seconds x 2 ** -((t - admitted_at) / half_life)

After Kueue's admission fair sharing (decayed usage, half-life 168 h, entry penalty) and the dominant resource fairness
of Ghodsi et al., NSDI 2011.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from swath_marketplace.domain.algorithms import Resources
from swath_marketplace.domain.runs import ACTIVE_STAGES, Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How use is forgotten, and how long fairness may keep a caller waiting."""

    half_life_seconds: float = 168 * 3600.0
    """After so long a use counts half."""
    aging_seconds: float = 24 * 3600.0
    """A caller who got nothing for so long is served before all who got something since."""

    def __post_init__(self) -> None:
        if not (self.half_life_seconds > 0 and self.aging_seconds >= 0):
            raise ValueError("a half-life is above zero, and no time to wait is below it")


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What one caller took, as it counts at `at`."""

    caller: str
    cpu_seconds: float = 0.0
    """Reserved cores times seconds."""
    memory_mb_seconds: float = 0.0
    """Reserved memory times seconds."""
    at: datetime
    """When the caller last got a slot."""

    def dominant(self, *, cpus: float, memory_mb: float) -> float:
        """The larger of both uses, in seconds of the whole machine of `cpus` cores and `memory_mb`."""
        return max(self.cpu_seconds / cpus, self.memory_mb_seconds / memory_mb)

    def plus(self, resources: Resources, seconds: float) -> Share:
        """With a use of `seconds` more, or less, but never below nothing."""
        return replace(
            self,
            cpu_seconds=max(0.0, self.cpu_seconds + resources.cpus * seconds),
            memory_mb_seconds=max(0.0, self.memory_mb_seconds + resources.memory_mb * seconds),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """One run as far as shares go."""

    caller: str
    resources: Resources
    admitted_at: datetime
    seconds: float


def kept(seconds: float, *, half_life_seconds: float) -> float:
    """What is left of a use after `seconds`, 0..1. Time that went backwards forgets nothing, and adds nothing."""
    return float(2.0 ** -(max(0.0, seconds) / half_life_seconds))


def brought_to(share: Share, at: datetime, *, rules: Rules) -> Share:
    """`share` as it counts at `at`; `share` itself when the clock says that this is past."""
    if at <= share.at:
        return share
    factor = kept((at - share.at).total_seconds(), half_life_seconds=rules.half_life_seconds)
    return replace(
        share,
        cpu_seconds=share.cpu_seconds * factor,
        memory_mb_seconds=share.memory_mb_seconds * factor,
        at=at,
    )


def admitted(share: Share | None, caller: str, resources: Resources, *, at: datetime, rules: Rules) -> Share:
    """The caller's share after a run got its slot at `at`: the whole of what the run may take counts from now."""
    before = Share(caller=caller, at=at) if share is None else brought_to(share, at, rules=rules)
    return before.plus(resources, resources.wall_seconds)


def ended(share: Share, resources: Resources, *, admitted_at: datetime, seconds: float, rules: Rules) -> Share:
    """The caller's share after a run that got its slot at `admitted_at` is over: `seconds` count, not its time limit.

    `Share.at` stays: it is the moment of an admission.
    """
    age = (share.at - admitted_at).total_seconds()
    factor = kept(age, half_life_seconds=rules.half_life_seconds)
    return share.plus(resources, (seconds - resources.wall_seconds) * factor)


def charged_seconds(*, stage: Stage, resources: Resources, wall_seconds: float | None, platform_fault: bool) -> float:
    """The seconds that a run which got a slot is charged.

    Parameters
    ----------
    wall_seconds
        How long it ran; ``None`` when that is not known or it never did.
    platform_fault
        Then it counts nothing, as it costs nothing.
    """
    if stage in ACTIVE_STAGES:
        return float(resources.wall_seconds)
    return 0.0 if platform_fault else wall_seconds or 0.0


def recomputed(charges: Iterable[Charge], *, rules: Rules) -> Mapping[str, Share]:
    """Every caller's share from all runs that ever got a slot: what the kept ones must equal."""
    of: dict[str, list[Charge]] = {}
    for charge in charges:
        of.setdefault(charge.caller, []).append(charge)
    return {caller: _sum(caller, found, rules=rules) for caller, found in of.items()}


def _sum(caller: str, charges: list[Charge], *, rules: Rules) -> Share:
    share = Share(caller=caller, at=max(charge.admitted_at for charge in charges))
    for charge in charges:
        age = (share.at - charge.admitted_at).total_seconds()
        share = share.plus(charge.resources, charge.seconds * kept(age, half_life_seconds=rules.half_life_seconds))
    return share
