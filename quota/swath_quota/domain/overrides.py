"""What an operator lets one user, organisation or project have instead of its tier's limit, for a time and a reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from swath_quota.domain.limits import Degrade, Limit, Origin, Window

_DEGRADE = Degrade(weight=0.5, cores=0.5, rate=0.5, text="beyond the soft limit that an operator set")


@dataclass(frozen=True, kw_only=True, slots=True)
class Revocation:
    """That an override was ended before its time."""

    override_id: str
    reason: str
    author: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """Another hard and soft limit, or another tier's limits, for one subject. Stored once and never changed."""

    id: str
    subject: str
    """``ada``, ``organisation:acme``, ``project:floods``."""
    limit: str | None
    """Name of the limit; ``None`` when it is the tier that is overridden."""
    tier: str | None
    """Name of the tier whose limits hold instead; ``None`` when it is one limit."""
    hard: int | None
    """With `limit`; ``None``: unrestricted."""
    soft: int | None
    reason: str
    author: str
    created_at: datetime
    starts_at: datetime
    ends_at: datetime
    revoked: Revocation | None = None

    def __post_init__(self) -> None:
        if (self.limit is None) == (self.tier is None):
            raise ValueError(f"override {self.id}: of one limit or of the tier")
        if not self.starts_at < self.ends_at:
            raise ValueError(f"override {self.id}: ends before it starts")

    def holds_at(self, at: datetime) -> bool:
        """Whether it holds: it ends by itself, or when it was revoked."""
        over = self.revoked is not None and self.revoked.at <= at
        return self.starts_at <= at < self.ends_at and not over


def live(overrides: Iterable[Override], *, at: datetime) -> tuple[Override, ...]:
    """Those that hold at `at`, the latest last: where two concern the same, the later one was meant."""
    return tuple(sorted((o for o in overrides if o.holds_at(at)), key=lambda o: (o.created_at, o.id)))


def tier_named(overrides: Iterable[Override], *, assigned: str) -> str:
    """The tier whose limits hold: that of the latest override of the tier, else the assigned one."""
    found = assigned
    for override in overrides:
        found = override.tier or found
    return found


def overlay(
    limits: Mapping[str, Limit], overrides: Iterable[Override], *, shapes: Mapping[str, Limit]
) -> dict[str, Limit]:
    """`limits` by name with the live `overrides` over them.

    Parameters
    ----------
    shapes
        A limit of every name that any tier has: window and unit for one that this tier does not have.
    """
    made = dict(limits)
    for override in overrides:
        if override.limit is not None and override.limit in shapes:
            base = made.get(override.limit, shapes[override.limit])
            made[override.limit] = _set(base, override)
    return made


def _set(base: Limit, override: Override) -> Limit:
    burst = base.burst
    if burst is not None and base.hard and override.hard is not None:
        burst = max(1, burst * override.hard // base.hard)
    return replace(
        base,
        hard=override.hard,
        soft=override.soft,
        burst=burst,
        degrade=None if override.soft is None else base.degrade or _DEGRADE,
        origin=Origin.OVERRIDE,
    )


def degraded(limits: Mapping[str, Limit], *, by: Iterable[Degrade]) -> dict[str, Limit]:
    """`limits` as they hold for an account that is beyond the soft limits of `by`: smaller, never none at all."""
    made = dict(limits)
    for degrade in by:
        for name, limit in made.items():
            factor = degrade.rate if limit.window is Window.RATE else 1.0
            if name.endswith(".cores"):
                factor = degrade.cores
            most = degrade.limits.get(name)
            if limit.hard is not None and factor < 1:
                most = min(most or limit.hard, max(1, int(limit.hard * factor)))
            if most is not None and (limit.hard is None or most < limit.hard):
                made[name] = _lower(limit, hard=most)
    return made


def _lower(limit: Limit, *, hard: int) -> Limit:
    burst = limit.burst
    if burst is not None:
        burst = min(burst, max(1, burst * hard // limit.hard)) if limit.hard else min(burst, max(1, hard))
    soft = None if limit.soft is None else min(limit.soft, hard)
    return replace(limit, hard=hard, soft=soft, burst=burst)
