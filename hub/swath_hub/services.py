"""The services that JupyterHub starts and watches."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from swath_service.actor import Scope

from swath_hub import secret
from swath_hub.environment import archive_environment
from swath_hub.settings import HubSettings
from swath_hub.state import State

# The rest of the operator's environment stays outside: it may hold credentials that no service needs.
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "PROJ_DATA", "GDAL_DATA")

#: What a browser's session may do at a service's pages: read, with the cookie. An operator's may also read what is
#: others'. Forms and scripts of the marketplace's pages act for their person, by an authority that no other page's
#: script can get at (`swath_service.forms`, `swath_service.page_keys`).
_PAGE_SCOPES = {
    "quota": [Scope.READ.value, Scope.OVERSEE.value],
    "marketplace": [Scope.READ.value, Scope.EXECUTE.value, Scope.PUBLISH.value, Scope.OVERSEE.value],
}


def kept_environment() -> dict[str, str]:
    """What a process of Swath inherits of the operator's environment."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    kept.setdefault("LANG", "C.UTF-8")
    return kept


def operator_settings(service: str) -> dict[str, str]:
    """What the operator set for one service alone, such as ``SWATH_QUOTA_DATABASE_URL``; taken out of our environment.

    It may hold a database's password, and every process that the hub starts by itself inherits the hub's environment.
    """
    prefix = f"SWATH_{service.upper()}_"
    return {name: os.environ.pop(name) for name in sorted(os.environ) if name.startswith(prefix)}


def ends_with_hub(command: list[str]) -> list[str]:
    """`command`, told by the kernel when the hub dies: killed outright, a hub would leave services on their ports.

    Only the service itself is told. What it has started for good (a run's warden) is not its concern.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else command


def _service(name: str, port: int, *, command: list[str], environment: dict[str, str], cwd: Path) -> dict[str, Any]:
    return {
        "name": name,
        "url": f"http://127.0.0.1:{port}",
        "command": ends_with_hub(command),
        "environment": {**kept_environment(), "HOME": str(cwd), "PYTHONUNBUFFERED": "1", **environment},
        "cwd": str(cwd),
        # The hub's page lists services that have pages for people; the others have addresses for programs.
        "display": name in {"quota", "marketplace"},
        "oauth_no_confirm": True,
        # A browser's cookie reads; what changes something needs a token in a header.
        "oauth_client_allowed_scopes": [*_PAGE_SCOPES.get(name, [Scope.READ.value]), f"access:services!service={name}"],
        "timeout": 20,
    }


def managed_services(settings: HubSettings, state: State) -> list[dict[str, Any]]:
    """JupyterHub's ``services``."""
    folder, ports = settings.folder, state.ports
    urls = {
        "SWATH_DATA": str(folder.root),
        "SWATH_URL": state.url,
        "SWATH_QUOTA_URL": f"http://127.0.0.1:{ports['quota']}/services/quota/",
        "SWATH_MARKETPLACE_URL": f"http://127.0.0.1:{ports['marketplace']}/services/marketplace/",
        "SWATH_ARCHIVE_URL": f"http://127.0.0.1:{ports['archive']}/services/archive/",
        **archive_environment(str(settings.archive_folder)),
    }
    services = []
    for name in ("quota", "marketplace", "archive"):
        own = {**operator_settings(name), **urls}
        if name == "marketplace":
            own["SWATH_MARKETPLACE_ARCHIVE"] = str(settings.archive_folder)
            own.update({"SWATH_ALLOW_NO_BWRAP": "1"} if settings.allow_no_bwrap else {})
            own.update({"SWATH_ALLOW_NO_CGROUPS": "1"} if settings.allow_no_cgroups else {})
        command = [sys.executable, "-m", f"swath_{name}"]
        services.append(_service(name, ports[name], command=command, environment=own, cwd=folder.service(name)))
    services.append(_dask_gateway(settings, state))
    services.append(_lab(settings))
    if settings.idle_timeout_seconds:
        services.append(_idle_culler(settings))
    return services


def _dask_gateway(settings: HubSettings, state: State) -> dict[str, Any]:
    folder = settings.folder
    return _service(
        "dask-gateway",
        state.ports["dask_gateway"],
        command=[sys.executable, "-m", "swath_hub.dask"],
        environment={
            **settings.to_environment(),
            "SWATH_URL": state.url,
            "SWATH_QUOTA_URL": f"http://127.0.0.1:{state.ports['quota']}/services/quota/",
            "DASK_GATEWAY_ENCRYPT_KEYS": secret.dask_database_key(folder.secrets),
            "DASK_GATEWAY_PROXY_TOKEN": secret.dask_proxy_token(folder.secrets),
        },
        cwd=folder.clusters,
    )


def _lab(settings: HubSettings) -> dict[str, Any]:
    """The hub itself, as the quota service knows it: a name and a token, and no process."""
    return {"name": "lab", "api_token": secret.lab_quota_token(settings.folder.secrets), "display": False}


def _idle_culler(settings: HubSettings) -> dict[str, Any]:
    timeout = settings.idle_timeout_seconds
    command = [
        sys.executable,
        "-m",
        "jupyterhub_idle_culler",
        f"--timeout={timeout}",
        f"--cull-every={max(10, min(300, timeout // 2))}",
    ]
    return {
        "name": "idle-culler",
        "command": ends_with_hub(command),
        "environment": kept_environment(),
        "display": False,
    }
