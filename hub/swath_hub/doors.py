"""The doors of one copy, and when each opens. Standard library only: it starts beside the hub and must be light."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from swath_hub.state import State


@dataclass(frozen=True)
class Door:
    """Something that answers over HTTP once it is ready."""

    name: str
    port: str
    """Its name in the state's ports."""
    path: str
    text: str


DOORS = (
    Door("hub", "hub", "/hub/health", "sign in, JupyterLab"),
    Door("quota", "quota", "/services/quota/health", "wallets"),
    Door("marketplace", "marketplace", "/services/marketplace/health", "algorithms and runs"),
    Door("archive", "archive", "/services/archive/health", "STAC catalogue and data"),
    Door("dask-gateway", "dask_gateway", "/services/dask-gateway/api/health", "Dask clusters"),
)


def open_now(state: State, door: Door) -> bool:
    """Whether `door` answers with a success, asked as a client would."""
    # Behind the proxy first: asked for an address it does not know yet, the proxy logs an error.
    return _answers("127.0.0.1", state.ports[door.port], door.path) and _answers(
        urlsplit(state.url).hostname or "127.0.0.1", state.ports["public"], door.path
    )


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def watch(
    state: State,
    *,
    opened: Callable[[Door, float], None],
    alive: Callable[[], bool],
    seconds: float = 60.0,
) -> list[Door]:
    """Call `opened` for each door as it opens.

    Parameters
    ----------
    alive
        Whether waiting makes sense; asked between tries.

    Returns
    -------
    The doors that did not open in time.
    """
    begun = time.monotonic()
    closed = list(DOORS)
    while closed and alive() and time.monotonic() - begun < seconds:
        # The hub tells the proxy of itself and all services at once: until its own door opens no other one can.
        for door in [door for door in closed if door is DOORS[0]] or list(closed):
            if open_now(state, door):
                closed.remove(door)
                opened(door, time.monotonic() - begun)
        if closed:
            time.sleep(0.2)
    return closed
