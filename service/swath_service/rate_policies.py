"""What a rate allows: plain values, so that who supplies them needs no web framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from swath_service.actor import Actor


@dataclass(frozen=True, kw_only=True, slots=True)
class RatePolicy:
    """So many requests in so many seconds, evenly, with a burst (GCRA).

    In any stretch of t seconds at most ``burst + t * quota / window_seconds`` requests pass.
    """

    quota: int
    window_seconds: int
    burst: int | None = None
    """How many may come at once; by default `quota`."""
    limit_name: str = "api.requests.minute"
    """Name of the limit behind it, for refusals."""
    mend: str = "wait, send fewer requests, or ask an operator for an override or another tier"

    def __post_init__(self) -> None:
        if self.quota < 1 or self.window_seconds < 1 or (self.burst is not None and self.burst < 1):
            raise ValueError("a rate allows at least one request in at least one second")

    @property
    def capacity(self) -> int:
        """How many may come at once."""
        return self.quota if self.burst is None else self.burst


#: The policies of a caller by name; a name that is missing is not limited.
Policies = Mapping[str, RatePolicy]
#: Tells a caller's policies. It must not raise, and must not take long: every request waits for it.
PolicySource = Callable[[Actor], Awaitable[Policies]]
