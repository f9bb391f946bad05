"""What Swath needs of this machine, each looked at and not assumed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from swath_sandbox import doctor as isolation

from swath_hub import kernelspecs, lock, node, ports
from swath_hub.errors import OperatorError
from swath_hub.folder import DataFolder
from swath_hub.state import load

_ENOUGH_BYTES = 5 * 2**30


class Verdict(StrEnum):
    """What a finding means for a start."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """One finding."""

    name: str
    verdict: Verdict
    text: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine(folder: DataFolder) -> list[Check]:
    """Look at everything; never raises."""
    looks: list[Callable[[DataFolder], list[Check]]] = [
        _python,
        _proxy,
        _isolation,
        _folder,
        _ports,
        _environments,
        _archive,
    ]
    found: list[Check] = []
    for look in looks:
        try:
            found += look(folder)
        except OperatorError as error:
            found.append(Check(look.__name__.strip("_"), Verdict.FAILED, error.message, error.mend))
        except OSError as error:
            found.append(Check(look.__name__.strip("_"), Verdict.FAILED, str(error)))
    return found


def _python(folder: DataFolder) -> list[Check]:
    del folder
    version = ".".join(map(str, sys.version_info[:3]))
    missing = [name for name in ("jupyterhub", "jupyterlab", "dask_gateway_server") if not _importable(name)]
    if missing:
        return [Check("python", Verdict.FAILED, f"{version}, without {', '.join(missing)}", "install swath[hub]")]
    return [Check("python", Verdict.OK, f"{version} at {sys.executable}")]


def _importable(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def _proxy(folder: DataFolder) -> list[Check]:
    del folder
    command = node.proxy_command()
    version = node.version(command[0])
    return [Check("proxy", Verdict.OK, f"{command[-1]}" + (f" on Node {version}" if version else ""))]


def _isolation(folder: DataFolder) -> list[Check]:
    del folder
    found = []
    for check in isolation():
        verdict = Verdict.OK if check.ok else (Verdict.FAILED if check.required else Verdict.WARNING)
        text = check.detail if check.ok or not check.lost else f"{check.detail}; {check.lost}"
        found.append(Check(check.name, verdict, text, check.mend))
    return found


def _folder(folder: DataFolder) -> list[Check]:
    if not folder.root.exists():
        return [Check("data folder", Verdict.OK, f"{folder.root} will be made by `swath up`")]
    if not os.access(folder.root, os.W_OK):
        return [
            Check("data folder", Verdict.FAILED, f"{folder.root} can't be written", "mend its owner, or use --data")
        ]
    exposed = [
        path
        for path in (folder.secrets, folder.hub, *folder.secrets.glob("*"))
        if path.exists() and path.stat().st_mode & 0o077
    ]
    if exposed:
        names = " ".join(str(path) for path in exposed)
        return [Check("data folder", Verdict.FAILED, f"others can read {names}", f"chmod go= {names}")]
    free = shutil.disk_usage(folder.root).free
    text = f"{folder.root}, {free / 2**30:.0f} GB free"
    if free < _ENOUGH_BYTES:
        return [Check("data folder", Verdict.WARNING, text, "make room: runs and homes need some")]
    return [Check("data folder", Verdict.OK, text)]


def _ports(folder: DataFolder) -> list[Check]:
    state = load(folder.state)
    if lock.held(folder.lock):
        return [Check("ports", Verdict.OK, f"Swath runs at {state.url}")]
    taken = [str(port) for port in state.ports.values() if not ports.free(port)]
    if taken:
        text = f"taken by other programs: {' '.join(taken)}"
        return [Check("ports", Verdict.WARNING, text, "end them, or start with --port")]
    return [Check("ports", Verdict.OK, f"{len(state.ports) or 'none'} recorded, all free")]


def _environments(folder: DataFolder) -> list[Check]:
    built = kernelspecs.built(folder.environments)
    if not built:
        text = "none is built: there is no kernel, and no algorithm runs"
        return [Check("environments", Verdict.FAILED, text, "make setup")]
    return [Check("environments", Verdict.OK, ", ".join(f"{one.name} ({one.python})" for one in built))]


def _archive(folder: DataFolder) -> list[Check]:
    collections = _collections(folder.archive)
    if collections == 0:
        return [Check("archive", Verdict.WARNING, f"{folder.archive} is empty", "swath archive init")]
    return [Check("archive", Verdict.OK, f"{collections} collection(s) in {folder.archive}")]


def _collections(archive: Path) -> int:
    return sum(1 for _ in archive.rglob("collection.json")) if archive.is_dir() else 0
