"""The doors of one copy, and when each opens. Standard library only: it starts beside the hub and must be light."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from swath_hub.state import State


@dataclass(frozen=True)
class Door:
    """Something that answers over HTTP once it is ready."""

    name: str
    path: str
    text: str


DOORS = (
    Door("hub", "/hub/health", "sign in, JupyterLab"),
    Door("quota", "/services/quota/health", "wallets"),
    Door("marketplace", "/services/marketplace/health", "algorithms and runs"),
    Door("archive", "/services/archive/health", "STAC catalogue and data"),
    Door("dask-gateway", "/services/dask-gateway/api/health", "Dask clusters"),
)


def open_now(state: State, door: Door) -> bool:
    """Whether `door` answers with a success, asked as a client would."""
    return _ask(urlsplit(state.url).hostname or "127.0.0.1", state.ports["public"], door.path) is not None


def routed(state: State, token: str) -> bool:
    """Whether the proxy has been told of the hub, and so of the services: asked before, it logs an error each time."""
    told = _ask("127.0.0.1", state.ports["proxy_api"], "/api/routes/", Authorization=f"token {token}")
    return told is not None and "/" in json.loads(told)


def _ask(host: str, port: int, path: str, **headers: str) -> bytes | None:
    """The body of a successful answer."""
    connection = http.client.HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.read() if answer.status < 400 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def watch(
    state: State,
    *,
    token: str,
    opened: Callable[[Door, float], None],
    alive: Callable[[], bool],
    seconds: float = 60.0,
) -> list[Door]:
    """Call `opened` for each door as it opens.

    Parameters
    ----------
    token
        Of the proxy's API.
    alive
        Whether waiting makes sense; asked between tries.

    Returns
    -------
    The doors that did not open in time.
    """
    begun = time.monotonic()
    closed = list(DOORS)
    while closed and alive() and time.monotonic() - begun < seconds:
        for door in list(closed) if routed(state, token) else []:
            if open_now(state, door):
                closed.remove(door)
                opened(door, time.monotonic() - begun)
        if closed:
            time.sleep(0.1)
    return closed
