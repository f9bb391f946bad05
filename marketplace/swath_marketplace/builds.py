"""``python -m swath_marketplace.builds``: the builds of environments on this machine, and an end to those nobody needs.

Without ``--remove`` nothing is changed. Ends with 0, or with 2 when the marketplace's database cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from swath_service.database import DatabaseUnfit

from swath_marketplace.bootstrap import Settings
from swath_marketplace.domain.builds import Build, removable
from swath_marketplace.store.algorithms import AlgorithmStore
from swath_marketplace.store.database import Database
from swath_marketplace.store.environments import EnvironmentRegistry


def look(settings: Settings, *, keep: int) -> tuple[Sequence[dict[str, Any]], Sequence[Build]]:
    """Every build as it is told, and those that can go."""
    builds = EnvironmentRegistry(settings.data.absolute() / "environments").builds()
    database = Database(settings.url())
    try:
        needed = AlgorithmStore(database).needed_builds()
    finally:
        database.dispose()
    used = in_use(build.folder for build in builds)
    free = removable(builds, needed=needed, used=used, keep=keep)
    told = [
        {
            "name": build.name,
            "lock_sha256": build.lock_sha256,
            "folder": str(build.folder),
            "current": build.current,
            "versions": needed.get((build.name, build.lock_sha256), 0),
            "in_use": build.folder in used,
            "removable": build in free,
        }
        for build in builds
    ]
    return told, free


def in_use(folders: Iterable[Path], *, proc: Path = Path("/proc")) -> Collection[Path]:
    """The folders that a sandbox shows at their own path: Lab servers and runs that go on."""
    wanted, found = {str(folder): folder for folder in folders}, set()
    for mounts in proc.glob("[0-9]*/mountinfo"):
        try:
            lines = mounts.read_text(errors="replace").splitlines()
        except OSError:
            continue
        found |= {wanted[point] for point in (line.split(" ")[4] for line in lines) if point in wanted}
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m swath_marketplace.builds", description=__doc__)
    parser.add_argument("--remove", action="store_true", help="remove what nobody needs")
    parser.add_argument("--keep", type=int, default=2, help="so many of each environment stay for reproductions")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    settings = Settings()
    try:
        told, free = look(settings, keep=max(0, chosen.keep))
    except (DatabaseUnfit, SQLAlchemyError) as error:
        print(f"the marketplace's database cannot be read: {type(error).__name__}", file=sys.stderr)
        return 2
    if chosen.json:
        print(json.dumps({"builds": told, "removed": chosen.remove}, indent=1))
    else:
        for one in told:
            print(f"{one['folder']}  {_standing(one)}")
    if chosen.remove:
        registry = EnvironmentRegistry(settings.data.absolute() / "environments")
        for build in free:
            registry.remove(build)
            if not chosen.json:
                print(f"removed {build.folder}")
    return 0


def _standing(one: dict[str, Any]) -> str:
    words = [
        "current" if one["current"] else "",
        f"{one['versions']} version(s)" if one["versions"] else "",
        "in use" if one["in_use"] else "",
        "can be removed" if one["removable"] else "",
    ]
    return ", ".join(word for word in words if word) or "kept"


if __name__ == "__main__":
    sys.exit(main())
