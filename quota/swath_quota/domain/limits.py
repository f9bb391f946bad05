"""How much of a thing an account may use, how full that is, and what a tier does before it says no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

#: The limit whose counter is the wallet itself; everything else is counted by takes.
CREDITS = "credits.month"
#: Largest amount of a take and largest limit: sums stay far inside 64 bits.
MAX_QUANTITY = 10**15
#: Largest rate: it is counted in millionths.
MAX_RATE = 10**12
#: Units that people read in thousandths: amounts are integers all the same.
_THOUSANDTHS = {"millicredit": "credit", "milli_processing_unit": "processing unit"}


class Window(StrEnum):
    """Over what time a limit counts."""

    CALENDAR_MONTH = "calendar_month"
    """From the first of a month, UTC, to the first of the next."""
    ROLLING = "rolling"
    """The last so many seconds, in buckets of an hour."""
    CONTINUOUS = "continuous"
    """What is taken and not yet given back."""
    RATE = "rate"
    """So many in so many seconds, evenly, with a burst (GCRA)."""


class Origin(StrEnum):
    """Who set a limit."""

    TIER = "tier"
    OVERRIDE = "override"


@dataclass(frozen=True, kw_only=True, slots=True)
class Degrade:
    """What becomes of an account beyond a soft limit: it is slower, not stopped. Factors are above 0 and at most 1."""

    text: str
    """For the account's owner: what happened and until when."""
    weight: float = 1.0
    """Of the place in the queue of runs."""
    cores: float = 1.0
    """Of every limit that counts cores."""
    rate: float = 1.0
    """Of every limit that is a rate."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Hard limits, by name, that replace higher ones."""

    def __post_init__(self) -> None:
        if not self.text or not all(0 < factor <= 1 for factor in (self.weight, self.cores, self.rate)):
            raise ValueError("what happens beyond a soft limit needs a text and factors above 0 and at most 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """One limit of a tier or an override. Amounts are integers of `unit`."""

    name: str
    window: Window
    unit: str
    hard: int | None
    """Beyond it is refused; ``None``: unrestricted. Of a rate: so many in `seconds`."""
    soft: int | None = None
    """Beyond it is degraded."""
    seconds: int | None = None
    """Length of a rolling window; time over which a rate is meant. Nothing else has one."""
    burst: int | None = None
    """How much of a rate may come at once; by default `hard`."""
    degrade: Degrade | None = None
    origin: Origin = Origin.TIER

    def __post_init__(self) -> None:
        if (self.seconds is not None) != (self.window in {Window.ROLLING, Window.RATE}):
            raise ValueError(f"{self.name}: a rolling window and a rate have a length, others have none")
        if self.window is Window.ROLLING and (self.seconds or 0) % 3600:
            raise ValueError(f"{self.name}: a rolling window is a whole number of hours long")
        if self.burst is not None and self.window is not Window.RATE:
            raise ValueError(f"{self.name}: only a rate has a burst")
        if self.window is Window.RATE and max(self.hard or 0, self.burst or 0) > MAX_RATE:
            raise ValueError(f"{self.name}: a rate is at most {MAX_RATE}")
        if (self.soft is None) != (self.degrade is None):
            raise ValueError(f"{self.name}: a soft limit and what happens beyond it go together")
        if self.soft is not None and self.hard is not None and self.soft > self.hard:
            raise ValueError(f"{self.name}: the soft limit is above the hard one")

    @property
    def capacity(self) -> int | None:
        """How much fits into an empty window at once; ``None``: anything."""
        if self.hard is None or self.burst is None:
            return self.hard
        return self.burst if self.hard else 0

    @property
    def shape(self) -> tuple[Window, str]:
        """What must be the same wherever a limit of this name stands."""
        return (self.window, self.unit)


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitState:
    """How full one limit of an account is."""

    name: str
    window: Window
    unit: str
    soft: int | None
    hard: int | None
    """As it holds now: an account beyond a soft limit may have less than its tier says."""
    used: int
    left: int | None
    """What would still be allowed; ``None``: anything."""
    resets_at: datetime | None
    """When time alone makes `used` less: all of it (month, rate) or some of it (rolling, lease)."""
    next_fit_at: datetime | None
    """When one more fits; ``None`` when it does now, or when waiting does not help."""
    degraded: bool
    """Whether the account is beyond this limit's soft limit."""
    origin: Origin
    seconds: int | None = None
    burst: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What an account may do now."""

    account: str
    tier: str
    weight: float
    """In the queue of runs, beside others'; already less when degraded."""
    degraded: tuple[str, ...]
    """Why the account gets less than its tier says; empty when it does not."""
    limits: tuple[LimitState, ...]

    def limit(self, name: str) -> LimitState | None:
        """The limit called `name`; ``None`` when nothing limits it."""
        return next((state for state in self.limits if state.name == name), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A yes to a take."""

    take_id: str
    limit: str
    amount: int
    degraded: bool
    """Whether the soft limit is passed with it."""
    expires_at: datetime | None
    """When it ends by itself; ``None``: when given back, or with its window."""


def quantity(amount: int, unit: str) -> str:
    """`amount` for people: ``1,234.5 credits``."""
    if unit in _THOUSANDTHS:
        whole = f"{amount // 1000:,}.{amount % 1000:03d}".rstrip("0").rstrip(".")
        return f"{whole} {_THOUSANDTHS[unit]}{'' if amount == 1000 else 's'}"
    # "MB of memory" has its plural inside; a word that is one has it at its end.
    plural = "" if amount == 1 or not unit.isalpha() or unit.isupper() else "s"
    return f"{amount:,} {unit}{plural}"
