"""What JupyterHub tells a managed service through its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit


class SettingMissing(RuntimeError):
    """A setting that has no safe default is not in the environment."""


@dataclass(frozen=True, kw_only=True)
class HubSettings:
    """Where the hub is and where this service stands behind its proxy."""

    api_url: str
    api_token: str = field(repr=False)
    prefix: str
    host: str
    port: int

    @classmethod
    def from_environment(cls) -> HubSettings:
        """Read ``JUPYTERHUB_API_URL``, ``_API_TOKEN``, ``_SERVICE_PREFIX`` and ``_SERVICE_URL``.

        Raises
        ------
        SettingMissing
            Naming the variable that is not set.
        """
        missing = [
            name
            for name in (
                "JUPYTERHUB_API_URL",
                "JUPYTERHUB_API_TOKEN",
                "JUPYTERHUB_SERVICE_PREFIX",
                "JUPYTERHUB_SERVICE_URL",
            )
            if not os.environ.get(name)
        ]
        if missing:
            raise SettingMissing(f"not set: {', '.join(missing)}; a service is started by JupyterHub (`swath up`)")
        where = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
        return cls(
            api_url=os.environ["JUPYTERHUB_API_URL"],
            api_token=os.environ["JUPYTERHUB_API_TOKEN"],
            prefix=os.environ["JUPYTERHUB_SERVICE_PREFIX"],
            host=where.hostname or "127.0.0.1",
            port=where.port or 0,
        )
