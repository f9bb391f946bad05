"""Environment variables that a user's processes get. It is a list of what is let in: nothing is inherited."""

from __future__ import annotations

from swath_archive.client import environment as archive_environment

from swath_hub.state import State

#: Where every sandbox sees the archive.
ARCHIVE = "/archive"


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


__all__ = ["ARCHIVE", "archive_environment", "user_environment"]
