"""How a run that was asked for through the door of OGC API - Processes wants to be answered.

The standard calls a run a *job* and what is asked for an *execute request*; here it is a `Run` like any other, and this
is what only that door needs to know about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ResponseForm(StrEnum):
    """Whether results come as they are or in one JSON document."""

    RAW = "raw"
    DOCUMENT = "document"


class Transmission(StrEnum):
    """Whether an output comes itself or as its address."""

    VALUE = "value"
    REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedOutput:
    """One output that is asked for."""

    name: str
    transmission: Transmission = Transmission.VALUE

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"name": self.name, "transmission": self.transmission.value}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WantedOutput:
        """The output that `as_dict` wrote."""
        return cls(name=data["name"], transmission=Transmission(data["transmission"]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscriber:
    """Addresses that want to hear of a run."""

    success: str | None = None
    in_progress: str | None = None
    failed: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"success": self.success, "in_progress": self.in_progress, "failed": self.failed}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Subscriber:
        """The subscriber that `as_dict` wrote."""
        return cls(success=data["success"], in_progress=data["in_progress"], failed=data["failed"])

    @property
    def addresses(self) -> Mapping[str, str]:
        """Those that were given, by the standard's names."""
        named = {"successUri": self.success, "inProgressUri": self.in_progress, "failedUri": self.failed}
        return {name: address for name, address in named.items() if address is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """What an execute request asked beside the run itself."""

    response: ResponseForm = ResponseForm.RAW
    outputs: tuple[WantedOutput, ...] = ()
    """In the order asked for; none means every declared one, by value."""
    subscriber: Subscriber | None = None
    dismissed_at: datetime | None = None
    """When its caller dismissed it: from then on this door shows it as dismissed. The run itself stays."""


#: Of a run that did not come through this door.
PLAIN = Execution(response=ResponseForm.DOCUMENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobFilter:
    """Which runs a list of jobs is to hold; everything must hold, and what is empty holds."""

    statuses: frozenset[str] = field(default_factory=frozenset)
    """Of `JobStatus`."""
    algorithms: tuple[tuple[str, str], ...] | None = None
    """Owner and name; an empty tuple matches nothing."""
    created_from: datetime | None = None
    created_until: datetime | None = None
    """Both inclusive."""
    least_seconds: float | None = None
    most_seconds: float | None = None
    """Of the time from start to end, or to now; a run that has not started has none and is left out."""


class JobStatus(StrEnum):
    """The standard's words for how far a run is."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    DISMISSED = "dismissed"
