"""What the hub remembers of one metered server, on disk, so that a restart finds it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from swath_hub.metering.decisions import Alarm
from swath_hub.metering.port import Fault
from swath_hub.metering.usage import Reserved, Usage


class Phase(StrEnum):
    """Where a metered server stands."""

    STARTING = "starting"
    """Its hold is or is about to be asked for; it does not run for its user yet."""
    RUNNING = "running"
    ENDED = "ended"
    """What it used in all is known; to be settled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldFor:
    """One hold on the wallet, and what the server had used when it began."""

    id: str
    payer: str
    amount: int
    price_version: str
    since: Usage = field(default_factory=Usage)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One server, from before its hold is asked for until that is settled."""

    id: str
    user: str
    server: str
    """Name of a named server; empty for the default one."""
    title: str
    """Its size, for people."""
    reserved: Reserved
    phase: Phase = Phase.STARTING
    holds: int = 0
    """How many holds were asked for; each has an id of its own, noted before it is asked for."""
    unanswered: bool = False
    """Whether the last of them was asked for and nobody knows the answer."""
    hold: HeldFor | None = None
    """The one that pays now; ``None`` while there is none."""
    usage: Usage = field(default_factory=Usage)
    """As seen last."""
    handle: dict[str, str] = field(default_factory=dict)
    """By which its gauge finds it, also after a restart."""
    warned: frozenset[Alarm] = frozenset()
    fault: Fault = Fault.NONE
    """Whose fault its end was; the platform's is not paid."""

    @property
    def key(self) -> tuple[str, str]:
        return self.user, self.server

    @property
    def hold_id(self) -> str:
        """Of the last hold that was asked for."""
        return f"lab-{self.id}" if self.holds <= 1 else f"lab-{self.id}-{self.holds}"

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "warned": sorted(self.warned)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Inverse of `to_json`.

        Raises
        ------
        ValueError, KeyError, TypeError
            It is something else.
        """
        stored: dict[str, Any] = json.loads(text)
        hold = stored["hold"]
        return cls(
            **{
                **stored,
                "reserved": Reserved(**stored["reserved"]),
                "phase": Phase(stored["phase"]),
                "hold": HeldFor(**{**hold, "since": Usage(**hold["since"])}) if hold else None,
                "usage": Usage(**stored["usage"]),
                "fault": Fault(stored["fault"]),
                "warned": frozenset(Alarm(kind) for kind in stored["warned"]),
            }
        )
