"""``Prefer`` (RFC 7240): how long a caller waits for the end of a run, and whether it waits at all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import anyio
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from swath_marketplace.api.context import Context
from swath_marketplace.domain.runs import Run

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5
#: When to look again at a run that goes on, in seconds.
_RETRY_AFTER = "2"


@dataclass(frozen=True, kw_only=True, slots=True)
class Preferences:
    """What is understood of a ``Prefer`` header; the rest is passed over, as the standard says."""

    respond_async: bool = False
    wait: float | None = None
    """Seconds."""

    @classmethod
    def parse(cls, headers: Sequence[str], *, most: float) -> Preferences:
        """Read the header's lines; of a preference that comes twice the first counts, and no wait is above `most`."""
        found: dict[str, str] = {}
        for part in ",".join(headers).split(","):
            name, _, value = part.partition(";")[0].partition("=")
            found.setdefault(name.strip().lower(), value.strip().strip('"'))
        seconds = found.get("wait", "")
        # Nine digits are 31 years: what is longer was no number that somebody meant.
        wait = min(float(seconds), most) if seconds.isascii() and seconds.isdigit() and len(seconds) < 10 else None
        return cls(respond_async="respond-async" in found and not found["respond-async"], wait=wait)

    @property
    def applied(self) -> str:
        """The header ``Preference-Applied``; empty when nothing was asked."""
        waits = f"wait={self.wait:g}" if self.wait is not None else ""
        return ", ".join(part for part in ("respond-async" if self.respond_async else "", waits) if part)

    def mark(self, response: Response, run: Run) -> None:
        """Set status and headers of the answer to a request for `run`: 202 when it goes on and that was agreed to."""
        if not self.applied:
            return
        response.headers["Preference-Applied"] = self.applied
        response.headers["Vary"] = "Prefer"
        if not run.terminal:
            response.status_code = 202
            response.headers["Retry-After"] = _RETRY_AFTER


async def waited_for(request: Request, services: Context, run: Run, *, seconds: float) -> Run:
    """`run` when it has ended, or as it is after `seconds`, or when nobody listens any more; it goes on all the same.

    No thread is held meanwhile.
    """
    deadline, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while not run.terminal and (left := deadline - time.monotonic()) > 0:
        if await request.is_disconnected():
            break
        await anyio.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
        found = await run_in_threadpool(services.run_store.get, run.id)
        run = found or run
    return run
