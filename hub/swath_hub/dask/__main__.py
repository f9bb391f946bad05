"""``python -m swath_hub.dask``: the gateway's process, started by the hub."""

from __future__ import annotations

from dask_gateway_server.app import DaskGateway

from swath_hub.dask.config import gateway_config


class Gateway(DaskGateway):  # type: ignore[misc]
    """Dask Gateway configured by us and not by a file of the working folder."""

    def load_config_file(self, filename: str, path: str | None = None) -> None:
        del filename, path
        self.update_config(gateway_config())


if __name__ == "__main__":
    Gateway.launch_instance([])
