"""Run by a cluster's scheduler, in its sandbox: what the gateway tells, the cluster's clients see as warnings.

Dask Gateway's protocol has no message from the gateway to a client that is not asking. So the gateway writes into a
file that the scheduler may only read, and this preload sends each line once to every client, old or new, as a warning
of Dask's own kind: it shows under the cell that runs. It imports nothing of Swath's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import time
from pathlib import Path
from typing import Any

LINES = Path(__file__).with_name("notices.jsonl")
_PERIOD_SECONDS = 1.0

logger = logging.getLogger("distributed.scheduler")


def read(lines: Path) -> list[str]:
    """Every notice so far; none while there is no file, or none that can be read."""
    try:
        return [str(json.loads(line)["text"]) for line in lines.read_text().splitlines()]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def event(text: str) -> dict[str, Any]:
    """The message with which Dask shows a warning (that of ``distributed.worker.warn``)."""
    return {"op": "event", "topic": "warn", "event": (time.time(), {"message": pickle.dumps(text)})}


def untold(scheduler: Any, told: dict[str, int], texts: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Messages to each client that has not heard all `texts`; `told` counts what each has heard."""
    for gone in set(told) - set(scheduler.clients):
        del told[gone]
    messages = {}
    for client in scheduler.clients:
        # A client met for the first time is told a round later, when it has said what it listens to.
        heard = told.setdefault(client, -1)
        if heard >= 0:
            if texts[heard:]:
                messages[client] = [event(text) for text in texts[heard:]]
            told[client] = len(texts)
        else:
            told[client] = 0
    return messages


async def _watch(scheduler: Any) -> None:
    told: dict[str, int] = {}
    while True:
        await asyncio.sleep(_PERIOD_SECONDS)
        try:
            messages = untold(scheduler, told, read(LINES))
            scheduler.send_all(messages, {})
        except Exception:
            logger.warning("The gateway's notices can't be shown", exc_info=True)


_tasks: set[asyncio.Task[None]] = set()


def dask_setup(scheduler: Any) -> None:
    """Called by Dask when the scheduler has started."""
    _tasks.add(asyncio.ensure_future(_watch(scheduler)))


def dask_teardown(scheduler: Any) -> None:
    """Called by Dask when the scheduler ends."""
    del scheduler
    for task in _tasks:
        task.cancel()
