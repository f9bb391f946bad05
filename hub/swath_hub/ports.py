"""Ports of one copy: chosen free once, recorded, kept over restarts."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Collection, Mapping

from swath_hub.errors import OperatorError

#: What listens on loopback, and why each has a port of its own.
INTERNAL = {
    "hub": "JupyterHub behind the proxy",
    "proxy_api": "the proxy's own API, guarded by a token",
    "quota": "wallets",
    "marketplace": "algorithms and runs",
    "archive": "STAC catalogue and assets",
    "dask_gateway": "Dask Gateway's HTTP door",
    "dask_api": "Dask Gateway behind its proxy",
    "dask_scheduler": "the door to Dask schedulers (TLS)",
}
PUBLIC = "public"
DEFAULT_PUBLIC = 8000
# Below Linux's range for outgoing connections (32768 and up): a port that is recorded there may be taken by any
# client at the next start.
_LOWEST, _HIGHEST = 20_000, 32_000


def free(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a server can listen on `port` now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def answers(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether somebody listens on `port`."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def pick(taken: Collection[int], *, host: str = "127.0.0.1") -> int:
    """A free port that is not in `taken`."""
    for _ in range(1000):
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311 - no secret: every port is guarded by a token
        if port not in taken and free(port, host=host):
            return port
    raise OperatorError(code="no-free-port", message=f"no free port between {_LOWEST} and {_HIGHEST}")


def _wait_free(port: int, host: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not free(port, host=host):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def choose(recorded: Mapping[str, int], *, bind: str, wanted: int | None, wait_seconds: float = 5.0) -> dict[str, int]:
    """Ports for this start: those recorded, those asked for, else free ones.

    A recorded port that is busy is waited for, since the process of the last start may still be ending.

    Parameters
    ----------
    recorded
        What an earlier start wrote down; may be empty.
    bind
        Address of the public port.
    wanted
        The public port that the operator asked for.

    Raises
    ------
    OperatorError
        The public port, or the hub's (which running JupyterLab servers know), is taken by another program.
    """
    chosen: dict[str, int] = {}
    public = wanted or recorded.get(PUBLIC)
    if public is None:
        public = DEFAULT_PUBLIC if free(DEFAULT_PUBLIC, host=bind) else pick((), host=bind)
    elif not _wait_free(public, bind, wait_seconds):
        raise OperatorError(
            code="port-taken",
            message=f"another program listens on {bind}:{public}",
            mend="end it, or choose another port with --port",
        )
    chosen[PUBLIC] = public
    for name in INTERNAL:
        port = recorded.get(name)
        if port is not None and _wait_free(port, "127.0.0.1", wait_seconds):
            chosen[name] = port
        elif port is not None and name == "hub":
            raise OperatorError(
                code="port-taken",
                message=f"another program listens on 127.0.0.1:{port}, where JupyterLab servers look for the hub",
                mend="end it; or run `swath down` and delete state.json, then JupyterLab servers start anew",
            )
        else:
            chosen[name] = pick(set(chosen.values()) | set(recorded.values()))
    return chosen
