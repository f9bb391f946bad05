"""The versions in an archive: whether each is what its digest says, and may stand here under its importer's name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from swath.contract.bags import Bag
from swath.contract.digest import sha256_bytes, version_digest
from swath.contract.fields import ContractError
from swath.contract.interface import Interface
from swath.contract.semver import Version
from swath.contract.zips import ArchiveUnreadable, Fault
from swath_service.errors import Invalid

from swath_marketplace.domain.account_archive import (
    INDEX,
    AccountDocument,
    ArchivedAlgorithm,
    ArchivedDossier,
    ArchivedVersion,
    object_path,
    version_folder,
)
from swath_marketplace.domain.algorithms import AlgorithmVersion, Resources
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.dossiers import Dossier, dossier_digest
from swath_marketplace.domain.fairness import Slots
from swath_marketplace.domain.foreign import Adopted
from swath_marketplace.domain.references import parse_reference
from swath_marketplace.services.exit.documents import DocumentInvalid, read_plain
from swath_marketplace.services.exit.exported_versions import lock_path
from swath_marketplace.services.reading import Checked, check_notebook
from swath_marketplace.services.reading_dossiers import read_dossier
from swath_marketplace.store.algorithms import AlgorithmStore

_LARGEST_NOTEBOOK = 16 << 20
_LARGEST_FILE = 64 << 20
_MOST_ASSESSMENTS = 200
#: What a version asks for may be more than this machine has: it is brought in, and a run of it says so.
_ANY_SLOTS = Slots(cpus=float("inf"), memory_mb=2**62)
_ORIGIN_MEND = "it was no archive of a Swath's own; export it again at its origin"


class VersionReader:
    """Reads the versions of an archive as a publication is read, but for the number, which they keep."""

    def __init__(self, *, algorithms: AlgorithmStore, dask_runs: bool, clock: Clock) -> None:
        self._algorithms = algorithms
        self._dask_runs = dask_runs
        self._clock = clock

    def read(self, bag: Bag, document: AccountDocument, importer: str, *, faults: list[Fault]) -> Iterator[Adopted]:
        """Each version that can be stored; what keeps one from it goes into `faults`."""
        places = [one.name for one in document.algorithms]
        for name in sorted({name for name in places if places.count(name) > 1}):
            faults.append(_fault(f"{INDEX}#algorithms", "double-name", f"the algorithm {name[:80]} stands there twice"))
        for number, algorithm in enumerate(document.algorithms):
            where = f"{INDEX}#algorithms.{number}"
            try:
                parse_reference(f"{importer}/{algorithm.name}")
            except Invalid:
                faults.append(_fault(f"{where}.name", "bad-name", "this is no name of an algorithm"))
                continue
            yield from self._algorithm(bag, document, algorithm, importer, where=where, faults=faults)

    def _algorithm(
        self,
        bag: Bag,
        document: AccountDocument,
        algorithm: ArchivedAlgorithm,
        importer: str,
        *,
        where: str,
        faults: list[Fault],
    ) -> Iterator[Adopted]:
        found = self._algorithms.get(importer, algorithm.name)
        here = {one.version: one.digest for one in (found.versions if found else ())}
        for what in ("version", "digest"):
            for double in _doubles(getattr(one, what) for one in algorithm.versions):
                faults.append(
                    _fault(f"{where}.versions", "double-version", f"two versions have the {what} {double[:80]}")
                )
        for number, one in enumerate(algorithm.versions):
            place = f"{where}.versions.{number}"
            reading = _Reading(bag, one, name=algorithm.name, place=place)
            version = reading.version(importer, dask_runs=self._dask_runs)
            dossiers = list(reading.dossiers()) if version else []
            evidence = reading.evidence(algorithm.prices)
            taken = here.get(one.version)
            if taken is not None and taken != one.digest and one.digest not in here.values():
                told = f"{importer}/{algorithm.name} {one.version} is here already, with another content ({taken})"
                mend = "import as another user, or publish what is here under another name first"
                reading.faults.append(Fault(code="version-taken", field=f"{place}.version", message=told, mend=mend))
            faults += reading.faults
            if version is not None and not reading.faults:
                yield Adopted(
                    version=replace(version, published_at=self._clock()),
                    dossiers=dossiers,
                    path=f"{document.user}/{algorithm.name}",
                    published_at=one.published_at,
                    evidence=evidence,
                )


class _Reading:
    """One version, being read."""

    def __init__(self, bag: Bag, one: ArchivedVersion, *, name: str, place: str) -> None:
        self._bag = bag
        self._one = one
        self._name = name
        self._folder = version_folder(name, one.version)
        self._place = place
        self.faults: list[Fault] = []

    def version(self, importer: str, *, dask_runs: bool) -> AlgorithmVersion | None:
        """The version as it is to be stored."""
        one = self._one
        self._check_number()
        content = self._file(f"{self._folder}/notebook.ipynb", most=_LARGEST_NOTEBOOK)
        if content is None:
            return None
        checked = self._checked(content, dask_runs=dask_runs)
        if checked is None or self._lock_differs():
            return None
        interface = checked.interface
        assert interface is not None
        if sha256_bytes(content) != one.notebook_sha256 or checked.content != content:
            self._add("notebook_sha256", "notebook-differs", "the notebook is not the one that was published")
        if interface.as_dict() != Interface.from_dict(one.interface).as_dict():
            self._add("interface", "interface-differs", "the interface is not the one that the notebook declares")
        try:
            digest = version_digest(
                notebook=content, interface=one.interface, environment_lock_sha256=one.environment_lock_sha256
            )
        except ValueError as error:
            self._add("environment_lock_sha256", "bad-lock", str(error))
            return None
        if digest != one.digest:
            self._add("digest", "digest-differs", f"notebook, interface and lock make the digest {digest}")
        return AlgorithmVersion(
            algorithm_id="",
            owner=importer,
            name=self._name,
            version=one.version,
            digest=digest,
            notebook_sha256=sha256_bytes(content),
            interface=interface.as_dict(),
            metadata=checked.metadata,
            environment=one.environment,
            environment_lock_sha256=one.environment_lock_sha256,
            resources=Resources.from_dict(checked.metadata["resources"]),
            published_at=one.published_at,
            yanked_at=one.yanked_at,
            yank_reason=one.yank_reason,
            revoked_at=one.revoked_at,
            revoked_reason=one.revoked_reason,
        )

    def dossiers(self) -> Iterator[Dossier]:
        """What stands beside it, the first put first."""
        for number, one in enumerate(self._one.dossiers):
            place = f"dossiers.{number}"
            contents = {path: self._file(object_path(sha256), most=_LARGEST_FILE) for path, sha256 in one.files.items()}
            files = {path: content for path, content in contents.items() if content is not None}
            if len(files) < len(contents):
                continue
            if dossier_digest(one.files) != one.digest:
                self._add(f"{place}.digest", "digest-differs", "the digest is not that of the files")
            yield self._dossier(one, files, place)

    def evidence(self, prices: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """What was said of it at its origin."""
        path = f"{self._folder}/evidence.json"
        content = self._file(path, most=_LARGEST_FILE)
        if content is None:
            return {}
        try:
            told = read_plain(content, path)
        except DocumentInvalid as error:
            self.faults += error.faults
            return {}
        kinds = ("assessments", "reviews", "marks")
        if not isinstance(told, dict) or not all(isinstance(told.get(kind), list) for kind in kinds):
            self.faults.append(_fault(path, "bad-document", "it has no lists of assessments, reviews and marks"))
            return {}
        said = {kind: [one for one in told[kind] if isinstance(one, dict)] for kind in kinds}
        return {**said, "assessments": said["assessments"][:_MOST_ASSESSMENTS], "prices": [dict(one) for one in prices]}

    def _dossier(self, one: ArchivedDossier, files: Mapping[str, bytes], place: str) -> Dossier:
        scenarios, findings = read_dossier(files, Interface.from_dict(self._one.interface))
        for found in findings:
            self._add(f"{place}.{found['field']}", "dossier-invalid", str(found["message"]), mend=str(found["mend"]))
        return Dossier(
            algorithm_id="",
            version_digest=self._one.digest,
            sequence=0,
            digest=one.digest,
            files=dict(one.files),
            scenarios=scenarios,
            put_by=one.put_by,
            put_at=one.put_at,
        )

    def _checked(self, content: bytes, *, dask_runs: bool) -> Checked | None:
        one = self._one
        try:
            Interface.from_dict(one.interface)
            checked = check_notebook(
                json.loads(content), environments=[one.environment], slots=_ANY_SLOTS, dask_runs=dask_runs
            )
        except (ValueError, RecursionError, Invalid, ContractError) as error:
            self._add("notebook_sha256", "notebook-invalid", f"the notebook cannot be read: {error}")
            return None
        wrong = [found for found in checked.findings if found.get("severity") == "error"]
        for found in wrong:
            self._add("notebook_sha256", str(found["code"]), str(found["message"]), mend=str(found.get("mend") or ""))
        if not checked.ok:
            if not wrong:
                self._add("notebook_sha256", "notebook-invalid", "the notebook has no interface that can be read")
            return None
        if checked.metadata["name"] != self._name or checked.metadata["environment"] != one.environment:
            self._add("environment", "metadata-differs", "name or environment are not those that the notebook names")
        return checked

    def _lock_differs(self) -> bool:
        """Whether the lock file that came along is another; none need to have come."""
        one = self._one
        path = lock_path(one.environment, one.environment_lock_sha256)
        if path not in self._bag.paths:
            return False
        differs = self._bag.paths[path] != one.environment_lock_sha256.removeprefix("sha256:")
        if differs:
            self.faults.append(_fault(path, "lock-differs", "the lock is not the one that its versions were made with"))
        return differs

    def _check_number(self) -> None:
        one = self._one
        try:
            Version.parse(one.version)
        except ValueError as error:
            self._add("version", "bad-version", str(error))
        if (one.yanked_at is None) != (one.yank_reason is None):
            self._add("yank_reason", "bad-yank", "a yank has a time and a reason, or neither")
        if (one.revoked_at is None) != (one.revoked_reason is None) or (one.revoked_at and not one.yanked_at):
            self._add("revoked_reason", "bad-revocation", "what is revoked is yanked, and has a time and a reason")

    def _file(self, path: str, *, most: int) -> bytes | None:
        if path not in self._bag.paths:
            self.faults.append(_fault(path, "missing", "it is named, and it is not there"))
            return None
        try:
            content = self._bag.read(path, max_bytes=most)
        except ArchiveUnreadable as error:
            self.faults += error.faults
            return None
        return content

    def _add(self, member: str, code: str, message: str, *, mend: str = _ORIGIN_MEND) -> None:
        self.faults.append(_fault(f"{self._place}.{member}", code, message[:400], mend=mend))


def _fault(field: str, code: str, message: str, *, mend: str = _ORIGIN_MEND) -> Fault:
    return Fault(code=code, field=field[:300], message=message, mend=mend)


def _doubles(values: Iterable[str]) -> Sequence[str]:
    some = list(values)
    return sorted({one for one in some if some.count(one) > 1})
