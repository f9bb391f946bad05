"""What a server has used, and what that costs. Nothing here looks at a clock."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from swath_quota.client import Prices, price_run

_MB = 2**20
_HOUR = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Cumulative since the server started. Time is the machine's since it booted: setting its clock changes nothing."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0

    def joined(self, other: Usage) -> Usage:
        """The larger of each: what was once seen is never unseen."""
        return Usage(
            wall_seconds=max(self.wall_seconds, other.wall_seconds),
            cpu_seconds=max(self.cpu_seconds, other.cpu_seconds),
        )

    def since(self, start: Usage) -> Usage:
        """What came on top of `start`."""
        return Usage(
            wall_seconds=max(0.0, self.wall_seconds - start.wall_seconds),
            cpu_seconds=max(0.0, self.cpu_seconds - start.cpu_seconds),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reserved:
    """What a server has to itself, used or not."""

    memory_bytes: int
    cpus: float

    @property
    def memory_mb(self) -> float:
        return self.memory_bytes / _MB


def quantities(usage: Usage, reserved: Reserved) -> dict[str, float]:
    """`usage` in the words of the usage stream."""
    return {
        "wall_seconds": usage.wall_seconds,
        "cpu_seconds": usage.cpu_seconds,
        "memory_mb_seconds": usage.wall_seconds * reserved.memory_mb,
    }


def price(prices: Prices, *, usage: Usage, reserved: Reserved) -> int:
    """Millicredits for `usage`: reserved GB-hours and used CPU-hours, without the fee of a batch run."""
    told = quantities(usage, reserved)
    return price_run(prices, cpu_seconds=told["cpu_seconds"], memory_mb_seconds=told["memory_mb_seconds"], batch=False)


def most_per_hour(prices: Prices, reserved: Reserved) -> int:
    """Most millicredits that an hour can cost: all of its processors busy throughout."""
    hour = Usage(wall_seconds=_HOUR, cpu_seconds=_HOUR * reserved.cpus)
    # One more, since prices are rounded half up and this has to be a bound.
    return ceil(price(prices, usage=hour, reserved=reserved)) + 1
