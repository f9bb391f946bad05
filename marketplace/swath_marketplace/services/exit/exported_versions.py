"""A version in an archive: notebook, lock, dossiers, and the evidence that its level stood on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from swath.contract.bags import BagWriter
from swath.contract.times import moment

from swath_marketplace.domain.account_archive import ArchivedDossier, ArchivedVersion, object_path
from swath_marketplace.domain.algorithms import AlgorithmVersion
from swath_marketplace.domain.assessments import Assessment
from swath_marketplace.domain.maturity import MaturityMark
from swath_marketplace.domain.reviews import Review
from swath_marketplace.services.exit.documents import written
from swath_marketplace.store.added_value import MarkStore
from swath_marketplace.store.artifacts import ArtifactStore
from swath_marketplace.store.assessments import AssessmentStore, ReviewStore
from swath_marketplace.store.dossiers import DossierStore
from swath_marketplace.store.environments import EnvironmentRegistry

_AT_ONCE = 200


def lock_path(name: str, lock_sha256: str) -> str:
    """Where the lock of an environment stands in an archive."""
    return f"environments/{name}-{lock_sha256}/requirements.lock"


class VersionExporter:
    """Writes what belongs to versions."""

    def __init__(
        self,
        *,
        artifacts: ArtifactStore,
        environments: EnvironmentRegistry,
        dossiers: DossierStore,
        assessments: AssessmentStore,
        reviews: ReviewStore,
        marks: MarkStore,
    ) -> None:
        self._artifacts = artifacts
        self._environments = environments
        self._dossiers = dossiers
        self._assessments = assessments
        self._reviews = reviews
        self._marks = marks

    def document(self, version: AlgorithmVersion) -> ArchivedVersion:
        """What the index tells of a version."""
        dossiers = self._dossiers.of(version.algorithm_id, version.digest)
        return ArchivedVersion(
            version=version.version,
            digest=version.digest,
            notebook_sha256=version.notebook_sha256,
            interface=version.interface,
            metadata=version.metadata,
            resources=version.resources.as_dict(),
            environment=version.environment,
            environment_lock_sha256=version.environment_lock_sha256,
            published_at=version.published_at,
            yanked_at=version.yanked_at,
            yank_reason=version.yank_reason,
            revoked_at=version.revoked_at,
            revoked_reason=version.revoked_reason,
            dossiers=tuple(
                ArchivedDossier(
                    sequence=one.sequence, digest=one.digest, files=one.files, put_by=one.put_by, put_at=one.put_at
                )
                for one in dossiers
            ),
        )

    def write(self, bag: BagWriter, version: AlgorithmVersion, *, folder: str, left_out: list[str]) -> None:
        """Write the files of a version; raises `ArtifactDamaged`."""
        bag.add(f"{folder}/notebook.ipynb", self._artifacts.read(version.notebook_sha256))
        for dossier in self._dossiers.of(version.algorithm_id, version.digest):
            for address in dossier.files.values():
                if object_path(address) not in bag:
                    bag.add(object_path(address), self._artifacts.read(address))
        self._lock(bag, version, left_out)
        bag.add(f"{folder}/evidence.json", written(self._evidence(version)))

    def _lock(self, bag: BagWriter, version: AlgorithmVersion, left_out: list[str]) -> None:
        path = lock_path(version.environment, version.environment_lock_sha256)
        if path in bag:
            return
        built = self._environments.by_lock(version.environment, version.environment_lock_sha256)
        content = self._environments.lock_of(built) if built else None
        if content is not None:
            bag.add(path, content)
            return
        told = f"{version.environment} with the lock {version.environment_lock_sha256[:12]}"
        sentence = f"the lock file of the environment {told}: it does not stand beside its build; its sha256 is told"
        if sentence not in left_out:
            left_out.append(sentence)

    def _evidence(self, version: AlgorithmVersion) -> Mapping[str, Any]:
        return {
            "assessments": [_assessment(one) for one in self._all_assessments(version)],
            "reviews": [_review(one) for one in self._reviews.of(version)],
            "marks": [_mark(one) for one in self._marks.of(version)],
        }

    def _all_assessments(self, version: AlgorithmVersion) -> Iterator[Assessment]:
        offset = 0
        while True:
            page, total = self._assessments.of(version, limit=_AT_ONCE, offset=offset)
            yield from page
            offset += len(page)
            if not page or offset >= total:
                return


def _assessment(one: Assessment) -> Mapping[str, Any]:
    return {
        "sequence": one.sequence,
        "met": one.met.value,
        "cause": one.cause.value,
        "at": moment(one.at),
        "green_at": moment(one.green_at) if one.green_at else None,
        "criteria_version": one.criteria_version,
        "criteria_sha256": one.criteria_sha256,
        "dossier_digest": one.dossier_digest,
        "environment_lock_sha256": one.environment_lock_sha256,
        "results": [result.as_dict() for result in one.results],
        "fresh_days": {level.value: days for level, days in one.fresh_days.items()},
    }


def _review(one: Review) -> Mapping[str, Any]:
    return {
        "sequence": one.sequence,
        "kind": one.kind.value,
        "verdict": one.verdict.value,
        "text": one.text,
        "reviewer": one.reviewer,
        "counted": one.counts,
        "at": moment(one.at),
    }


def _mark(one: MaturityMark) -> Mapping[str, Any]:
    return {"level": one.level.value, "reason": one.reason, "set_by": one.set_by, "at": moment(one.at)}
