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

from swath_marketplace.domain.hooks import Callback, Topic


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


#: The form of messages to an execute request's subscriber (`swath_marketplace.domain.hooks.Callback`).
SUBSCRIBER = "ogc"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscriber:
    """Addresses that want to hear of a run."""

    success: str | None = None
    in_progress: str | None = None
    failed: str | None = None

    @property
    def callbacks(self) -> tuple[Callback, ...]:
        """Who is told of what. A cancelled run has failed, in the standard's words."""
        heard = (
            (self.success, (Topic.RUN_FINISHED,)),
            (self.in_progress, (Topic.RUN_START, Topic.RUN_PROGRESS)),
            (self.failed, (Topic.RUN_ERROR, Topic.RUN_CANCELED)),
        )
        topics: dict[str, tuple[Topic, ...]] = {}
        for url, some in heard:
            if url is not None:
                topics[url] = (*topics.get(url, ()), *some)
        return tuple(Callback(url=url, topics=some, form=SUBSCRIBER) for url, some in topics.items())


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """What an execute request asked beside the run itself."""

    response: ResponseForm = ResponseForm.RAW
    outputs: tuple[WantedOutput, ...] = ()
    """In the order asked for; none means every declared one, by value."""
    origin: str | None = None
    """``https://host:port`` as its caller knows this service: links in what subscribers are sent begin with it."""
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
