"""Inventories of environments: made from the files on disk without importing any, kept by their digest."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from swath_marketplace.domain.algorithms import Environment
from swath_marketplace.domain.inventories import Inventory
from swath_marketplace.store.artifacts import ArtifactDamaged, ArtifactStore
from swath_marketplace.store.distributions import distributions_of
from swath_marketplace.store.file_hashes import FileHashes, Signature

#: For so long a look at the top of site-packages is enough: an installer leaves its traces there.
_FRESH_SECONDS = 10.0
_VERSION = re.compile(r"^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?)", re.M)
_FOLDER_VERSION = re.compile(r"python(\d+\.\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """What was found when an environment was last walked through."""

    top: tuple[object, ...]
    files: Mapping[str, Signature]
    hashes: Mapping[str, str]
    at: float
    address: str
    python: str
    changed_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Installed:
    """What an environment is now."""

    inventory_sha256: str
    python: str
    """Version of the interpreter."""
    changed_at: float
    """Seconds of the wall clock: when a file or a folder of it was last changed, by the kernel's own account."""


class InventoryStore:
    """What is installed in the environments of this machine, and what was.

    Each file is read once for as long as it stays as it is. A look at an environment that nothing happened to costs
    about a millisecond; every few seconds, when asked, each of its files is looked at (not read) again.
    """

    def __init__(self, *, artifacts: ArtifactStore, hashes: FileHashes) -> None:
        self._artifacts = artifacts
        self._hashes = hashes
        self._lock = threading.Lock()
        self._looks: dict[str, _Look] = {}

    def now(self, environment: Environment, *, after: float | None = None) -> Installed:
        """What is installed in `environment`.

        Parameters
        ----------
        after
            Seconds of the wall clock: every file is to have been looked at after that. By default a few seconds ago.

        Raises
        ------
        OSError
            The environment cannot be read.
        """
        python = Path(environment.python)
        with self._lock:
            known = self._looks.get(environment.python)
            sites = _sites(python)
            top = _top(python, sites)
            enough = time.time() - _FRESH_SECONDS if after is None else after
            if known is None or known.top != top or not enough <= known.at <= time.time():
                known = self._look(environment, python, sites, top, known)
                self._looks[environment.python] = known
        return Installed(inventory_sha256=known.address, python=known.python, changed_at=known.changed_at)

    def read(self, inventory_sha256: str) -> Inventory:
        """An inventory by its digest.

        Raises
        ------
        ArtifactDamaged
            It is not there any more, or not what its digest says.
        """
        try:
            return Inventory.of_content(self._artifacts.read(inventory_sha256))
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactDamaged(f"{inventory_sha256} is no inventory") from error

    def _look(
        self,
        environment: Environment,
        python: Path,
        sites: Sequence[Path],
        top: tuple[object, ...],
        known: _Look | None,
    ) -> _Look:
        at = time.time()
        folders: list[int] = []
        files = {str(path): signature for site in sites for path, signature in _walk(site, folders)}
        version = _version(python, sites)
        interpreter, _ = self._hashes.of(Path(os.path.realpath(python)))
        files[str(python)] = Signature.of(python.stat())
        newest = max(*folders, *(signature.changed_ns for signature in files.values()), 0) / 1e9
        if known is not None and known.files == files:
            return replace(known, top=top, at=at, changed_at=newest)
        hashes = self._hash(files, known)
        distributions, loose = distributions_of(sites, hashes)
        inventory = Inventory(
            python=version,
            interpreter_sha256=interpreter,
            distributions=distributions,
            loose=loose,
            editable=environment.editable,
        )
        address = self._artifacts.put(inventory.content())
        return _Look(top=top, files=files, hashes=hashes, at=at, address=address, python=version, changed_at=newest)

    def _hash(self, files: Mapping[str, Signature], known: _Look | None) -> Mapping[str, str]:
        before = known.files if known else {}
        found = {path: known.hashes[path] for path, one in files.items() if known and before.get(path) == one}
        remembered = self._hashes.known(one for path, one in files.items() if path not in found)
        fresh = {}
        for path, signature in files.items():
            if path in found:
                continue
            if signature in remembered:
                found[path] = remembered[signature]
                continue
            try:
                found[path] = _sha256(path)
            except FileNotFoundError:
                continue
            fresh[signature] = found[path]
        self._hashes.remember(fresh)
        return found


def _sites(python: Path) -> Sequence[Path]:
    prefix = python.parent.parent
    return sorted(path for path in prefix.glob("lib/python3*/site-packages") if path.is_dir())


def _top(python: Path, sites: Sequence[Path]) -> tuple[object, ...]:
    """A signature of what an installer touches: the packages' folders, and the interpreter."""
    found: list[object] = [Signature.of(python.stat())]
    for site in sites:
        with os.scandir(site) as entries:
            found += sorted(
                (entry.name, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns)
                for entry in entries
                for one in (entry.stat(follow_symlinks=False),)
            )
    return tuple(found)


def _walk(site: Path, changed_ns: list[int]) -> Iterator[tuple[str, Signature]]:
    """Every file below a folder but compiled modules, which Python makes from what is there anyway.

    To `changed_ns` the times are added at which folders were changed: a file that is gone leaves no other trace.
    """
    folders = [str(site)]
    while folders:
        folder = folders.pop()
        changed_ns.append(os.stat(folder).st_ctime_ns)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name != "__pycache__":
                        folders.append(entry.path)
                    continue
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
                    yield entry.path, Signature.of(found)


def _sha256(path: str) -> str:
    """Of a file's content; of a link, of where it leads."""
    if os.path.islink(path):
        return hashlib.sha256(b"link:" + os.fsencode(os.readlink(path))).hexdigest()
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _version(python: Path, sites: Sequence[Path]) -> str:
    try:
        found = _VERSION.search((python.parent.parent / "pyvenv.cfg").read_text())
    except OSError:
        found = None
    if found is None and sites:
        found = _FOLDER_VERSION.fullmatch(sites[0].parent.name)
    return found[1] if found else "unknown"
