"""What to do next for one metered server: pure rules over what is known of it, so that any time can be simulated."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor, inf

_HOUR = 3600


class Alarm(StrEnum):
    """What a user is told once in a server's life."""

    SHARE = "share"
    """Most of what the wallet can pay for this server is used."""
    MINUTES = "minutes"
    """It will be stopped soon."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """When to do what."""

    ahead_seconds: float = _HOUR
    """A hold that is raised covers at least so long from then on."""
    margin_seconds: float = 1800
    """It is raised when it covers less than this."""
    warn_share: float = 0.8
    warn_seconds: float = 900
    stop_seconds: float = 90
    """The graceful stop begins when credits last this long, so that it is itself paid for."""
    stand_seconds: int = 24 * _HOUR
    """How long a hold stands without us: a hub that was away for less finds it open."""
    renew_seconds: float = 12 * _HOUR
    """It is let stand longer when less than this is left."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeterView:
    """What is known of one server now; amounts are millicredits."""

    spent: int
    """Price of what was used under the hold."""
    held: int
    """What the hold sets aside."""
    free: int | None
    """What the wallet could set aside on top of it; ``None`` while nobody can tell."""
    per_hour: int
    """Most that an hour can cost."""
    stands_seconds: float
    """How much longer the hold stands."""
    warned: frozenset[Alarm] = frozenset()

    @property
    def means(self) -> int:
        """All that the wallet can pay for this server, with what it has used."""
        return self.held + (self.free or 0)

    def lasts_seconds(self, amount: int) -> float:
        """How long `amount` lasts at least, from now on."""
        return inf if self.per_hour <= 0 else max(0, amount - self.spent) * _HOUR / self.per_hour


@dataclass(frozen=True, kw_only=True, slots=True)
class Extend:
    """Ask for the hold to be `amount` in all, and to stand `seconds` from now."""

    amount: int
    seconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Warn:
    """Tell the user, once."""

    kind: Alarm
    minutes: int
    """Whole minutes that credits last at least."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """Credits last just long enough to stop gracefully."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """Nothing until the next look."""


Step = Extend | Warn | Stop | Rest


def next_step(view: MeterView, policy: Policy) -> Step:
    """The one thing to do now; ask again with what came of it until it is `Stop` or `Rest`.

    While the quota service is silent (`MeterView.free` unknown) nobody is warned or stopped: that it is silent is not
    the user's fault, and more than the hold is never captured.
    """
    if (extension := _extension(view, policy)) is not None:
        return extension
    if view.free is None or view.per_hour <= 0:
        return Rest()
    seconds = view.lasts_seconds(view.means)
    if seconds <= policy.stop_seconds:
        return Stop()
    minutes = floor(seconds / 60)
    if Alarm.MINUTES not in view.warned and seconds <= policy.warn_seconds:
        return Warn(kind=Alarm.MINUTES, minutes=minutes)
    if Alarm.SHARE not in view.warned and view.spent >= policy.warn_share * view.means:
        return Warn(kind=Alarm.SHARE, minutes=minutes)
    return Rest()


def _extension(view: MeterView, policy: Policy) -> Extend | None:
    amount = view.held
    if view.lasts_seconds(view.held) < policy.margin_seconds:
        wanted = view.spent + ceil(view.per_hour * policy.ahead_seconds / _HOUR)
        # What the wallet is known to lack is not asked for: all that it has is.
        amount = max(view.held, wanted if view.free is None else min(wanted, view.means))
    if amount > view.held or view.stands_seconds < policy.renew_seconds:
        return Extend(amount=amount, seconds=policy.stand_seconds)
    return None
