"""The runs in an archive: whether each is whole, and its receipt the origin's own about that very run."""

from __future__ import annotations

from collections.abc import Iterator

from swath.contract.bags import Bag
from swath.contract.envelopes import Untrusted
from swath.contract.interface import OUTPUT_NAME
from swath.contract.receipts import Bundle, check_bundle
from swath.contract.signing_keys import KeySet
from swath.contract.statements import Statement
from swath.contract.zips import ArchiveUnreadable, Fault
from swath.signatures import verify

from swath_marketplace.domain.account_archive import INDEX, AccountDocument, ArchivedRun, run_folder
from swath_marketplace.domain.clock import Clock
from swath_marketplace.domain.foreign import ForeignRun, foreign_run_id
from swath_marketplace.domain.runs import RunStatus
from swath_marketplace.services.exit.documents import DocumentInvalid, read_run
from swath_marketplace.store.runs import RunStore

_LARGEST_DOCUMENT = 64 << 20
_MEND = "export it again at its origin"


class RunReader:
    """Reads the runs of an archive."""

    def __init__(self, *, runs: RunStore, clock: Clock) -> None:
        self._runs = runs
        self._clock = clock

    def read(
        self, bag: Bag, document: AccountDocument, importer: str, *, keys: KeySet, faults: list[Fault]
    ) -> Iterator[ForeignRun]:
        """Each run that is to be stored; one that is here as itself is passed over."""
        if len(set(document.runs)) < len(document.runs):
            faults.append(
                Fault(code="double-run", field=f"{INDEX}#runs", message="a run stands there twice", mend=_MEND)
            )
        for run_id in dict.fromkeys(document.runs):
            if not (run_id.isascii() and run_id.isalnum() and len(run_id) <= 64):
                faults.append(_fault(f"{INDEX}#runs", "bad-run", f"{run_id[:64]!a} is no id of a run"))
                continue
            known = self._runs.get(run_id)
            if known is not None and known.caller == importer:
                continue
            found = self._run(bag, document, run_id, importer, keys=keys, faults=faults)
            if found is not None:
                yield found

    def _run(
        self,
        bag: Bag,
        document: AccountDocument,
        run_id: str,
        importer: str,
        *,
        keys: KeySet,
        faults: list[Fault],
    ) -> ForeignRun | None:
        folder = run_folder(run_id)
        path = f"{folder}/run.json"
        try:
            if path not in bag.paths:
                raise DocumentInvalid(_fault(path, "missing", "it is named, and it is not there"))
            run = read_run(bag.read(path, max_bytes=_LARGEST_DOCUMENT), path)
        except (DocumentInvalid, ArchiveUnreadable) as error:
            faults += error.faults
            return None
        wrong = [*_faults(bag, run, run_id, folder)]
        receipt, told = _receipt(bag, run, document, keys=keys, folder=folder)
        wrong += told
        faults += wrong
        return (
            None
            if wrong
            else ForeignRun(
                id=foreign_run_id(importer, keys.origin, run.id),
                importer=importer,
                origin=keys.origin,
                document=run,
                receipt=receipt,
                imported_at=self._clock(),
            )
        )


def _faults(bag: Bag, run: ArchivedRun, run_id: str, folder: str) -> Iterator[Fault]:
    path = f"{folder}/run.json"
    if run.id != run_id:
        yield _fault(f"{path}#id", "run-differs", "it is the document of another run")
    if run.status not in {status.value for status in RunStatus if status.terminal}:
        yield _fault(f"{path}#status", "run-not-over", "only runs that have ended are brought in")
    names = [one.name for one in run.outputs]
    if len(set(names)) < len(names):
        yield _fault(f"{path}#outputs", "double-output", "two outputs have the same name")
    for number, one in enumerate(run.outputs):
        place = f"{path}#outputs.{number}"
        if not OUTPUT_NAME.fullmatch(one.name):
            yield _fault(f"{place}.name", "bad-output", "this is no name of an output")
            continue
        file = f"{folder}/results/{one.name}"
        if not one.kept:
            continue
        if file not in bag.paths:
            yield _fault(file, "missing", "it is named, and it is not there")
        elif bag.paths[file] != one.sha256 or bag.size(file) != one.bytes:
            yield _fault(file, "output-changed", "the file is not the one that the run brought back")


def _receipt(
    bag: Bag, run: ArchivedRun, document: AccountDocument, *, keys: KeySet, folder: str
) -> tuple[str | None, list[Fault]]:
    path = f"{folder}/receipt.json"
    if path not in bag.paths:
        return None, []
    try:
        content = bag.read(path, max_bytes=_LARGEST_DOCUMENT)
        statement = check_bundle(Bundle.from_bytes(content), keys, verify).statement
    except Untrusted as error:
        return None, [_fault(path, error.reason.value, f"the receipt is not believed: {error.message}")]
    except ArchiveUnreadable as error:
        return None, list(error.faults)
    apart = _apart(statement, run, document.user)
    if apart:
        return None, [_fault(path, "receipt-differs", f"the receipt says another {apart} than the run's document")]
    return content.decode(), []


def _apart(statement: Statement, run: ArchivedRun, user: str) -> str:
    """In what a receipt and the document of a run are not the same."""
    outputs = {(one.name, one.sha256) for one in run.outputs}
    told = {
        "run": statement.run_id == run.id,
        "caller": statement.caller == user,
        "algorithm": statement.algorithm == run.algorithm,
        "version": (statement.version, f"sha256:{statement.version_sha256}") == (run.version, run.digest),
        "parameters": dict(statement.parameters) == dict(run.parameters),
        "set of outputs": {(one.name, one.sha256) for one in statement.outputs} == outputs,
    }
    return next((name for name, same in told.items() if not same), "")


def _fault(field: str, code: str, message: str) -> Fault:
    return Fault(code=code, field=field[:300], message=message, mend=_MEND)
