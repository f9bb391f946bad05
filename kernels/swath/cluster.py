"""``swath.cluster()``: Dask workers beside the archive, for as long as they are needed."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import threading
from typing import TYPE_CHECKING, Any

from swath.client.credentials import find
from swath.client.errors import Invalid, MissingPackage, NotSignedIn, Refused, SwathError, Unreachable

if TYPE_CHECKING:
    from dask_gateway import GatewayCluster

_WAIT_SECONDS = 60.0
#: How texts begin that are no fault of the request.
_REFUSALS = r"(quota-exceeded|credits-exhausted|member-ceiling|budget-too-small|quota-unreachable)\b"
#: Clusters that are open. They are held here because a cluster that is garbage-collected closes itself on whatever
#: thread that happens, and on the event loop's own thread it then waits for itself for ever.
_open: set[Any] = set()


def cluster(
    workers: int = 2,
    *,
    cores: int = 1,
    memory_gb: float = 1.0,
    adaptive: bool = False,
    environment: str | None = None,
) -> GatewayCluster:
    """A Dask cluster of your own; its workers see the archive as this kernel does.

    It is your default Dask client's cluster from then on: what you `compute` runs there. Close it with ``close()`` or
    use it in a ``with`` statement; at the end of the kernel it closes by itself.

    Where your limits or your wallet allow fewer workers than asked, you get those, and a warning that says why.

    Parameters
    ----------
    workers
        How many workers to start, or with `adaptive` the most that may be started.
    cores, memory_gb
        Processors and memory (GiB) of each worker.
    adaptive
        Start and stop workers as there is work.
    environment
        Name of the workers' environment, by default this kernel's own.

    Returns
    -------
    dask_gateway.GatewayCluster
        With ``get_client()``, ``scale(n)``, ``adapt(minimum, maximum)``, ``dashboard_link``, ``close()``.

    Raises
    ------
    Refused
        Your limits or your wallet say no; the text names the limit, what is in use where, and what would help.
    Invalid
        A size that this server does not offer.
    NotSignedIn, Unreachable
        There is no Swath to ask, or it does not answer.

    Examples
    --------
    >>> with swath.cluster(2) as cluster:  # doctest: +SKIP
    ...     ndvi.mean("time").compute()
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise Invalid(f"workers is a whole number from 1 up, not {workers!r}", code="bad-workers")
    gateway_cluster = _class()
    where = _where()
    chosen = environment or os.environ.get("SWATH_ENVIRONMENT")
    options: dict[str, Any] = {"worker_cores": cores, "worker_memory": memory_gb}
    if chosen:
        options["environment"] = chosen
    with _told(where["address"]):
        started = gateway_cluster(**where, **options)
        _open.add(started)
        try:
            if adaptive:
                started.adapt(minimum=1, maximum=workers)
            else:
                started.scale(workers)
            started.get_client().wait_for_workers(1 if adaptive else _granted(started, workers), timeout=_WAIT_SECONDS)
        except BaseException:
            started.close()
            raise
    return started


def _granted(started: Any, asked: int) -> int:
    """How many workers the gateway grants of those asked for.

    Raises
    ------
    Refused
        None.
    """
    told = started.gateway.get_cluster(started.name).options
    granted = min(asked, int(told.get("workers_granted", asked)))
    if granted < 1:
        raise _refusal(str(told.get("notice") or "there is no room for a worker"))
    return granted


def _refusal(text: str) -> Refused:
    """The gateway's no; its text begins with a code and, in brackets, the limit."""
    code = re.match(r"([a-z-]+)(?: \([a-z_.0-9]+\))?: ", text)
    return Refused(text, code=code[1] if code else "cluster-refused")


def _where() -> dict[str, Any]:
    """Addresses and token of the gateway.

    Raises
    ------
    NotSignedIn
        This is no kernel of Swath's JupyterLab, and nobody signed in.
    """
    from dask_gateway.auth import JupyterHubAuth

    credentials = find()
    address = os.environ.get("SWATH_DASK_GATEWAY_URL") or f"{credentials.url}services/dask-gateway"
    proxy = os.environ.get("SWATH_DASK_GATEWAY_PROXY")
    if not proxy:
        raise NotSignedIn(
            "SWATH_DASK_GATEWAY_PROXY is not set, so Dask's schedulers can't be reached from here",
            code="no-dask-gateway",
            mend="start a cluster from a notebook in Swath's JupyterLab",
        )
    return {"address": address, "proxy_address": proxy, "auth": JupyterHubAuth(credentials.token)}


def _class() -> Any:
    try:
        from dask_gateway import Gateway, GatewayCluster
    except ImportError as error:
        raise MissingPackage(
            "a Dask cluster needs the package dask-gateway", code="missing-package", mend="pip install 'swath[kernel]'"
        ) from error

    class QuietGateway(Gateway):  # type: ignore[misc]
        """Closed by its cluster and never by the garbage collector, which may run on the event loop's thread."""

        def __del__(self) -> None:
            pass

    class SwathCluster(GatewayCluster):  # type: ignore[misc]
        """`GatewayCluster` that is closed when it is said, or when the kernel ends."""

        def _init_internal(self, **settings: Any) -> None:
            super()._init_internal(**settings)
            self.gateway.__class__ = QuietGateway

        def close(self, shutdown: bool | None = None) -> Any:
            _open.discard(self)
            return super().close(shutdown=shutdown)

        def __del__(self) -> None:
            pass

    return SwathCluster


@contextlib.contextmanager
def _told(address: str) -> Any:
    """Turn what dask-gateway raises into errors with a mend."""
    import aiohttp

    try:
        yield
    except SwathError:
        raise
    except ValueError as error:
        # dask-gateway's word for 404 and 422: the text is the server's.
        if re.match(_REFUSALS, str(error)):
            raise _refusal(str(error)) from error
        raise Invalid(str(error), code="cluster-refused") from error
    except aiohttp.ClientResponseError as error:
        if error.status in (401, 403):
            raise NotSignedIn(
                "this token may not start Dask clusters",
                code="no-access",
                mend="use a token that may access the service dask-gateway; JupyterLab's own may",
                status=error.status,
            ) from error
        raise Unreachable(
            f"Dask Gateway answered {error.status}", code="gateway-fault", mend="try again soon"
        ) from error
    except aiohttp.ClientError as error:
        raise Unreachable(
            f"nothing answers at {address}", code="no-connection", mend="check that Swath runs (`swath status`)"
        ) from error
    except TimeoutError as error:
        raise Unreachable(
            f"the workers did not come within {_WAIT_SECONDS:.0f} s",
            code="workers-late",
            mend="ask for fewer or smaller ones, or try again when the machine is less busy",
        ) from error


def _close_all() -> None:
    for one in list(_open):
        # At the end of a kernel there is nobody left to tell; the gateway closes what idles.
        closing = threading.Thread(target=_close_quietly, args=(one,), daemon=True)
        closing.start()
        closing.join(timeout=5)


def _close_quietly(one: Any) -> None:
    with contextlib.suppress(Exception):
        one.close()


atexit.register(_close_all)
