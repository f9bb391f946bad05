"""JupyterHub, with its services started side by side."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.app import JupyterHub


class SwathHub(JupyterHub):  # type: ignore[misc]
    """`JupyterHub` itself waits for each service before it starts the next: their times would add up."""

    name = "jupyterhub"

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


if __name__ == "__main__":
    SwathHub.launch_instance()
