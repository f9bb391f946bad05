"""What a user may have of Lab servers at once, beside what the wallet pays for: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil

from swath_hub.metering.usage import Reserved

#: Limit, what one server counts for in it, and its unit for people.
_COUNTED: tuple[tuple[str, Callable[[Reserved], int], str], ...] = (
    ("lab.servers", lambda _: 1, "JupyterLab servers"),
    ("lab.cores", lambda one: ceil(one.cpus), "processors"),
    ("lab.memory_mb", lambda one: ceil(one.memory_mb), "MB of memory"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Excess:
    """A limit that one more server would break."""

    limit: str
    unit: str
    allowed: int
    used: int
    """By the user's other servers."""
    wanted: int

    @property
    def ever_fits(self) -> bool:
        """Whether it would fit if the others were stopped."""
        return self.wanted <= self.allowed


def excess(wanted: Reserved, others: Iterable[Reserved], hard: Callable[[str], int | None]) -> Excess | None:
    """The first limit that `wanted` breaks beside `others`, or ``None``.

    Parameters
    ----------
    hard
        What a limit, by its name, allows at most; ``None`` where nothing limits it.
    """
    running = list(others)
    for limit, counts, unit in _COUNTED:
        allowed = hard(limit)
        used = sum(counts(one) for one in running)
        if allowed is not None and used + counts(wanted) > allowed:
            return Excess(limit=limit, unit=unit, allowed=allowed, used=used, wanted=counts(wanted))
    return None
