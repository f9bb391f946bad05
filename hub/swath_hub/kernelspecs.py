"""The built environments as Jupyter kernels, and the settings every JupyterLab server starts with."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from swath_hub.state import write_whole

#: Notebooks say "python3" whatever made them; this environment answers to it.
DEFAULT_ENVIRONMENT = "eo"
#: Where a server sees what `write` wrote.
JUPYTER = "/opt/swath/jupyter"
JUPYTER_SETTINGS = f"{JUPYTER}/settings"

_SETTINGS: dict[str, object] = {
    # Kernels talk through files of the sandbox: on loopback, which users' servers share, anybody could listen to
    # what a kernel prints.
    "KernelManager": {"transport": "ipc"},
    # The hub's own interpreter is no kernel.
    "KernelSpecManager": {"ensure_native_kernel": False},
    # Nothing is fetched from elsewhere when JupyterLab starts.
    "LabApp": {
        "news_url": None,
        "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "extension_manager": "readonly",
        "collaborative": False,
    },
    "ServerApp": {
        "terminado_settings": {"shell_command": ["/bin/bash", "-l"]},
        # Language servers are none of ours; looking for them costs a start of npm.
        "jpserver_extensions": {"jupyter_lsp": False},
    },
}
#: What users may change in JupyterLab's settings. A server whose credits are used up leaves so long to save.
_DEFAULTS = {"@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": 30}}
#: Parts of JupyterLab's page that are not started: what asks everybody whether to fetch news, and what asks the server
#: for language servers.
_WITHOUT = (
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/fileeditor-extension:language-server",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/notebook-extension:language-server",
)


@dataclass(frozen=True)
class Environment:
    """One built kernel environment of the data folder."""

    name: str
    title: str
    python: Path
    editable: bool = False
    """Whether it has packages installed in place, as a checkout's own environment has."""


def built(folder: Path) -> list[Environment]:
    """Environments that can be started; one that is half built has no ``environment.json`` or no interpreter."""
    found = []
    for described in sorted(folder.glob("*/environment.json")):
        if "@" in described.parent.name:
            # A build for one lock; the environment's own name is a link to the current one.
            continue
        try:
            text = json.loads(described.read_text())
            python = Path(text.get("python") or described.parent / "bin" / "python")
            python = python if python.is_absolute() else described.parent / python
            environment = Environment(
                name=str(text["name"]),
                title=str(text.get("title") or text["name"]),
                python=python,
                editable=text.get("editable") is True,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if python.exists():
            found.append(environment)
    return found


def default(environments: list[Environment]) -> Environment | None:
    """The environment that `DEFAULT_ENVIRONMENT` names, else the first."""
    named = [environment for environment in environments if environment.name == DEFAULT_ENVIRONMENT]
    return next(iter(named or environments), None)


def write(folder: Path, environments: list[Environment]) -> None:
    """Fill `folder`, an entry of ``JUPYTER_PATH``, with one kernelspec an environment; what is there is replaced.

    The default environment is called ``python3`` there, as notebooks expect, and stands in the list once.
    """
    kernels = folder / "kernels"
    shutil.rmtree(kernels, ignore_errors=True)
    first = default(environments)
    for environment in environments:
        place = kernels / ("python3" if environment is first else environment.name)
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "kernel.json", json.dumps(_spec(environment), indent=1), mode=0o644)
    settings = folder / "settings"
    page = settings / "labconfig"
    page.mkdir(parents=True, exist_ok=True)
    write_whole(settings / "jupyter_server_config.json", json.dumps(_SETTINGS, indent=1), mode=0o644)
    without = {"disabledExtensions": dict.fromkeys(_WITHOUT, True)}
    write_whole(page / "page_config.json", json.dumps(without, indent=1), mode=0o644)
    write_whole(page / "default_setting_overrides.json", json.dumps(_DEFAULTS, indent=1), mode=0o644)
    for made in (folder, settings, page, kernels, *kernels.glob("*")):
        if made.is_dir():
            made.chmod(0o755)


def _spec(environment: Environment) -> dict[str, object]:
    return {
        # `swath.notices` shows what the hub has to say to the user; an environment without Swath starts all the same.
        "argv": [
            *(str(environment.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"),
            "--IPKernelApp.extra_extensions=swath.notices",
        ],
        "display_name": environment.title,
        "language": "python",
        # The debugger listens on loopback, which users' servers share, without asking who connects.
        "env": {"SWATH_ENVIRONMENT": environment.name},
        "metadata": {"debugger": False, "swath": {"environment": environment.name}},
    }
