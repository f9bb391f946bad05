"""An account's archive, brought in: files first, then everything else in one transaction, then the results."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swath.contract.bags import Bag

from swath_marketplace.domain.account_archive import run_folder
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.foreign import ForeignRun
from swath_marketplace.run_folder import RunFolders
from swath_marketplace.services.dossiers import Dossiers
from swath_marketplace.services.exit.exporting import Progress
from swath_marketplace.services.exit.reading import ArchiveReader, Plan
from swath_marketplace.services.registry import Registry
from swath_marketplace.store.artifacts import ArtifactStore
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.store.foreign import ForeignStore

_LARGEST_ARTIFACT = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What came of an import."""

    report: Mapping[str, Any]


class Importer:
    """Brings archives in. Every step may be repeated after a crash at any point; what was there already stays."""

    def __init__(
        self,
        *,
        reader: ArchiveReader,
        artifacts: ArtifactStore,
        folders: RunFolders,
        foreign: ForeignStore,
        registry: Registry,
        dossiers: Dossiers,
        environments: EnvironmentRegistry,
    ) -> None:
        self._reader = reader
        self._artifacts = artifacts
        self._folders = folders
        self._foreign = foreign
        self._registry = registry
        self._dossiers = dossiers
        self._environments = environments

    def bring(self, archive: Path, importer: str, *, progress: Progress) -> Imported:
        """Bring the file `archive` in for `importer`.

        Raises
        ------
        ArchiveRefused
            With everything that is wrong; nothing was stored.
        """
        with archive.open("rb") as stream:
            plan = self._reader.read(stream, importer, progress=progress)
            progress("notebooks and dossiers", 0.7)
            for path in plan.artifacts:
                self._artifacts.put(plan.bag.read(path, max_bytes=_LARGEST_ARTIFACT))
            progress("the records", 0.8)
            added, runs = self._foreign.adopt(plan.adoption)
            for number, run in enumerate(plan.adoption.runs):
                progress("results of runs", 0.85 + 0.15 * number / len(plan.adoption.runs))
                self._results(plan.bag, run)
        for version in added:
            self._registry.announce(version)
            self._dossiers.announce(version)
        return Imported(report=self._report(plan, importer, added, runs=runs))

    def _results(self, bag: Bag, run: ForeignRun) -> None:
        folder, there = self._folders.of(run.id), run_folder(run.document.id)
        for output in run.document.outputs:
            if output.kept:
                _keep(bag, f"{there}/results/{output.name}", folder.result(output.name))
        events = f"{there}/events.jsonl"
        if events in bag.paths:
            _keep(bag, events, folder.out / "events.jsonl")

    def _report(self, plan: Plan, importer: str, added: Sequence[AlgorithmVersion], *, runs: int) -> Mapping[str, Any]:
        versions = [
            {
                "algorithm": one.version.path,
                "version": one.version.version,
                "digest": one.version.digest,
                "published_first_as": f"{one.path}@{one.version.version}",
                "new": any((made.path, made.digest) == (one.version.path, one.version.digest) for made in added),
                "runnable": one.version.yanked_at is None
                and self._environments.by_lock(one.version.environment, one.version.environment_lock_sha256)
                is not None,
                "environment": one.version.environment,
                "environment_lock_sha256": one.version.environment_lock_sha256,
            }
            for one in plan.adoption.versions
        ]
        return {
            "origin": plan.adoption.origin,
            "user": plan.document.user,
            "owner": importer,
            "exported_at": plan.document.exported_at.isoformat(),
            "versions": versions,
            "versions_new": len(added),
            "runs": len(plan.adoption.runs),
            "runs_new": runs,
            "not_brought_in": list(_left(plan)),
        }


def _left(plan: Plan) -> Sequence[str]:
    """What an archive holds and no other place takes over, a sentence each."""
    told = ["levels: this place earns its own from evidence; that of the origin is shown with each version"]
    if any(one.prices for one in plan.document.algorithms):
        told.append("prices: they are told with each version; set what is to be asked here with `swath price`")
    if plan.document.wallet and plan.document.wallet.get("entries"):
        told.append("the wallet: its statement stays in the archive; credits are each place's own")
    if plan.document.reviews_given:
        told.append("reviews given: they stay in the archive, and with the versions that they are of")
    told += [f"{name}: they stay in the archive" for name, some in (plan.document.sections or {}).items() if some]
    return told


def _keep(bag: Bag, path: str, target: Path) -> None:
    if target.is_file() and target.stat().st_size == bag.size(path):
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        for block in bag.blocks(path):
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(target)
