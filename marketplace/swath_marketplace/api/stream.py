"""A run as server-sent events: changes of its status from the database, all else from its own event log.

Types are ``status`` and ``checkpoint-requested`` (the marketplace's), ``start``, ``cell-start``, ``cell-end``, ``log``,
``progress``, ``output`` and ``end`` (the run's). Every stream that is read to its close has one ``end``, also that of a
run which was killed, refused or canceled and could not say so itself, and then the final ``status``.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import anyio
from fastapi.concurrency import run_in_threadpool
from sse_starlette import ServerSentEvent

from swath_marketplace.api.context import Context
from swath_marketplace.domain.clock import iso
from swath_marketplace.domain.runs import Run
from swath_marketplace.services.events import LoggedEvent
from swath_marketplace.store.runs import StatusEvent

_QUICK_SECONDS = 0.1
_SLOW_SECONDS = 0.5
_AT_ONCE = 500
_ID = re.compile(r"(\d{1,9})-(\d{1,12})(e?)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """How far a reader has come; written in each event's id."""

    status: int = 0
    """Number of the last change of status."""
    offset: int = 0
    """Byte of the event log where the next line begins."""
    ended: bool = False
    """Whether an end was told that the log does not hold."""

    @classmethod
    def parse(cls, text: str | None) -> Place:
        """The place in a ``Last-Event-ID``; the start when there is none or it is not ours."""
        match = _ID.fullmatch(text or "")
        return cls(status=int(match[1]), offset=int(match[2]), ended=bool(match[3])) if match else cls()

    def __str__(self) -> str:
        return f"{self.status}-{self.offset}{'e' if self.ended else ''}"


async def follow(services: Context, run_id: str, *, start: Place) -> AsyncIterator[ServerSentEvent]:
    """The events of a run after `start`, until it has ended; the last one is its final status."""
    place, pause = start, _QUICK_SECONDS
    while True:
        # The status is read before the log: what a run wrote before its end is then never missed.
        run, statuses = await run_in_threadpool(_statuses, services, run_id, place.status)
        going = [change for change in statuses if not change.status.terminal]
        for change in going:
            place = replace(place, status=change.seq)
            yield _status_event(services, run, change, place)
        told = 0
        while logged := await run_in_threadpool(_logged, services, run_id, place.offset):
            for entry in logged:
                place = replace(place, offset=entry.end)
                yield _sse(entry.event.type.value, entry.as_dict(), place)
            told += len(logged)
        if run.terminal and not place.ended and not await run_in_threadpool(services.events.has_end, run_id):
            place = replace(place, ended=True)
            yield _sse("end", _end_of(run), place)
        for change in statuses[len(going) :]:
            yield _status_event(services, run, change, replace(place, status=change.seq))
        if run.terminal:
            return
        pause = _QUICK_SECONDS if told or statuses else min(pause * 1.3, _SLOW_SECONDS)
        await anyio.sleep(pause)


def _statuses(services: Context, run_id: str, after: int) -> tuple[Run, Sequence[StatusEvent]]:
    run = services.run_store.get(run_id)
    assert run is not None
    changes = services.run_store.status_events(run_id, after=after)
    # A change that came after the run was read waits for the next look.
    return run, [change for change in changes if run.terminal or not change.status.terminal]


def _logged(services: Context, run_id: str, offset: int) -> list[LoggedEvent]:
    return list(islice(services.events.read(run_id, start=offset), _AT_ONCE))


def _end_of(run: Run) -> dict[str, Any]:
    """What the run would have said. Without a number of its log, as everything that it did not say itself."""
    wrong = run.error or run.refusal
    told = {"type": "end", "at": iso(run.ended_at), "name": run.status.value}
    return {**told, "message": wrong.message} if wrong else told


def _status_event(services: Context, run: Run, change: StatusEvent, place: Place) -> ServerSentEvent:
    if change.detail:
        # Without a number of the run's own log, and no status: whatever follows a run tells it apart by its type.
        return _sse(str(change.detail["type"]), {**change.detail, "at": iso(change.at)}, place)
    told: dict[str, Any] = {"id": run.id, "status": change.status.value, "at": iso(change.at)}
    if run.status is change.status:
        # The whole run goes with the status it now has; an older one must not look like an end.
        told = {**services.shapes.run(run), **told}
    return _sse("status", told, place)


def _sse(kind: str, data: dict[str, Any], place: Place) -> ServerSentEvent:
    return ServerSentEvent(data=json.dumps(data, ensure_ascii=False), event=kind, id=str(place))
