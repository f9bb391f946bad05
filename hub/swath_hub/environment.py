"""Environment variables that a user's processes get. It is a list of what is let in: nothing is inherited."""

from __future__ import annotations

import importlib
from types import ModuleType

from swath_hub.state import State

#: Where every sandbox sees the archive.
ARCHIVE = "/archive"


def archive_environment(archive: str) -> dict[str, str]:
    """``SWATH_ARCHIVE`` and the GDAL variables, as `swath_archive.client` names them."""
    try:
        client: ModuleType = importlib.import_module("swath_archive.client")
    except ImportError:
        return {"SWATH_ARCHIVE": archive}
    return dict(client.environment(archive))


def user_environment(state: State) -> dict[str, str]:
    """What a JupyterLab server and its kernels see of Swath."""
    gateway = f"{state.url}services/dask-gateway"
    schedulers = f"gateway://127.0.0.1:{state.ports['dask_scheduler']}"
    return {
        "SWATH_URL": state.url,
        "SWATH_DASK_GATEWAY_URL": gateway,
        "SWATH_DASK_GATEWAY_PROXY": schedulers,
        # The same for `dask_gateway.Gateway()` and for JupyterLab's Dask panel.
        "DASK_GATEWAY__ADDRESS": gateway,
        "DASK_GATEWAY__PROXY_ADDRESS": schedulers,
        "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
        **archive_environment(ARCHIVE),
    }
