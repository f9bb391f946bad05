"""JupyterHub, with its services started side by side."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.app import JupyterHub
from jupyterhub.services import service as jupyterhub_service
from traitlets import default

from swath_hub.metering.hubside import LabMetering

_SERVICE_POLL_SECONDS = 3


class _WatchedService(jupyterhub_service._ServiceSpawner):  # type: ignore[misc]
    """A service's process, looked at more often than a user's server: with it everybody waits."""

    @default("poll_interval")
    def _often(self) -> int:
        return _SERVICE_POLL_SECONDS


class SwathHub(JupyterHub):  # type: ignore[misc]
    """`JupyterHub` itself waits for each service before it starts the next: their times would add up."""

    name = "jupyterhub"

    def initialize(self, *args: Any, **settings: Any) -> Any:
        """As JupyterHub does; its services' processes are of our class, for which it has no setting."""
        jupyterhub_service._ServiceSpawner = _WatchedService
        return super().initialize(*args, **settings)

    async def start_service(self, service_name: str, service: Any, ssl_context: Any = None) -> bool:
        """Start all services at the first call; answer for the one that is asked for."""
        if not hasattr(self, "_started_services"):
            begin = super().start_service
            self._started_services: dict[str, asyncio.Task[bool]] = {
                name: asyncio.create_task(begin(name, one, ssl_context)) for name, one in self._service_map.items()
            }
        task = self._started_services.get(service_name)
        if task is not None:
            return await task
        return bool(await super().start_service(service_name, service, ssl_context))

    async def start(self) -> None:
        """As JupyterHub does; then the servers of the last start go on being metered."""
        await super().start()
        keeper = LabMetering.of(self).keeper
        if keeper is not None:
            await keeper.begin()

    async def cleanup(self) -> None:
        """Leave the meters as they are: the next start takes them up."""
        metering: LabMetering | None = getattr(self, "swath_lab_metering", None)
        if metering is not None and metering.keeper is not None:
            await metering.keeper.end()
        await super().cleanup()


if __name__ == "__main__":
    SwathHub.launch_instance()
