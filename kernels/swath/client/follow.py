"""A run as it goes: its events as they happen, over broken connections and restarts of the server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from swath.client import sse
from swath.client.errors import ServerFault, SwathError, Unreachable, WaitTimeout
from swath.client.http import MARKETPLACE, Api, segment

TERMINAL = frozenset({"finished", "error", "canceled"})
#: Seconds that the server may stay away before a follower gives up. The run goes on meanwhile.
PATIENCE = 120.0
#: Seconds of silence on the stream after which the run is asked for directly.
_SILENCE = 20.0
_SETTLING = 3.0
_LONGEST_PAUSE = 2.0
_STREAM_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to a run."""

    type: str
    """``start``, ``cell-start``, ``cell-end``, ``log``, ``progress``, ``output``, ``end``, ``checkpoint-requested``, or
    ``status``."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The runner's event; for ``status`` the run itself, for ``checkpoint-requested`` why, as the marketplace says."""


class _NoStream(Exception):
    """What answers in the place of the event stream is none."""


class Follower:
    """Follows one run to its end.

    Every event is told once, in order, also when the connection broke in between: the server is asked for what came
    after the last event seen. Where no event stream can be had (a proxy may cut or buffer it), run and log are asked
    for instead.

    Parameters
    ----------
    deadline
        On `clock`; ``None`` follows to the end.
    patience
        Seconds that the server may be away.
    """

    def __init__(
        self,
        api: Api,
        run_id: str,
        *,
        deadline: float | None = None,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = api
        self._path = f"{MARKETPLACE}/runs/{segment(run_id)}"
        self._run_id = run_id
        self._deadline = deadline
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._last_id = ""
        self._last_seq = -1
        self._logged = 0
        self._ended = False
        self._had_stream = False
        self._whole = False

    def events(self) -> Iterator[Event]:
        """Every event until the run is over; the last one is its ``status``.

        Raises
        ------
        WaitTimeout
            The deadline has passed.
        Unreachable
            The server stayed away for longer than the patience.
        SwathError
            The run cannot be read, e.g. `NotFound`.
        """
        empty, over = 0, False
        while empty < _STREAM_ATTEMPTS:
            seen = self._last_seq
            try:
                yield from self._streamed()
                # A server that shuts down closes the stream as if that were all; so only what was asked for after
                # the end of the run is known to be all.
                self._whole = self._whole or over
            except _NoStream:
                break
            except (httpx.HTTPError, Unreachable):
                pass
            run = self._run()
            over = run["status"] in TERMINAL
            if over and self._whole:
                yield Event(type="status", data=run)
                return
            empty = 0 if self._last_seq > seen else empty + 1
            if not over:
                yield Event(type="status", data=run)
                self._pause(empty)
        yield from self._polled()

    def _streamed(self) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        asked = self._clock()
        try:
            with self._api.stream(f"{self._path}/events", headers=headers, timeout=self._silence()) as response:
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise _NoStream
                self._had_stream = True
                for found in sse.parse(sse.lines(response.iter_text())):
                    self._in_time()
                    if found.comment or not found.data:
                        if self._clock() - asked > self._silence():
                            asked = self._clock()
                            run = self._run()
                            yield Event(type="status", data=run)
                            if run["status"] in TERMINAL:
                                self._whole = True
                                return
                        continue
                    asked = self._clock()
                    if (event := self._taken(found)) is not None:
                        yield event
                        if event.type == "status" and event.data.get("status") in TERMINAL:
                            self._whole = True
                            return
        except (ServerFault, ValueError) as error:
            raise _NoStream from error
        except SwathError as error:
            if error.status in (404, 405, 406) or (error.code == "not-swath" and not self._had_stream):
                raise _NoStream from error
            raise

    def _taken(self, found: sse.ServerEvent) -> Event | None:
        """The event, unless it was seen before or is not one of a run."""
        try:
            data = json.loads(found.data)
        except ValueError:
            return None
        if not isinstance(data, dict):
            return None
        if found.id:
            self._last_id = found.id
        if "status" in data and "seq" not in data:
            return Event(type="status", data=data)
        seq = data.get("seq")
        if isinstance(seq, int):
            if seq <= self._last_seq:
                return None
            self._last_seq = seq
        kind = str(data.get("type") or found.event)
        if kind == "log":
            self._logged += len(str(data.get("text", "")))
        if kind == "end":
            self._ended = True
        return Event(type=kind, data=data)

    def _polled(self) -> Iterator[Event]:
        pause = 0.3
        while True:
            run = self._run()
            try:
                text = self._api.request("GET", f"{self._path}/log").text
            except Unreachable:
                text = ""
            if len(text) > self._logged:
                yield Event(type="log", data={"type": "log", "stream": "stdout", "text": text[self._logged :]})
                self._logged = len(text)
                pause = 0.3
            yield Event(type="status", data=run)
            if run["status"] in TERMINAL:
                return
            self._wait(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _run(self) -> dict[str, Any]:
        """The run, however often that has to be asked within the patience."""
        since = self._clock()
        pause = 0.5
        while True:
            try:
                run = self._api.json("GET", self._path)
                if isinstance(run, dict) and isinstance(run.get("status"), str):
                    return run
                raise self._api.not_swath(self._path, "did not answer with a run")
            except Unreachable as error:
                # While a hub starts, its proxy answers for services it does not know yet: that is no wrong address.
                if error.code == "bad-certificate" or self._clock() - since > self._patience:
                    error.mend = f"{error.mend}; the run {self._run_id} goes on".lstrip("; ")
                    raise
            self._wait(pause)
            pause = min(pause * 2, 5.0)

    def _pause(self, empty: int) -> None:
        """Before the next connection: none after the runner's last event, whose settlement takes but a moment."""
        self._wait(0.1 if self._ended else min(0.2 * 2**empty, _LONGEST_PAUSE))

    def _silence(self) -> float:
        usual = _SETTLING if self._ended else _SILENCE
        return usual if self._deadline is None else max(0.05, min(usual, self._deadline - self._clock()))

    def _wait(self, seconds: float) -> None:
        self._in_time()
        self._sleep(seconds if self._deadline is None else max(0.0, min(seconds, self._deadline - self._clock())))

    def _in_time(self) -> None:
        if self._deadline is not None and self._clock() >= self._deadline:
            raise WaitTimeout(
                f"the run {self._run_id} is not over yet; it goes on",
                code="wait-timeout",
                mend=f"swath.get_run({self._run_id!r}).wait() waits on",
            )
