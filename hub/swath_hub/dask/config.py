"""Dask Gateway's configuration, from the settings and the state of this start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dask_gateway_server.options import Float, Integer, Options, Select
from swath_quota.client import HttpQuotaClient
from traitlets.config import Config

from swath_hub import kernelspecs
from swath_hub.dask.auth import HubTokens
from swath_hub.dask.metered import MeteredBackend
from swath_hub.dask.quota import QuotaFactory
from swath_hub.settings import HubSettings
from swath_hub.state import State, load

SERVICE = "dask-gateway"
GIB = 2**30


def gateway_config() -> Config:
    """Everything that `dask_gateway_server.app.DaskGateway` needs; called in the service's own process."""
    settings = HubSettings.from_environment()
    state = load(settings.folder.state)
    c = Config()
    _doors(c, state)
    c.DaskGateway.authenticator_class = HubTokens
    c.HubTokens.jupyterhub_service_name = SERVICE
    c.HubTokens.cache_max_age = 30
    # The service's own token pays on users' wallets: it stands in no environment that a process could inherit.
    token = os.environ.pop("JUPYTERHUB_API_TOKEN")
    c.HubTokens.jupyterhub_api_token = token
    c.DaskGateway.backend_class = MeteredBackend
    _backend(c, settings, state)
    c.MeteredBackend.quota = quota_at(os.environ["SWATH_QUOTA_URL"], token)
    _clusters(c)
    if settings.extra_config:
        path = Path(settings.extra_config)
        exec(compile(path.read_text(), str(path), "exec"), {"c": c, "__file__": str(path)})  # noqa: S102 - the operator's
    return c


def _doors(c: Any, state: State) -> None:
    c.DaskGateway.address = f"127.0.0.1:{state.ports['dask_api']}"
    c.Proxy.address = f"127.0.0.1:{state.ports['dask_gateway']}"
    c.Proxy.tcp_address = f"127.0.0.1:{state.ports['dask_scheduler']}"
    c.Proxy.prefix = f"/services/{SERVICE}"
    c.Proxy.api_token = os.environ.pop("DASK_GATEWAY_PROXY_TOKEN")


def _backend(c: Any, settings: HubSettings, state: State) -> None:
    c.MeteredBackend.data_folder = str(settings.folder.root)
    c.MeteredBackend.archive_folder = str(settings.archive_folder)
    c.MeteredBackend.public_url = state.url
    c.MeteredBackend.allow_no_bwrap = settings.allow_no_bwrap
    c.MeteredBackend.allow_no_cgroups = settings.allow_no_cgroups
    # Clusters outlive a restart: their wardens are found again by what stands here, encrypted.
    c.MeteredBackend.db_url = f"sqlite:///{settings.folder.hub / 'dask-gateway.sqlite'}"
    c.MeteredBackend.db_encrypt_keys = [os.environ.pop("DASK_GATEWAY_ENCRYPT_KEYS")]
    c.MeteredBackend.stop_clusters_on_shutdown = False
    # A restart of the hub must not cost a cluster, and takes longer than two missed heartbeats.
    c.MeteredBackend.cluster_heartbeat_timeout = 90
    c.MeteredBackend.cluster_status_period = 10
    c.MeteredBackend.worker_status_period = 10
    folder = settings.folder.environments
    c.MeteredBackend.cluster_options = lambda _user: cluster_options(folder)


def quota_at(url: str, token: str) -> QuotaFactory:
    """How the backend comes by its client. Few attempts: whoever waits is a user, and every call is repeated later."""
    return lambda: HttpQuotaClient(url, token, timeout_seconds=5, attempts=3)


def _clusters(c: Any) -> None:
    c.ClusterConfig.idle_timeout = 1800
    c.ClusterConfig.adaptive_period = 0.5
    c.ClusterConfig.cluster_max_workers = 8
    c.ClusterConfig.cluster_max_cores = 17
    c.ClusterConfig.cluster_max_memory = 34 * GIB
    c.ClusterConfig.scheduler_memory = GIB


def cluster_options(environments: Path) -> Options:
    """What a user may choose of a cluster: the environment, and the size of a worker."""
    found = kernelspecs.built(environments)
    first = kernelspecs.default(found)
    if first is None:
        raise ValueError("no environment is built on this server; an operator runs `make setup`")
    by_name = [(environment.name, str(environment.python)) for environment in found]

    def configuration(options: Any) -> dict[str, Any]:
        return {
            "scheduler_cmd": [options.environment, "-m", "dask", "scheduler"],
            "worker_cmd": [options.environment, "-m", "dask", "worker"],
            "worker_cores": options.worker_cores,
            "worker_memory": int(options.worker_memory * GIB),
        }

    return Options(
        Select("environment", by_name, default=first.name, label="Environment"),
        Integer("worker_cores", default=1, min=1, max=4, label="Processors of a worker"),
        Float("worker_memory", default=1.0, min=0.5, max=8, label="Memory of a worker (GiB)"),
        handler=configuration,
    )
