"""`swath down`: the hub first, then what outlives it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from swath_hub import lock, sandboxes
from swath_hub.errors import OperatorError
from swath_hub.folder import DataFolder
from swath_hub.state import load

_HUB_SECONDS = 45.0
_SANDBOX_SECONDS = 20.0


def guarded(folder: DataFolder) -> Iterator[tuple[str, Path]]:
    """Every warden's folder of this copy, with what it guards."""
    for kind, found in (
        ("JupyterLab servers", folder.servers.glob("*@*")),
        ("Dask processes", folder.clusters.glob("*/wardens/*")),
        ("runs", (folder.service("marketplace") / "runs").glob("*/warden")),
    ):
        for place in found:
            if place.is_dir():
                yield kind, place


def stop(folder: DataFolder, *, keep: bool) -> dict[str, Any]:
    """End the hub with its services, and unless `keep` everything that users have going.

    Raises
    ------
    OperatorError
        Something does not end.
    """
    hub = load(folder.state).hub
    was_running = lock.held(folder.lock)
    if was_running and hub is not None:
        hub.send(signal.SIGTERM)
    end = time.monotonic() + _HUB_SECONDS
    while lock.held(folder.lock):
        if time.monotonic() > end:
            raise OperatorError(
                code="hub-does-not-end",
                message=f"the hub did not end within {_HUB_SECONDS:.0f} s",
                mend=f"look at {folder.log}; `kill -9 {hub.pid if hub else '<its pid>'}` ends it by force",
            )
        time.sleep(0.05)
    counts: dict[str, int] = {}
    if not keep:
        alive = [(kind, place) for kind, place in guarded(folder) if sandboxes.running(place)]
        with ThreadPoolExecutor(8) as pool:
            gone = list(pool.map(lambda one: sandboxes.stop(one[1], seconds=_SANDBOX_SECONDS), alive))
        for (kind, place), ended in zip(alive, gone, strict=True):
            if not ended:
                raise OperatorError(code="sandbox-does-not-end", message=f"what {place} guards does not end")
            counts[kind] = counts.get(kind, 0) + 1
    return {"hub": was_running, "sandboxes": counts}
