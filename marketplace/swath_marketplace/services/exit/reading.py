"""An account's archive, read: whether all of it can be brought in, and everything that is wrong if not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from swath.contract.bags import Bag
from swath.contract.envelopes import Envelope, Reason, Untrusted
from swath.contract.signing_keys import KeySet
from swath.contract.times import moment
from swath.contract.zips import ArchiveUnreadable, Bounds, Fault, ReadZip
from swath.signatures import verify

from swath_marketplace.domain.account_archive import FORMAT, INDEX, KEYS, SEAL, SEAL_TYPE, AccountDocument
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.foreign import Adopted, Adoption, ForeignRun
from swath_marketplace.services.exit.documents import DocumentInvalid, read_account
from swath_marketplace.services.exit.exporting import Progress
from swath_marketplace.services.exit.read_runs import RunReader
from swath_marketplace.services.exit.read_versions import VersionReader
from swath_marketplace.services.signing import Keys
from swath_marketplace.store.foreign import ForeignStore

_LARGEST_INDEX = 64 << 20
_MOST_FAULTS = 200


class ArchiveRefused(Exception):
    """Nothing of an archive is brought in; `faults` say why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = tuple(faults[:_MOST_FAULTS])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An archive that can be brought in as a whole."""

    document: AccountDocument
    bag: Bag
    adoption: Adoption
    artifacts: Sequence[str]
    """Paths in the archive of what is kept by its content: notebooks, files of dossiers, inventories."""


class ArchiveReader:
    """Reads archives, and stores nothing."""

    def __init__(
        self,
        *,
        versions: VersionReader,
        runs: RunReader,
        foreign: ForeignStore,
        keys: Keys,
        bounds: Bounds,
        free_bytes: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._versions = versions
        self._runs = runs
        self._foreign = foreign
        self._keys = keys
        self._bounds = bounds
        self._free_bytes = free_bytes
        self._clock = clock

    def read(self, stream: BinaryIO, importer: str, *, progress: Progress) -> Plan:
        """What is to be stored for `importer`.

        Raises
        ------
        ArchiveRefused
            With everything that is wrong.
        """
        try:
            bag = Bag(ReadZip(stream, bounds=self._bounds))
        except ArchiveUnreadable as error:
            raise ArchiveRefused(error.faults) from error
        faults = [*self._space(bag), *_checked(bag, progress)]
        try:
            document = read_account(bag.read(INDEX, max_bytes=_LARGEST_INDEX), INDEX) if INDEX in bag.paths else None
        except (ArchiveUnreadable, DocumentInvalid) as error:
            raise ArchiveRefused([*faults, *error.faults]) from error
        if document is None or document.format != FORMAT:
            told = "there is no account.json in it" if document is None else f"its format is not {FORMAT}"
            raise ArchiveRefused([*faults, Fault(code="not-an-account", field=INDEX, message=told)])
        try:
            keys = self._origin(bag, document, importer)
        except Untrusted as error:
            raise ArchiveRefused([*faults, _untrusted(error)]) from error
        progress("what is in it", 0.6)
        versions = list(self._versions.read(bag, document, importer, faults=faults))
        runs = list(self._runs.read(bag, document, importer, keys=keys, faults=faults))
        if faults:
            raise ArchiveRefused(_once(faults))
        return self._plan(bag, document, importer, keys=keys, versions=versions, runs=runs)

    def _plan(
        self,
        bag: Bag,
        document: AccountDocument,
        importer: str,
        *,
        keys: KeySet,
        versions: Sequence[Adopted],
        runs: Sequence[ForeignRun],
    ) -> Plan:
        here = self._keys.current().origin == keys.origin
        adoption = Adoption(
            importer=importer,
            origin=keys.origin,
            keys=None if here else keys.as_bytes().decode(),
            own=here and document.user == importer,
            at=self._clock(),
            versions=versions,
            runs=runs,
            sections=document.sections or {},
        )
        kept = ("objects/", "inventories/")
        notebooks = [path for path in bag.paths if path.startswith("algorithms/") and path.endswith("/notebook.ipynb")]
        artifacts = [*notebooks, *(path for path in bag.paths if path.startswith(kept))]
        return Plan(document=document, bag=bag, adoption=adoption, artifacts=artifacts)

    def _origin(self, bag: Bag, document: AccountDocument, importer: str) -> KeySet:
        """The origin's keys, once they prove that this archive is its; raises `Untrusted`."""
        if KEYS not in bag.paths:
            raise _missing(KEYS)
        keys = KeySet.from_bytes(bag.read(KEYS, max_bytes=_LARGEST_INDEX), verify)
        keys = self._pinned(keys, importer)
        seal = bag.tag(SEAL)
        if seal is None:
            raise _missing(SEAL)
        envelope = Envelope.from_bytes(seal, "seal")
        verify(envelope, keys.trusted(envelope, "the archive"))
        told = envelope.document(SEAL_TYPE, "seal")
        expected = {
            "format": FORMAT,
            "origin": document.origin.installation,
            "user": document.user,
            "exported_at": moment(document.exported_at),
            "manifest_sha256": bag.manifest_sha256,
        }
        if told != expected or keys.origin != document.origin.installation:
            message = "its seal is of another archive: this one was changed since its export"
            raise Untrusted(Reason.BAD_SIGNATURE, message)
        return keys

    def _pinned(self, keys: KeySet, importer: str) -> KeySet:
        """The longer one of the keys told and those known before; one has to follow from the other."""
        mine = self._keys.current()
        if keys.origin == mine.origin:
            mine.require_after(keys)
            return mine
        stored = self._foreign.keys(importer, keys.origin)
        if stored is None:
            return keys
        known = KeySet.from_bytes(stored.encode(), verify)
        older, later = sorted((known, keys), key=lambda some: len(some.events))
        later.require_after(older)
        return later

    def _space(self, bag: Bag) -> Iterator[Fault]:
        needed = sum(bag.size(path) for path in bag.paths)
        if needed > self._free_bytes():
            message = f"unpacked it takes {needed >> 20} MiB, more than there is room for"
            yield Fault(code="no-space", field="archive", message=message, mend="ask the operator for room")


def _checked(bag: Bag, progress: Progress) -> Iterator[Fault]:
    total, done = max(1, sum(bag.size(path) for path in bag.paths)), 0
    for path, faults in bag.check():
        yield from faults
        done += bag.size(path) if path in bag.paths else 0
        progress("its files", 0.55 * done / total)


def _missing(name: str) -> Untrusted:
    return Untrusted(Reason.UNSIGNED, f"there is no {name} in it, so nobody says that it is what it says")


def _untrusted(error: Untrusted) -> Fault:
    mend = error.mend or "export it again at its origin; `swath verify` says more of single receipts"
    return Fault(code=error.reason.value, field=SEAL, message=error.message, mend=mend)


def _once(faults: Sequence[Fault]) -> Sequence[Fault]:
    return list(dict.fromkeys(faults))
