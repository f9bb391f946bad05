"""JupyterHub's configuration, from the settings and the state of this start."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from swath_hub import homes, kernelspecs, node, secret
from swath_hub.authenticator import LocalUsersAuthenticator
from swath_hub.roles import CUSTOM_SCOPES, SERVER_TOKEN_SCOPES, load_roles
from swath_hub.services import ends_with_hub, managed_services
from swath_hub.settings import HubSettings
from swath_hub.spawner import SwathSpawner
from swath_hub.state import State, load


def configure(c: Any) -> None:
    """Fill traitlets' configuration object `c`; called by ``jupyterhub_config.py``."""
    settings = HubSettings.from_environment()
    state = load(settings.folder.state)
    # The proxy inherits the hub's whole environment: nothing secret may stand in it.
    os.environ.pop("CONFIGPROXY_AUTH_TOKEN", None)
    _prepare(settings)
    _hub(c, settings, state)
    _proxy(c, settings, state)
    _people(c, settings)
    _servers(c, settings)
    _metering(c, settings, state)
    c.JupyterHub.services = managed_services(settings, state)
    if settings.extra_config:
        path = Path(settings.extra_config)
        exec(compile(path.read_text(), str(path), "exec"), {"c": c, "__file__": str(path)})  # noqa: S102 - the operator's


def _prepare(settings: HubSettings) -> None:
    folder = settings.folder
    kernelspecs.write(folder.jupyter, kernelspecs.built(folder.environments))
    homes.build_samples(folder.samples, homes.sample_sources())


def _hub(c: Any, settings: HubSettings, state: State) -> None:
    folder = settings.folder
    c.JupyterHub.hub_ip = "127.0.0.1"
    c.JupyterHub.hub_port = state.ports["hub"]
    c.JupyterHub.db_url = f"sqlite:///{folder.hub / 'jupyterhub.sqlite'}"
    c.JupyterHub.cookie_secret = secret.cookie_secret(folder.secrets)
    c.JupyterHub.upgrade_db = True
    # Users' servers outlive the hub: a restart must not cost anybody's work.
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.allow_named_servers = False
    c.JupyterHub.activity_resolution = 30
    c.JupyterHub.default_url = "/hub/home"
    c.JupyterHub.redirect_to_server = False
    c.JupyterHub.oauth_require_pkce = True
    # JupyterHub waits so long for the servers of the last start before it opens its own door.
    c.JupyterHub.init_spawners_timeout = 3


def _proxy(c: Any, settings: HubSettings, state: State) -> None:
    c.JupyterHub.bind_url = f"http://{state.bind}:{state.ports['public']}/"
    c.ConfigurableHTTPProxy.command = ends_with_hub(node.proxy_command())
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{state.ports['proxy_api']}"
    c.ConfigurableHTTPProxy.auth_token = secret.proxy_token(settings.folder.secrets)
    c.ConfigurableHTTPProxy.pid_file = str(settings.folder.hub / "proxy.pid")
    c.ConfigurableHTTPProxy.log_level = "warn"


def _people(c: Any, settings: HubSettings) -> None:
    c.JupyterHub.authenticator_class = LocalUsersAuthenticator
    c.LocalUsersAuthenticator.users_file = str(settings.folder.users)
    # Whoever stands in the file may come in; nobody else can.
    c.Authenticator.allow_all = True
    c.Authenticator.manage_groups = True
    c.Authenticator.auth_refresh_age = 60
    c.JupyterHub.token_expires_in_max_seconds = settings.token_max_days * 86_400
    c.JupyterHub.custom_scopes = CUSTOM_SCOPES
    c.JupyterHub.load_roles = load_roles()


def _servers(c: Any, settings: HubSettings) -> None:
    c.JupyterHub.spawner_class = SwathSpawner
    c.SwathSpawner.data_folder = str(settings.folder.root)
    c.SwathSpawner.archive_folder = str(settings.archive_folder)
    c.SwathSpawner.allow_no_bwrap = settings.allow_no_bwrap
    c.SwathSpawner.allow_no_cgroups = settings.allow_no_cgroups
    c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
    c.Spawner.server_token_scopes = SERVER_TOKEN_SCOPES
    c.Spawner.default_url = "/lab"
    c.Spawner.poll_interval = 10
    c.Spawner.start_timeout = 60
    c.Spawner.http_timeout = 60


def _metering(c: Any, settings: HubSettings, state: State) -> None:
    folder = settings.folder
    c.LabMetering.quota_url = f"http://127.0.0.1:{state.ports['quota']}/services/quota/"
    c.LabMetering.token_file = str(folder.lab_quota_token)
    c.LabMetering.folder = str(folder.metering)
    c.LabMetering.servers_folder = str(folder.servers)
    c.JupyterHub.template_paths = [str(Path(__file__).with_name("templates"))]
