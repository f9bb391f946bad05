"""Webhooks and callbacks: who is told of what, where, and how long it is tried."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Topic(StrEnum):
    """What can be listened for; who listens for one hears those below it, too (``run.end.error`` is below ``run.end``).

    The ``type`` of a message is one without an outcome: ``run.end`` whatever the end.
    """

    RUN_START = "run.start"
    RUN_PROGRESS = "run.progress"
    RUN_OUTPUT = "run.output"
    RUN_END = "run.end"
    RUN_FINISHED = "run.end.finished"
    RUN_ERROR = "run.end.error"
    RUN_CANCELED = "run.end.canceled"
    NOTICE = "notice"
    PING = "ping"

    @property
    def type(self) -> str:
        """What a message of this topic says it is."""
        return Topic.RUN_END.value if self.value.startswith(f"{Topic.RUN_END.value}.") else self.value

    def within(self, topics: Sequence[Topic]) -> bool:
        """Whether somebody who listens for `topics` hears this."""
        return self is Topic.PING or any(self is one or self.value.startswith(f"{one.value}.") for one in topics)


#: What a new webhook listens for unless it says otherwise.
USUAL = (Topic.RUN_START, Topic.RUN_END)
#: What a user can ask for: a ping comes on request alone.
CHOICES = tuple(topic for topic in Topic if topic is not Topic.PING)
#: The form of messages to webhooks; another face of this service may have forms of its own for its callbacks.
STANDARD = "standard"

#: How long a message is tried for.
PATIENCE = timedelta(days=3)
#: News of a progress is old news soon.
PROGRESS_PATIENCE = timedelta(minutes=5)
#: A webhook that took nothing for so long is switched off when a message to it is given up. Shorter than the patience
#: by more than the longest pause: the last try of a message that nobody ever took comes later than this.
DISABLE_AFTER = timedelta(hours=60)
#: How long what was sent can be looked at, and sent again.
KEEP = timedelta(days=30)
MOST_WEBHOOKS = 20
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 8 * 3600.0


class Kind(StrEnum):
    """Who listens."""

    WEBHOOK = "webhook"
    """A user's standing wish."""
    CALLBACK = "callback"
    """Came with one run, and goes with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Callback:
    """Somebody to be told of one run, given with the request for it."""

    url: str
    topics: tuple[Topic, ...] = USUAL
    form: str = STANDARD
    """Who writes the body: `STANDARD`, or a name that was given to the deliverer with a writer."""

    def as_dict(self) -> dict[str, Any]:
        """JSON form; what makes two requests the same counts it in."""
        return {"url": self.url, "topics": [topic.value for topic in self.topics], "form": self.form}


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """Somebody who listens."""

    id: str
    user: str
    kind: Kind
    url: str = field(repr=False)
    """Not in a log: an address may be a secret of its own."""
    topics: tuple[Topic, ...]
    created_at: datetime
    algorithm: str | None = None
    """``owner/name``, when only its runs are told of."""
    run_id: str | None = None
    form: str = STANDARD
    description: str = ""
    secret_number: int = 1
    """Which of its secrets signs; each rotation is the next number."""
    previous_until: datetime | None = None
    """Until then the secret before it signs, too."""
    failing_since: datetime | None = None
    """Since when nothing was taken; ``None`` after each delivery that was."""
    disabled_at: datetime | None = None
    disabled_why: str = ""

    @property
    def active(self) -> bool:
        """Whether anything is sent there."""
        return self.disabled_at is None

    def secret_numbers(self, now: datetime) -> tuple[int, ...]:
        """The secrets that sign now, the newest first."""
        overlap = self.previous_until is not None and now < self.previous_until and self.secret_number > 1
        return (self.secret_number, self.secret_number - 1) if overlap else (self.secret_number,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """Something that happened, before it is known who listens."""

    key: str
    """What makes it one thing: the same key is the same message, however often it is told."""
    topic: Topic
    user: str
    at: datetime
    data: Mapping[str, Any]
    algorithm: str | None = None
    run_id: str | None = None

    @property
    def patience(self) -> timedelta:
        """How long it is worth telling."""
        return PROGRESS_PATIENCE if self.topic is Topic.RUN_PROGRESS else PATIENCE


class DeliveryStage(StrEnum):
    """How far a message to one listener has come."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One try."""

    at: datetime
    status: int | None
    """What was answered; ``None``: nobody did."""
    error: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it was taken."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A message to one listener."""

    id: str
    """The ``webhook-id``: the same in every attempt, so that a receiver can drop a double."""
    webhook_id: str
    topic: Topic
    run_id: str | None
    at: datetime
    """When it happened."""
    position: int = 0
    """Among those of one moment."""
    body: str | None = field(repr=False)
    """What is sent, to the byte; ``None`` until a writer of another form has written it."""
    stage: DeliveryStage
    next_at: datetime
    gives_up_at: datetime
    tries: int = 0
    attempts: tuple[Attempt, ...] = ()
    """The latest of them."""
    ended_at: datetime | None = None

    @property
    def latest(self) -> Attempt | None:
        """The last try."""
        return self.attempts[-1] if self.attempts else None


def delivery_id(webhook_id: str, key: str) -> str:
    """Name of the message `key` to one listener: whoever tells it again finds it there."""
    return "msg_" + hashlib.sha256(f"{webhook_id}\n{key}".encode()).hexdigest()[:32]


def callback_id(run_id: str, number: int) -> str:
    """Name of what came with a run to be told of it: the `number` of it, from 0."""
    return hashlib.sha256(f"{run_id}/{number}".encode()).hexdigest()[:32]


def pause_after(tries: int, *, spread: float, retry_after: float | None = None) -> float:
    """Seconds until the next try: 5 s, 20 s, 80 s, … and never more than 8 h, so about 15 tries in three days.

    Parameters
    ----------
    spread
        0..1, by chance: the pause is made 0.8 to 1.2 times as long, so that many do not come back at one moment.
    retry_after
        What the receiver asked for, believed up to an hour.
    """
    pause: float = min(_FIRST_PAUSE * 4.0 ** min(tries - 1, 10), _LONGEST_PAUSE) * (0.8 + 0.4 * spread)
    return max(pause, min(retry_after or 0.0, 3600.0))
