"""The locked environments of this machine, read from ``DATA/environments/<name>/environment.json``.

``<name>`` is the current build, most often a link; ``<name>@<first 12 digits of a lock's sha256>`` is the build of one
lock, kept for the versions that were published with it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.domain.builds import Build

log = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class EnvironmentRegistry:
    """Environments as they stand on disk now; each call reads again, so that a new one needs no restart.

    Parameters
    ----------
    root
        Folder with one folder per environment.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self) -> tuple[Environment, ...]:
        """Every environment that a notebook may name, as it is now; one that cannot be used is named in the log."""
        found = []
        for path in sorted(self._root.glob("*/environment.json")):
            if "@" in path.parent.name:
                continue
            try:
                found.append(_read(path))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("environment %s cannot be used: %s", path.parent.name, error)
        return tuple(found)

    def get(self, name: str) -> Environment | None:
        """The current environment called `name`."""
        return next((environment for environment in self.list() if environment.name == name), None)

    def by_lock(self, name: str, lock_sha256: str) -> Environment | None:
        """The build of the environment `name` for one lock: the current one, or an older one that was kept."""
        current = self.get(name)
        if current is not None and current.lock_sha256 == lock_sha256:
            return current
        if not (_NAME.fullmatch(name) and _SHA256.fullmatch(lock_sha256)):
            return None
        path = self._root / f"{name}@{lock_sha256[:12]}" / "environment.json"
        try:
            found = _read(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("environment %s cannot be used: %s", path.parent.name, error)
            return None
        return found if found.lock_sha256 == lock_sha256 else None

    def lock_of(self, environment: Environment) -> bytes | None:
        """The lock file that a build was made from, where it stands beside it and is what its sha256 says."""
        path = Path(environment.python).parents[1] / "requirements.lock"
        try:
            content = path.read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == environment.lock_sha256 else None

    def builds(self) -> Sequence[Build]:
        """Every build for one lock that stands there whole; an environment's plain folder is none."""
        found = []
        for path in sorted(self._root.glob("*@*/environment.json")):
            try:
                environment = _read(path)
                built_at = path.stat().st_mtime
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("environment %s cannot be used: %s", path.parent.name, error)
                continue
            name = self._root / environment.name
            current = name.is_symlink() and name.readlink() == Path(path.parent.name)
            found.append(
                Build(
                    name=environment.name,
                    lock_sha256=environment.lock_sha256,
                    folder=path.parent,
                    built_at=built_at,
                    current=current,
                )
            )
        return found

    def remove(self, build: Build) -> None:
        """Remove a build; it is gone at once for whoever looks for it, also if this is cut off."""
        (build.folder / "environment.json").unlink(missing_ok=True)
        shutil.rmtree(build.folder)


def _read(path: Path) -> Environment:
    data = json.loads(path.read_text())
    name = data["name"]
    lock = _SHA256.fullmatch(data["lock_sha256"])
    if not _NAME.fullmatch(name) or name != path.parent.name.partition("@")[0]:
        raise ValueError(f"its name is {name!r}")
    if lock is None:
        raise ValueError("lock_sha256 is not a sha256")
    # Where the link leads: what is started now stays with its build, whatever the name stands for tomorrow.
    folder = path.parent.parent / path.parent.readlink() if path.parent.is_symlink() else path.parent
    python = folder / "bin" / "python"
    if not python.exists():
        # An environment may also point at an interpreter elsewhere.
        python = Path(data["python"])
        if not (python.is_absolute() and python.exists()):
            raise ValueError("it has no bin/python")
    return Environment(
        name=name,
        title=str(data.get("title", name)),
        lock_sha256=lock[1],
        python=str(python),
        editable=data.get("editable") is True,
    )
