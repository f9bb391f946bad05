"""JupyterHub reads this file; what it says stands in `swath_hub.config`."""

from swath_hub.config import configure

configure(get_config())  # type: ignore[name-defined]  # noqa: F821 - JupyterHub puts `get_config` here
